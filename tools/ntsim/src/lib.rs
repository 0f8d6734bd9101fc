//! An embedded NT kernel in user mode.
//!
//! [`Kernel`] is one simulated machine. It maps an unmodified WDM driver
//! image, binds the image's imports to routines of its own, and calls the
//! driver as Windows would: [`Kernel::load_driver`] runs `DriverEntry`,
//! [`Kernel::create_process`] and [`Kernel::exit_process`] deliver process
//! events to the registered notify routines, and [`Kernel::unload_driver`]
//! runs `DriverUnload` and says what the driver left behind.
//!
//! The module tree mirrors the kernel's own components. Each component lists
//! the routines that it exports in a `ROUTINES` table, from which the loader
//! binds imports and `MmGetSystemRoutineAddress` answers.

#![expect(
    clippy::cast_possible_truncation,
    reason = "an argument's upper half is undefined where its type is narrower, and hosts have 64 bits"
)]
#![expect(
    clippy::unnecessary_wraps,
    reason = "all routines of the kernel have one signature"
)]

mod arch;
mod builder;
pub mod dbg;
mod deliver;
mod etw;
mod ex;
mod exports;
mod gate;
pub mod intercept;
mod io;
mod ke;
pub mod kernel;
mod ldr;
mod load;
mod mm;
pub mod nt;
mod ob;
mod ps;
pub mod report;
mod routine;
mod rtl;
mod se;
mod thread;
mod trace;
mod zw;

/// The loader alone, for a host that gives an image routines of its own.
pub mod loader {
    pub use crate::ldr::image::{CheckedImage, ImageError, Section};
    pub use crate::ldr::map::{MappedImage, Resolve};
    pub use crate::ldr::symbols::{SourcePlace, Symbols};
}

/// Event tracing: sessions of the host, and the events of drivers.
pub mod tracing {
    pub use crate::etw::event::{EventDescriptor, TraceEvent};
    pub use crate::etw::session::{TraceFigures, TraceHandle, TraceSettings, TraceSink};
    pub use crate::etw::transcript::{TraceRecord, TraceTranscript};
}

pub use builder::KernelBuilder;
pub use dbg::code_page::CodePage;
pub use deliver::Verdict;
pub use kernel::{Held, Kernel};
pub use load::{LoadError, UnloadError};
pub use mm::strings::{RawBuffer, RawString};
pub use nt::{DriverId, ProcessCreation, ProcessExit, Sid, Token};
pub use ps::announcement::Announcement;
pub use ps::notify::SLOTS as NOTIFY_SLOTS;
pub use report::{Consequence, Frame, Leftover, Leftovers, Report, Rule, Stopped, Violation};
