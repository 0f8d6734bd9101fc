//! The embedded kernel with the driver that ships: whole, damaged, and with a
//! few bytes of other code in it.

mod code;
mod faults;
mod images;
mod life;
mod shipped;
