//! The server: a request is read, carried out by a [`Backend`], and answered. What the backend does is durable before it returns.

pub mod backend;

pub use backend::Backend;
