//! Document management systems: what happens to case files, cases and documents is carried into the system that keeps the records, and what
//! happens there comes back.
