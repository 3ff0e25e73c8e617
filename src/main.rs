//! The gateway's binary: parse, wire, run.

fn main() {}
