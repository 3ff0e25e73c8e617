//! Hot folders of xdomea containers.
