//! Accesses to memory at addresses that a driver gave. They may lead nowhere,
//! so each one can fail.

use std::ptr;

use bytemuck::{AnyBitPattern, NoUninit};

use crate::arch;

/// The most bytes that a `UNICODE_STRING` holds.
pub const UNICODE_STRING_LIMIT: usize = u16::MAX as usize;

/// `UNICODE_STRING` (and `ANSI_STRING`) as a driver lays it out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, AnyBitPattern, NoUninit)]
#[repr(C)]
pub struct CountedString {
    /// `Length`, in bytes.
    pub length: u16,
    /// `MaximumLength`, in bytes.
    pub maximum_length: u16,
    /// Alignment.
    pub padding: u32,
    /// `Buffer`.
    pub buffer: u64,
}

impl CountedString {
    /// A string of `length` bytes at `buffer`, with no room behind it.
    pub const fn new(buffer: u64, length: u16) -> Self {
        Self {
            length,
            maximum_length: length,
            padding: 0,
            buffer,
        }
    }
}

/// An address that the driver gave and that is not readable (or writable).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot access memory at {0:#x}")]
pub struct BadAddress(pub u64);

/// Reads a value at `address`.
///
/// # Errors
/// The address that could not be read.
pub fn read<T: AnyBitPattern>(address: u64) -> Result<T, BadAddress> {
    let mut value = T::zeroed();
    // SAFETY: `value` is valid for its own size and may hold any bit pattern.
    unsafe { copy((&raw mut value).cast(), from(address), size_of::<T>()) }?;
    Ok(value)
}

/// Writes `value` at `address`.
///
/// # Errors
/// The address that could not be written.
pub fn write<T: NoUninit>(address: u64, value: T) -> Result<(), BadAddress> {
    write_bytes(address, bytemuck::bytes_of(&value))
}

/// Writes `value` at `address`, unless that is NULL: the DDI's optional
/// output parameters.
///
/// # Errors
/// The address that could not be written.
pub fn write_optional<T: NoUninit>(address: u64, value: T) -> Result<(), BadAddress> {
    if address == 0 {
        Ok(())
    } else {
        write(address, value)
    }
}

/// Fills `buffer` from `address`.
///
/// # Errors
/// The first address that could not be read.
pub fn read_bytes(address: u64, buffer: &mut [u8]) -> Result<(), BadAddress> {
    // SAFETY: `buffer` is valid for its own length.
    unsafe { copy(buffer.as_mut_ptr(), from(address), buffer.len()) }
}

/// Writes `bytes` at `address`.
///
/// # Errors
/// The first address that could not be written.
pub fn write_bytes(address: u64, bytes: &[u8]) -> Result<(), BadAddress> {
    let target = ptr::with_exposed_provenance_mut(check(address)?);
    // SAFETY: what is written is what a driver passed as its own memory; that
    // it may be wrong about that is the same in a real kernel.
    unsafe { copy(target, bytes.as_ptr(), bytes.len()) }
}

/// Reads the UTF-16 text of the `UNICODE_STRING` at `address`.
///
/// # Errors
/// The address that could not be read.
pub fn read_unicode_string(address: u64) -> Result<Vec<u16>, BadAddress> {
    let string: CountedString = read(address)?;
    let mut units = vec![0u16; usize::from(string.length) / 2];
    read_bytes(string.buffer, bytemuck::cast_slice_mut(&mut units))?;
    Ok(units)
}

/// Reads the NUL-terminated string at `address`, without its NUL.
///
/// # Errors
/// The address that could not be read.
pub fn read_c_string<T: AnyBitPattern + PartialEq>(
    address: u64,
    limit: usize,
) -> Result<Vec<T>, BadAddress> {
    let mut string = Vec::new();
    for index in 0..limit {
        let unit: T = read(address.wrapping_add((index * size_of::<T>()) as u64))?;
        if unit == T::zeroed() {
            break;
        }
        string.push(unit);
    }
    Ok(string)
}

/// Memory of the driver, which may not be there.
pub trait GuestMemory {
    /// Fills `buffer` from the driver's memory at `address`.
    ///
    /// # Errors
    /// The first address that could not be read.
    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<(), BadAddress>;
}

/// The driver's memory as formatting reads it.
pub struct Memory;

impl GuestMemory for Memory {
    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<(), BadAddress> {
        read_bytes(address, buffer)
    }
}

fn from(address: u64) -> *const u8 {
    ptr::with_exposed_provenance(usize::try_from(address).expect("64-bit"))
}

/// The first 64 KiB hold nothing in a kernel; a NULL pointer plus an offset is
/// told from a page of the host that way.
fn check(address: u64) -> Result<usize, BadAddress> {
    if address < 0x1_0000 {
        return Err(BadAddress(address));
    }
    usize::try_from(address).map_err(|_| BadAddress(address))
}

/// # Safety
/// Whatever is writable at `target` may be overwritten.
unsafe fn copy(target: *mut u8, source: *const u8, length: usize) -> Result<(), BadAddress> {
    crate::ke::trap::install();
    // SAFETY: as for this function; faults are turned into an error.
    let copied = unsafe { arch::guarded_copy(target, source, length) };
    if copied.faulted == 0 {
        Ok(())
    } else {
        Err(BadAddress(copied.address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mm::pages::{Guarded, PAGE};

    #[test]
    fn reads_what_is_there() {
        let memory = Guarded::holding(&[1, 2, 3, 4, 5, 6, 7, 8, 9], 1).unwrap();
        assert_eq!(read::<u64>(memory.address()), Ok(0x0807_0605_0403_0201));
        let mut all = [0; 9];
        read_bytes(memory.address(), &mut all).unwrap();
        assert_eq!(all, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    }

    #[test]
    fn names_the_address_that_is_not_there() {
        let memory = Guarded::holding(&[0; 5], 1).unwrap();
        let end = memory.address() + 5;
        assert_eq!(end % PAGE as u64, 0);
        assert_eq!(read::<u64>(memory.address()), Err(BadAddress(end)));
        assert_eq!(read::<u8>(0), Err(BadAddress(0)));
        assert_eq!(write(end, 0u8), Err(BadAddress(end)));
        assert_eq!(write(8, 0u8), Err(BadAddress(8)));
    }

    #[test]
    fn read_only_memory_is_not_written() {
        let memory = Guarded::holding(&[7; 4], 1).unwrap().read_only().unwrap();
        let address = memory.address();
        assert_eq!(read::<u32>(address), Ok(0x0707_0707));
        assert_eq!(write(address, 1u32), Err(BadAddress(address)));
    }
}
