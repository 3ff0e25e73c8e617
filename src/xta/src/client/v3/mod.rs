//! Version 3 (web service 2.1.1), the client's side.

pub(super) mod answer;
pub(super) mod request;
