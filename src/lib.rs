//! Reports every process that is created and every process that exits.
#![no_std]
