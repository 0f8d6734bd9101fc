//! Maps a checked image: at a random base, relocated, bound, and with each
//! section's own protection.

use std::io;

use super::image::{CheckedImage, ImageError};
use crate::mm::pages::{PAGE, Protection, Reservation, round_up};

/// The modules that a kernel driver may import from; this kernel provides the
/// routines of all of them as one.
const KERNEL_MODULES: [&str; 2] = ["ntoskrnl.exe", "hal.dll"];

/// What the linker puts where the loader is to put a random number.
const DEFAULT_SECURITY_COOKIE: u64 = 0x2b99_2ddf_a232;

/// `SecurityCookie` in a 64-bit load configuration.
const SECURITY_COOKIE_OFFSET: u32 = 88;

/// An image in memory.
#[derive(Debug)]
pub struct MappedImage {
    pages: Reservation,
    /// Offset and size of what is thrown away after `DriverEntry`.
    discardable: Vec<(usize, usize)>,
}

/// Where an import of this name leads, if anywhere.
pub type Resolve<'a> = &'a dyn Fn(&str) -> Option<u64>;

impl MappedImage {
    /// Maps `image`, with its imports bound by `resolve`.
    ///
    /// # Errors
    /// When an import is not there, or the system has no memory.
    pub fn new(image: &CheckedImage<'_>, resolve: Resolve<'_>) -> Result<Self, ImageError> {
        let bindings = bind(image, resolve)?;
        let unsuitable =
            |error: io::Error| ImageError::Unsuitable(format!("cannot be mapped: {error}"));
        let pages = Reservation::at_random(image.size as usize).map_err(unsuitable)?;
        let mapped = Self {
            pages,
            discardable: image
                .sections
                .iter()
                .filter(|section| section.discardable)
                .map(|section| (section.address as usize, section.size as usize))
                .collect(),
        };
        mapped.fill(image).map_err(unsuitable)?;
        mapped.relocate(image);
        for (slot, address) in bindings {
            mapped.write(slot, address);
        }
        mapped.seed_security_cookie(image).map_err(unsuitable)?;
        mapped.protect(image).map_err(unsuitable)?;
        Ok(mapped)
    }

    /// The first address.
    #[must_use]
    pub const fn base(&self) -> u64 {
        self.pages.base() as u64
    }

    /// Bytes of address space.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.pages.size()
    }

    /// Throws away what only `DriverEntry` needed, as the kernel does.
    ///
    /// # Errors
    /// What the system said.
    pub fn discard_initialization(&self) -> io::Result<()> {
        for (offset, size) in &self.discardable {
            self.pages.discard(*offset, *size)?;
        }
        Ok(())
    }

    /// Throws everything away; the address space stays reserved, so that a
    /// call into it faults and can be named.
    ///
    /// # Errors
    /// What the system said.
    pub fn unload(&self) -> io::Result<()> {
        self.pages.discard(0, self.pages.size())
    }

    fn fill(&self, image: &CheckedImage<'_>) -> io::Result<()> {
        let headers = round_up(image.headers.len());
        self.pages.protect(0, headers, Protection::ReadWrite)?;
        self.copy(0, image.headers);
        for section in &image.sections {
            let (address, size) = (section.address as usize, section.size as usize);
            self.pages.protect(address, size, Protection::ReadWrite)?;
            self.copy(address, section.data);
        }
        Ok(())
    }

    fn copy(&self, offset: usize, bytes: &[u8]) {
        let target = std::ptr::with_exposed_provenance_mut::<u8>(self.pages.base() + offset);
        // SAFETY: the checks of `CheckedImage` put headers and sections inside
        // the image, and `fill` has just made their pages writable.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), target, bytes.len()) };
    }

    fn relocate(&self, image: &CheckedImage<'_>) {
        let delta = self.base().wrapping_sub(image.preferred_base);
        for offset in &image.relocations {
            self.write(*offset, self.read(*offset).wrapping_add(delta));
        }
    }

    /// `/GS` code compares against a value that must differ on every load.
    fn seed_security_cookie(&self, image: &CheckedImage<'_>) -> io::Result<()> {
        let inside = |address: u32| {
            image.sections.iter().any(|section| {
                address >= section.address
                    && u64::from(address) + 8
                        <= u64::from(section.address) + u64::from(section.size)
            })
        };
        let field = image
            .load_configuration
            .and_then(|address| address.checked_add(SECURITY_COOKIE_OFFSET))
            .filter(|address| inside(*address));
        let Some(field) = field else { return Ok(()) };
        let cookie = self.read(field).wrapping_sub(self.base());
        let Ok(cookie) = u32::try_from(cookie) else {
            return Ok(());
        };
        if inside(cookie) && self.read(cookie) == DEFAULT_SECURITY_COOKIE {
            let random = getrandom::u64().map_err(io::Error::other)?;
            // The upper 16 bits are zero, as compilers expect of a cookie.
            self.write(cookie, random >> 16);
        }
        Ok(())
    }

    fn protect(&self, image: &CheckedImage<'_>) -> io::Result<()> {
        let headers = round_up(image.headers.len());
        self.pages.protect(0, headers, Protection::Read)?;
        for section in &image.sections {
            let (address, size) = (section.address as usize, section.size as usize);
            self.pages.protect(address, size, section.protection)?;
        }
        debug_assert!(self.pages.base().is_multiple_of(PAGE));
        Ok(())
    }

    fn read(&self, offset: u32) -> u64 {
        let source = self.pages.base() + offset as usize;
        // SAFETY: callers have checked that eight bytes lie in a section,
        // whose pages are readable until `protect`.
        unsafe { std::ptr::with_exposed_provenance::<u64>(source).read_unaligned() }
    }

    fn write(&self, offset: u32, value: u64) {
        let target = self.pages.base() + offset as usize;
        // SAFETY: as for `read`; the pages are writable until `protect`.
        unsafe { std::ptr::with_exposed_provenance_mut::<u64>(target).write_unaligned(value) };
    }
}

/// Finds all imports, or names the ones that are not there.
fn bind(image: &CheckedImage<'_>, resolve: Resolve<'_>) -> Result<Vec<(u32, u64)>, ImageError> {
    let mut missing = Vec::new();
    let mut bindings = Vec::with_capacity(image.imports.len());
    for import in &image.imports {
        let known = KERNEL_MODULES
            .iter()
            .any(|module| module.eq_ignore_ascii_case(&import.module));
        match resolve(&import.name) {
            Some(address) if known => bindings.push((import.slot, address)),
            _ => missing.push(format!("{} of {}", import.name, import.module)),
        }
    }
    if missing.is_empty() {
        return Ok(bindings);
    }
    Err(ImageError::Unsuitable(format!(
        "imports what this kernel does not have: {}",
        missing.join(", ")
    )))
}
