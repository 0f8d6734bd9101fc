//! Address space: reserved, then given to the driver page by page.

use std::io;
use std::os::fd::RawFd;
use std::ptr;

use crate::arch;

/// Bytes of a page.
pub const PAGE: usize = 4096;

/// Rounds up to whole pages.
pub const fn round_up(size: usize) -> usize {
    size.next_multiple_of(PAGE)
}

/// What a range of pages allows. Nothing is ever writable and executable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// Every access faults.
    None,
    /// Reads only.
    Read,
    /// Reads and writes.
    ReadWrite,
    /// Reads and instruction fetches.
    ReadExecute,
}

impl Protection {
    const fn flags(self) -> libc::c_int {
        match self {
            Self::None => libc::PROT_NONE,
            Self::Read => libc::PROT_READ,
            Self::ReadWrite => libc::PROT_READ | libc::PROT_WRITE,
            Self::ReadExecute => libc::PROT_READ | libc::PROT_EXEC,
        }
    }
}

/// A range of address space that belongs to this value. Every access to it
/// faults until a part is given another protection.
#[derive(Debug)]
pub struct Reservation {
    base: usize,
    size: usize,
}

impl Reservation {
    /// Reserves `size` bytes, rounded up to pages, anywhere.
    pub fn new(size: usize) -> io::Result<Self> {
        Self::map(0, round_up(size), 0)
    }

    /// Reserves `size` bytes at a random multiple of 64 KiB, as the loader of
    /// images wants it.
    pub fn at_random(size: usize) -> io::Result<Self> {
        const ATTEMPTS: usize = 64;
        let size = round_up(size);
        for _ in 0..ATTEMPTS {
            // Between 1 TiB and 65 TiB, away from what the host maps at either
            // end of its address space.
            let random = getrandom::u64().map_err(io::Error::other)?;
            let base = (0x100_0000_0000 + (random & 0x3fff_ffff_0000)) as usize;
            if let Ok(reservation) = Self::map(base, size, libc::MAP_FIXED_NOREPLACE) {
                return Ok(reservation);
            }
        }
        Self::new(size)
    }

    /// Reserves `size` bytes at a multiple of `alignment`, a power of two.
    pub fn aligned(size: usize, alignment: usize) -> io::Result<Self> {
        let size = round_up(size);
        let whole = Self::map(0, size + alignment, 0)?;
        let base = whole.base.next_multiple_of(alignment);
        let end = base + size;
        unmap(whole.base, base - whole.base);
        unmap(end, whole.base + whole.size - end);
        std::mem::forget(whole);
        Ok(Self { base, size })
    }

    fn map(base: usize, size: usize, flags: libc::c_int) -> io::Result<Self> {
        // SAFETY: maps new pages only: without MAP_FIXED the kernel never
        // replaces a mapping, and MAP_FIXED_NOREPLACE says so itself.
        let address = unsafe {
            libc::mmap(
                ptr::with_exposed_provenance_mut(base),
                size,
                libc::PROT_NONE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | flags,
                -1,
                0,
            )
        };
        if address == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let reservation = Self {
            base: address.expose_provenance(),
            size,
        };
        // Old kernels take MAP_FIXED_NOREPLACE for a mere hint.
        if base != 0 && reservation.base != base {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        Ok(reservation)
    }

    /// The first address.
    pub const fn base(&self) -> usize {
        self.base
    }

    /// The number of bytes.
    pub const fn size(&self) -> usize {
        self.size
    }

    /// Whether `address` lies inside.
    pub const fn contains(&self, address: u64) -> bool {
        address >= self.base as u64 && address - (self.base as u64) < self.size as u64
    }

    /// Gives `size` bytes from `offset` another protection. Pages that were
    /// never accessible before read as zero.
    ///
    /// # Panics
    /// When the range is not made of whole pages of this reservation.
    pub fn protect(&self, offset: usize, size: usize, protection: Protection) -> io::Result<()> {
        self.check(offset, size);
        // SAFETY: the range belongs to this reservation, whose pages hold
        // nothing that Rust knows of.
        let result = unsafe { libc::mprotect(self.at(offset), size, protection.flags()) };
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
        if protection == Protection::ReadExecute {
            // SAFETY: the pages are readable now.
            unsafe { arch::publish_code(self.at(offset).cast(), size) };
        }
        Ok(())
    }

    /// Takes `size` bytes from `offset` back: their contents are gone and
    /// every access faults.
    pub fn discard(&self, offset: usize, size: usize) -> io::Result<()> {
        self.replace(offset, size, Protection::None, None)
    }

    /// Shows `size` bytes of the file `descriptor` from `file_offset` at
    /// `offset`.
    pub fn map_file(
        &self,
        offset: usize,
        size: usize,
        protection: Protection,
        descriptor: RawFd,
        file_offset: usize,
    ) -> io::Result<()> {
        self.replace(offset, size, protection, Some((descriptor, file_offset)))
    }

    fn replace(
        &self,
        offset: usize,
        size: usize,
        protection: Protection,
        file: Option<(RawFd, usize)>,
    ) -> io::Result<()> {
        self.check(offset, size);
        let (flags, descriptor, file_offset) = match file {
            Some((descriptor, file_offset)) => (libc::MAP_SHARED, descriptor, file_offset),
            None => (
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
                -1,
                0,
            ),
        };
        let file_offset = libc::off_t::try_from(file_offset).map_err(io::Error::other)?;
        // SAFETY: replaces only pages that belong to this reservation.
        let address = unsafe {
            libc::mmap(
                self.at(offset),
                size,
                protection.flags(),
                flags | libc::MAP_FIXED,
                descriptor,
                file_offset,
            )
        };
        if address == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }

    fn check(&self, offset: usize, size: usize) {
        assert!(
            offset.is_multiple_of(PAGE)
                && size.is_multiple_of(PAGE)
                && offset.checked_add(size).is_some_and(|end| end <= self.size),
            "{size:#x} bytes at {offset:#x} are not pages of a reservation of {:#x}",
            self.size
        );
    }

    const fn at(&self, offset: usize) -> *mut libc::c_void {
        ptr::with_exposed_provenance_mut(self.base + offset)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        unmap(self.base, self.size);
    }
}

fn unmap(base: usize, size: usize) {
    if size == 0 {
        return;
    }
    // SAFETY: the range belongs to a reservation that gives it up.
    let result = unsafe { libc::munmap(ptr::with_exposed_provenance_mut(base), size) };
    debug_assert_eq!(result, 0, "munmap: {}", io::Error::last_os_error());
}

/// Puts `code` into executable memory that lives as long as the process, and
/// gives its address.
///
/// # Panics
/// When the system gives no memory, without which nothing can run.
pub fn make_code(code: &[u8]) -> u64 {
    let size = round_up(code.len());
    let pages = Reservation::new(size).expect("address space for a few pages");
    pages
        .protect(0, size, Protection::ReadWrite)
        .expect("memory for a few pages");
    // SAFETY: the pages are writable, new, and at least as long as `code`.
    unsafe {
        ptr::copy_nonoverlapping(code.as_ptr(), pages.at(0).cast::<u8>(), code.len());
    }
    pages
        .protect(0, size, Protection::ReadExecute)
        .expect("the system to allow executable memory");
    let base = pages.base() as u64;
    std::mem::forget(pages);
    base
}

/// Memory for one structure that a driver sees, which ends at a guard page.
#[derive(Debug)]
pub struct Guarded {
    pages: Reservation,
    start: usize,
    size: usize,
}

impl Guarded {
    /// Zeroed memory of `size` bytes, as near to the guard page as
    /// `alignment`, a power of two, allows.
    pub fn new(size: usize, alignment: usize) -> io::Result<Self> {
        let used = round_up(size.max(1));
        let pages = Reservation::new(used + PAGE)?;
        pages.protect(0, used, Protection::ReadWrite)?;
        let start = (pages.base() + used - size) & !(alignment - 1);
        Ok(Self { pages, start, size })
    }

