//! The embedded kernel with the driver that ships: whole, damaged, and with a
//! few bytes of other code in it.

mod code;
mod faults;
mod images;
mod life;
mod oracle;
mod shipped;
mod trials;
