//! Names of the statuses that a driver is most likely to return.

use std::fmt;

use ntsim::nt::NtStatus;
use windows_sys::Win32::Foundation as names;

/// A status with its name where it has a well-known one:
/// `STATUS_ACCESS_DENIED (0xc0000022)`.
pub struct Named(pub NtStatus);

macro_rules! name {
    ($status:expr, $($name:ident)*) => {
        match $status {
            $(names::$name => Some(stringify!($name)),)*
            _ => None,
        }
    };
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = name!(self.0,
            STATUS_SUCCESS STATUS_UNSUCCESSFUL STATUS_NOT_IMPLEMENTED STATUS_ACCESS_VIOLATION
            STATUS_ACCESS_DENIED STATUS_BUFFER_TOO_SMALL STATUS_DELETE_PENDING
            STATUS_DEVICE_DOES_NOT_EXIST STATUS_DEVICE_NOT_READY STATUS_INFO_LENGTH_MISMATCH
            STATUS_INSUFFICIENT_RESOURCES STATUS_INVALID_DEVICE_REQUEST STATUS_INVALID_HANDLE
            STATUS_INVALID_IMAGE_HASH STATUS_INVALID_PARAMETER STATUS_NOT_FOUND
            STATUS_NOT_SUPPORTED STATUS_NO_MEMORY STATUS_NO_SUCH_DEVICE
            STATUS_OBJECT_NAME_COLLISION STATUS_OBJECT_NAME_NOT_FOUND STATUS_OBJECT_TYPE_MISMATCH
            STATUS_PRIVILEGE_NOT_HELD STATUS_PROCEDURE_NOT_FOUND STATUS_PROCESS_IS_TERMINATING
            STATUS_REVISION_MISMATCH
        );
        match name {
            Some(name) => write!(f, "{name} ({:#010x})", self.0),
            None => write!(f, "{:#010x}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let shown = |status: u32| Named(status.cast_signed()).to_string();
        assert_eq!(shown(0xc000_0022), "STATUS_ACCESS_DENIED (0xc0000022)");
        assert_eq!(shown(0xe000_1234), "0xe0001234");
    }
}
