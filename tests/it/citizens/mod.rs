//! Citizens through the whole gateway.

mod fit_connect;
mod notices;
mod pages;
