//! Strings that the kernel hands to drivers.
//!
//! Each ends exactly at a guard page, is read-only for the driver and has no
//! NUL behind it, so reading past `Length` or writing faults. The memory is
//! recycled: a slot is a file's pages mapped twice, writable for the host and
//! read-only for the driver, so handing out a string costs two copies and no
//! system call.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;
use std::sync::{Mutex, PoisonError};

use super::guest::{CountedString, UNICODE_STRING_LIMIT};
use super::pages::{PAGE, Protection, Reservation, round_up};

/// A `UNICODE_STRING` of any shape.
#[derive(Clone, Debug)]
pub struct RawString {
    /// `Length`, in bytes.
    pub length: u16,
    /// `MaximumLength`, in bytes.
    pub maximum_length: u16,
    /// `Buffer`.
    pub buffer: RawBuffer,
}

/// What `Buffer` leads to: nothing can be read behind the bytes, except one
/// that makes their number even.
#[derive(Clone, Debug)]
pub enum RawBuffer {
    /// NULL.
    Null,
    /// Bytes at an even address.
    Aligned(Vec<u8>),
    /// Bytes at an odd address.
    Misaligned(Vec<u8>),
}

impl RawString {
    /// A string as kernels make it.
    ///
    /// # Panics
    /// When the text is longer than a `UNICODE_STRING` can say.
    #[must_use]
    pub fn of(text: &[u16]) -> Self {
        let bytes: Vec<u8> = bytemuck::cast_slice(text).to_vec();
        let length = u16::try_from(bytes.len()).expect("a UNICODE_STRING holds 65,534 bytes");
        Self {
            length,
            maximum_length: length,
            buffer: RawBuffer::Aligned(bytes),
        }
    }
}

/// A page for the `UNICODE_STRING` itself, then the text.
const SLOT: usize = PAGE + round_up(UNICODE_STRING_LIMIT);
const SLOT_WITH_GUARD: usize = SLOT + PAGE;
const SLOTS_PER_CHUNK: usize = 16;

/// Where a string can be put.
struct Slot {
    writable: usize,
    readable: usize,
}

static FREE: Mutex<Vec<Slot>> = Mutex::new(Vec::new());

/// Where drivers see the slots.
static CHUNKS: Mutex<Vec<Reservation>> = Mutex::new(Vec::new());

/// A `UNICODE_STRING` that a driver can read while this value lives.
pub struct GuestString {
    slot: Option<Slot>,
}

impl GuestString {
    /// Hands out `text`.
    ///
    /// # Errors
    /// When the system has no memory for more strings.
    ///
    /// # Panics
    /// When the text is longer than a `UNICODE_STRING` can say.
    pub fn new(text: &[u16]) -> io::Result<Self> {
        let bytes: &[u8] = bytemuck::cast_slice(text);
        let length = u16::try_from(bytes.len()).expect("a UNICODE_STRING holds 65,534 bytes");
        let slot = take()?;
        let start = SLOT - bytes.len();
        let descriptor = CountedString::new((slot.readable + start) as u64, length);
        write(&slot, start, bytes);
        write(
            &slot,
            PAGE - size_of::<CountedString>(),
            bytemuck::bytes_of(&descriptor),
        );
        Ok(Self { slot: Some(slot) })
    }

    /// Hands out a string of any shape. What of its buffer is not to be read
    /// is not there, as far as a page's end can be where the buffer ends.
    ///
    /// # Errors
    /// When the system has no memory for more strings.
    pub fn raw(string: &RawString) -> io::Result<Self> {
        let slot = take()?;
        let buffer = match &string.buffer {
            RawBuffer::Null => 0,
            RawBuffer::Aligned(bytes) => {
                let start = (SLOT - bytes.len()) & !1;
                write(&slot, start, bytes);
                slot.readable + start
            }
            RawBuffer::Misaligned(bytes) => {
                let start = (SLOT - bytes.len() - 1) | 1;
                write(&slot, start, bytes);
                slot.readable + start
            }
        };
        let descriptor = CountedString {
            length: string.length,
            maximum_length: string.maximum_length,
            padding: 0,
            buffer: buffer as u64,
        };
        write(
            &slot,
            PAGE - size_of::<CountedString>(),
            bytemuck::bytes_of(&descriptor),
        );
        Ok(Self { slot: Some(slot) })
    }

