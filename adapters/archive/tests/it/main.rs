//! What the adapters of this crate do, against independent counterparts.
