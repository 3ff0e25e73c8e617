//! Version 5.1.1 (core 3.1.1), the client's side.

pub(super) mod answer;
pub(super) mod request;