    /// Memory that holds `bytes`.
    pub fn holding(bytes: &[u8], alignment: usize) -> io::Result<Self> {
        let memory = Self::new(bytes.len(), alignment)?;
        memory.write(0, bytes);
        Ok(memory)
    }

    /// Ends writing to it.
    pub fn read_only(self) -> io::Result<Self> {
        let used = self.pages.size() - PAGE;
        self.pages.protect(0, used, Protection::Read)?;
        Ok(self)
    }

    /// Its address.
    pub const fn address(&self) -> u64 {
        self.start as u64
    }

    /// Its size.
    pub const fn size(&self) -> usize {
        self.size
    }

    /// The whole pages that it lies in, without the guard page.
    pub fn slack(&self) -> (std::ops::Range<u64>, std::ops::Range<u64>) {
        let first = self.pages.base() as u64;
        let end = first + (self.pages.size() - PAGE) as u64;
        let start = self.address();
        (first..start, start + self.size as u64..end)
    }

    /// Writes `bytes` at `offset`.
    ///
    /// # Panics
    /// When they do not fit.
    pub fn write(&self, offset: usize, bytes: &[u8]) {
        assert!(offset + bytes.len() <= self.size, "write past the end");
        // SAFETY: inside this memory, which is writable until `read_only`
        // consumes the value, and which Rust holds no reference to.
        unsafe {
            ptr::copy_nonoverlapping(
                bytes.as_ptr(),
                ptr::with_exposed_provenance_mut(self.start + offset),
                bytes.len(),
            );
        }
    }

    /// Takes the contents away and makes every access fault.
    pub fn discard(&self) -> io::Result<()> {
        self.pages.discard(0, self.pages.size())
    }

    /// Whether `address` lies in its pages, the guard page among them.
    pub const fn contains(&self, address: u64) -> bool {
        self.pages.contains(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aligned_reservations_are_aligned() {
        let pages = Reservation::aligned(0x10000, 0x10000).unwrap();
        assert_eq!(pages.base() % 0x10000, 0);
        pages.protect(0xf000, PAGE, Protection::ReadWrite).unwrap();
    }

    #[test]
    fn images_land_at_different_addresses() {
        let one = Reservation::at_random(0x4000).unwrap();
        let other = Reservation::at_random(0x4000).unwrap();
        assert_ne!(one.base(), other.base());
        assert_eq!(one.base() % 0x10000, 0);
    }

    #[test]
    #[should_panic(expected = "are not pages of a reservation")]
    fn other_pages_cannot_be_protected() {
        let pages = Reservation::new(PAGE).unwrap();
        let _ = pages.protect(PAGE, PAGE, Protection::Read);
    }

    #[test]
    fn guarded_memory_ends_at_its_guard() {
        let memory = Guarded::holding(&[1, 2, 3, 4, 5, 6], 2).unwrap();
        assert_eq!((memory.address() + 6) % PAGE as u64, 0);
        let odd = Guarded::new(5, 2).unwrap();
        assert_eq!((odd.address() + 6) % PAGE as u64, 0);
    }
}
