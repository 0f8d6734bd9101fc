//! Loads a Windows kernel driver into the embedded NT kernel and runs it.

fn main() {}
