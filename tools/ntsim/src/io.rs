//! The I/O manager: driver objects, and the drivers that are loaded.

pub mod driver_object;
pub mod drivers;

use windows_sys::Win32::Foundation::STATUS_INVALID_DEVICE_REQUEST;

use crate::nt::Irql;
use crate::routine::{Call, Outcome, Routine, status};

/// The routines of the I/O manager.
pub const ROUTINES: &[Routine] = &[
    // What every entry of a new driver object's `MajorFunction` leads to.
    Routine::new(
        INVALID_DEVICE_REQUEST,
        Irql::DISPATCH,
        invalid_device_request,
    ),
];

/// Not exported by Windows either; drivers meet it through `MajorFunction`.
pub const INVALID_DEVICE_REQUEST: &str = "IopInvalidDeviceRequest";

fn invalid_device_request(_: &Call<'_>) -> Outcome {
    status(STATUS_INVALID_DEVICE_REQUEST)
}
