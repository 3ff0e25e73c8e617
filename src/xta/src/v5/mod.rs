//! Version 5.1.1 (core 3.1.1) on the wire. Written after a reconstruction of its schemas; whatever depends on them stands here.
//!
//! | module | holds |
//! |---|---|
//! | [`names`] | the namespace, ports, operations with their actions and exceptions |
//! | [`metadata`] | `MessageMetaData` and parties, read and written |
//! | `request` | bodies of requests, read |
//! | `answer` | bodies and header blocks of answers, written |
//! | `fault` | details of faults, written |

pub(crate) mod answer;
pub(crate) mod fault;
pub(crate) mod metadata;
pub mod names;
pub(crate) mod request;
