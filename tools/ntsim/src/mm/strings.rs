//! Strings that the kernel hands to drivers.
//!
//! Each ends exactly at a guard page, is read-only for the driver and has no
//! NUL behind it, so reading past `Length` or writing faults. The memory is
//! recycled: a buffer is a file's pages mapped twice, writable for the host and
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
const BUFFER: usize = PAGE + round_up(UNICODE_STRING_LIMIT);
const BUFFER_WITH_GUARD: usize = BUFFER + PAGE;
const BUFFERS_PER_CHUNK: usize = 16;

/// Memory that a string is put in.
struct StringBuffer {
    writable: usize,
    readable: usize,
}

static FREE: Mutex<Vec<StringBuffer>> = Mutex::new(Vec::new());

/// Where drivers see the buffers.
static CHUNKS: Mutex<Vec<Reservation>> = Mutex::new(Vec::new());

/// A `UNICODE_STRING` that a driver can read while this value lives.
pub struct GuestString {
    memory: Option<StringBuffer>,
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
        let memory = take()?;
        let start = BUFFER - bytes.len();
        let descriptor = CountedString::new((memory.readable + start) as u64, length);
        write(&memory, start, bytes);
        write(
            &memory,
            PAGE - size_of::<CountedString>(),
            bytemuck::bytes_of(&descriptor),
        );
        Ok(Self {
            memory: Some(memory),
        })
    }

    /// Hands out a string of any shape. What of its buffer is not to be read
    /// is not there, as far as a page's end can be where the buffer ends.
    ///
    /// # Errors
    /// When the system has no memory for more strings.
    pub fn raw(string: &RawString) -> io::Result<Self> {
        let memory = take()?;
        let buffer = match &string.buffer {
            RawBuffer::Null => 0,
            RawBuffer::Aligned(bytes) => {
                let start = (BUFFER - bytes.len()) & !1;
                write(&memory, start, bytes);
                memory.readable + start
            }
            RawBuffer::Misaligned(bytes) => {
                let start = (BUFFER - bytes.len() - 1) | 1;
                write(&memory, start, bytes);
                memory.readable + start
            }
        };
        let descriptor = CountedString {
            length: string.length,
            maximum_length: string.maximum_length,
            padding: 0,
            buffer: buffer as u64,
        };
        write(
            &memory,
            PAGE - size_of::<CountedString>(),
            bytemuck::bytes_of(&descriptor),
        );
        Ok(Self {
            memory: Some(memory),
        })
    }

    /// The address of the `UNICODE_STRING`.
    pub fn address(&self) -> u64 {
        let memory = self.memory.as_ref().expect("given back only when dropped");
        (memory.readable + PAGE - size_of::<CountedString>()) as u64
    }
}

impl Drop for GuestString {
    fn drop(&mut self) {
        if let Some(memory) = self.memory.take() {
            FREE.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(memory);
        }
    }
}

/// What lies at `address`, for reports.
pub fn describe(address: u64) -> Option<&'static str> {
    let chunks = CHUNKS.lock().unwrap_or_else(PoisonError::into_inner);
    let chunk = chunks.iter().find(|chunk| chunk.contains(address))?;
    let offset = address - chunk.base() as u64;
    Some(if offset % BUFFER_WITH_GUARD as u64 >= BUFFER as u64 {
        "past the end of a string handed to the driver"
    } else {
        "a string handed to the driver, which is read-only"
    })
}

fn take() -> io::Result<StringBuffer> {
    let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(memory) = free.pop() {
        return Ok(memory);
    }
    free.extend(make_chunk()?);
    Ok(free.pop().expect("a chunk has buffers"))
}

fn write(memory: &StringBuffer, offset: usize, bytes: &[u8]) {
    debug_assert!(offset + bytes.len() <= BUFFER);
    // SAFETY: inside the buffer's writable pages, which belong to the one
    // `GuestString` that holds it.
    unsafe {
        ptr::copy_nonoverlapping(
            bytes.as_ptr(),
            ptr::with_exposed_provenance_mut(memory.writable + offset),
            bytes.len(),
        );
    }
}

/// Makes buffers that live as long as the process.
fn make_chunk() -> io::Result<Vec<StringBuffer>> {
    let size = BUFFER * BUFFERS_PER_CHUNK;
    let file = memory_file(size)?;
    let writable = Reservation::new(size)?;
    writable.map_file(0, size, Protection::ReadWrite, file.as_raw_fd(), 0)?;
    let readable = Reservation::new(BUFFER_WITH_GUARD * BUFFERS_PER_CHUNK)?;
    let mut buffers = Vec::with_capacity(BUFFERS_PER_CHUNK);
    for index in 0..BUFFERS_PER_CHUNK {
        let (from, to) = (index * BUFFER, index * BUFFER_WITH_GUARD);
        readable.map_file(to, BUFFER, Protection::Read, file.as_raw_fd(), from)?;
        buffers.push(StringBuffer {
            writable: writable.base() + from,
            readable: readable.base() + to,
        });
    }
    std::mem::forget(writable);
    CHUNKS
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(readable);
    Ok(buffers)
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
    fn buffers_are_recycled() {
        let addresses: std::collections::HashSet<u64> = (0..10 * BUFFERS_PER_CHUNK)
            .map(|_| GuestString::new(&[0x41; 3]).unwrap().address())
            .collect();
        // Other tests take buffers meanwhile, so not exactly one.
        assert!(addresses.len() <= 2 * BUFFERS_PER_CHUNK);
    }
}
