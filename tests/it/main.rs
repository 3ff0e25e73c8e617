//! Whole-gateway tests through HTTP.
