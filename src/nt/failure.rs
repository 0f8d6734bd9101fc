//! A kernel call that failed.

use core::ffi::CStr;

use wdk_sys::NTSTATUS;

/// Which call failed, and with what status.
#[derive(Debug, Clone, Copy)]
pub struct Failure {
    /// The routine's name in the DDI documentation.
    pub call: &'static CStr,
    /// What it returned.
    pub status: NTSTATUS,
}

impl Failure {
    /// Makes a failure of a status that is not a success.
    ///
    /// IRQL: any.
    ///
    /// # Errors
    ///
    /// A [`Failure`] of `call` where `status` is a warning or an error
    /// (`NT_SUCCESS` does not hold).
    pub const fn check(call: &'static CStr, status: NTSTATUS) -> Result<(), Self> {
        if wdk::nt_success(status) {
            Ok(())
        } else {
            Err(Self { call, status })
        }
    }
}
