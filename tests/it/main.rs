//! Whole-gateway tests through HTTP.

mod crash;
mod demo;
mod edges;
mod sync;
