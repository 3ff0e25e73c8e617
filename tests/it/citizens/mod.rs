//! Citizens through the whole gateway.

mod pages;
