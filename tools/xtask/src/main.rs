//! `cargo xtask`: builds, runs, tests and checks procmon.

fn main() {}
