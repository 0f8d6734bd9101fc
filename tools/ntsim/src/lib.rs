//! An embedded NT kernel in user mode.
