//! The checksum of an image, which the kernel's loader demands of drivers and
//! which signing changes.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use object::LittleEndian;
use object::read::pe::PeFile64;

use crate::check::computed_checksum;

/// Verifies that the checksum in an image is that of its bytes.
///
/// # Errors
///
/// It is not, or the file is no image.
pub fn verify(image: &Path) -> Result<()> {
    let bytes = fs::read(image).with_context(|| format!("cannot read {}", image.display()))?;
    let pe = PeFile64::parse(bytes.as_slice()).with_context(|| image.display().to_string())?;
    let stored = pe.nt_headers().optional_header.check_sum.get(LittleEndian);
    let computed = computed_checksum(&bytes)?;
    if stored != computed {
        bail!(
            "{}: checksum {stored:#x} is stored, {computed:#x} computed",
            image.display()
        );
    }
    Ok(())
}
