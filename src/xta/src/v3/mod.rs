//! Version 3 (web service 2.1.1) on the wire.
//!
//! | module | holds |
//! |---|---|
//! | [`names`] | namespaces, ports, operations and their actions |
//! | `metadata` | `MessageMetaData`, read and written |
//! | `request` | bodies of requests, read |
//! | `answer` | bodies and header blocks of answers, written |
//! | `fault` | details of faults, written |

pub(crate) mod answer;
pub(crate) mod fault;
pub mod metadata;
pub mod names;
pub(crate) mod request;
