//! The REST interface over a real broker and store, in process.

mod bad_input;
mod codes;
mod content;
mod documented;
mod gateway;
mod inputs;
mod isolation;
mod life;
mod repeated;
mod rights;
mod wire;
