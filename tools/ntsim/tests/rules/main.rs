//! Every rule of the embedded kernel, broken by a driver that does nothing else
//! wrong: the kernel names that rule, and the very line.

mod breaker;
mod code;
mod handle;
mod hang;
mod irql;
mod memory;
mod notify;
mod output;
mod pool;
mod stop;
