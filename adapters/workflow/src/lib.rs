//! Workflow engines: cases start processes, events of cases correlate messages, and the engine's tasks become tasks of a unit.