    /// The address of the `UNICODE_STRING`.
    pub fn address(&self) -> u64 {
        let slot = self.slot.as_ref().expect("given back only when dropped");
        (slot.readable + PAGE - size_of::<CountedString>()) as u64
    }
}

impl Drop for GuestString {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.take() {
            FREE.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(slot);
        }
    }
}

/// What lies at `address`, for reports.
pub fn describe(address: u64) -> Option<&'static str> {
    let chunks = CHUNKS.lock().unwrap_or_else(PoisonError::into_inner);
    let chunk = chunks.iter().find(|chunk| chunk.contains(address))?;
    let offset = address - chunk.base() as u64;
    Some(if offset % SLOT_WITH_GUARD as u64 >= SLOT as u64 {
        "past the end of a string handed to the driver"
    } else {
        "a string handed to the driver, which is read-only"
    })
}

fn take() -> io::Result<Slot> {
    let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(slot) = free.pop() {
        return Ok(slot);
    }
    free.extend(make_chunk()?);
    Ok(free.pop().expect("a chunk has slots"))
}

fn write(slot: &Slot, offset: usize, bytes: &[u8]) {
    debug_assert!(offset + bytes.len() <= SLOT);
    // SAFETY: inside the slot's writable pages, which belong to the one
    // `GuestString` that holds the slot.
    unsafe {
        ptr::copy_nonoverlapping(
            bytes.as_ptr(),
            ptr::with_exposed_provenance_mut(slot.writable + offset),
            bytes.len(),
        );
    }
}

/// Makes slots that live as long as the process.
fn make_chunk() -> io::Result<Vec<Slot>> {
    let size = SLOT * SLOTS_PER_CHUNK;
    let file = memory_file(size)?;
    let writable = Reservation::new(size)?;
    writable.map_file(0, size, Protection::ReadWrite, file.as_raw_fd(), 0)?;
    let readable = Reservation::new(SLOT_WITH_GUARD * SLOTS_PER_CHUNK)?;
    let mut slots = Vec::with_capacity(SLOTS_PER_CHUNK);
    for index in 0..SLOTS_PER_CHUNK {
        let (from, to) = (index * SLOT, index * SLOT_WITH_GUARD);
        readable.map_file(to, SLOT, Protection::Read, file.as_raw_fd(), from)?;
        slots.push(Slot {
            writable: writable.base() + from,
            readable: readable.base() + to,
        });
    }
    std::mem::forget(writable);
    CHUNKS
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(readable);
    Ok(slots)
}

fn memory_file(size: usize) -> io::Result<OwnedFd> {
    // SAFETY: the name is a NUL-terminated string.
    let descriptor = unsafe { libc::memfd_create(c"ntsim-strings".as_ptr(), libc::MFD_CLOEXEC) };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new and owned by nothing else.
    let file = unsafe { OwnedFd::from_raw_fd(descriptor) };
    let size = libc::off_t::try_from(size).map_err(io::Error::other)?;
    // SAFETY: the descriptor is open.
    if unsafe { libc::ftruncate(file.as_raw_fd(), size) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mm::guest::{self, BadAddress};

    #[test]
    fn ends_at_a_guard_page_and_is_read_only() {
        for length in [0, 1, 5000, 32767] {
            let text = &vec![0x4e2d; length][..];
            let string = GuestString::new(text).unwrap();
            assert_eq!(guest::read_unicode_string(string.address()).unwrap(), text);
            let descriptor: CountedString = guest::read(string.address()).unwrap();
            assert_eq!(descriptor.maximum_length, descriptor.length);
            let end = descriptor.buffer + u64::from(descriptor.length);
            assert_eq!(guest::read::<u8>(end), Err(BadAddress(end)));
            let address = string.address();
            assert_eq!(guest::write(address, 0u16), Err(BadAddress(address)));
        }
    }

    #[test]
    fn slots_are_recycled() {
        let addresses: std::collections::HashSet<u64> = (0..10 * SLOTS_PER_CHUNK)
            .map(|_| GuestString::new(&[0x41; 3]).unwrap().address())
            .collect();
        // Other tests take slots meanwhile, so not exactly one.
        assert!(addresses.len() <= 2 * SLOTS_PER_CHUNK);
    }
}
