//! Version 3 (web service 2.1.1) on the wire.
//!
//! | module | holds |
//! |---|---|
//! | [`names`] | namespaces, ports, operations and their actions |
//! | `metadata` | `MessageMetaData`, read and written |
//! | [`header`] | `MessageMetaData` as a header block of OSCI-Transport 1.2 |
//! | `request` | bodies of requests, read |
//! | `answer` | bodies and header blocks of answers, written |
//! | `fault` | details of faults, written |

pub(crate) mod answer;
pub(crate) mod fault;
pub mod header;
pub(crate) mod metadata;
pub mod names;
pub(crate) mod request;
