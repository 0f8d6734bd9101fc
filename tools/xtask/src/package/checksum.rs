//! The checksum in the optional header of an image, which the kernel's loader
//! demands of drivers.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

/// Verifies that the checksum in an image is that of its bytes.
pub fn verify(image: &Path) -> Result<()> {
    let bytes = fs::read(image).with_context(|| format!("cannot read {}", image.display()))?;
    let (stated, computed) =
        checksums(&bytes).with_context(|| format!("{}: not a PE image", image.display()))?;
    if stated != computed {
        bail!(
            "{}: its checksum is {stated:#x}, of its bytes {computed:#x}",
            image.display()
        );
    }
    Ok(())
}

/// The checksum that an image states, and the one that its bytes have.
fn checksums(image: &[u8]) -> Option<(u32, u32)> {
    let word = |at: usize| Some(u32::from_le_bytes(*image.get(at..)?.first_chunk()?));
    // Past the signature and the file header, 64 bytes into the optional header.
    let field = usize::try_from(word(0x3c)?).ok()? + 4 + 20 + 64;
    let stated = word(field)?;

    let mut sum = 0_u32;
    for (at, pair) in (0..).step_by(2).zip(image.chunks(2)) {
        if (field..field + 4).contains(&at) {
            continue;
        }
        sum += u32::from(u16::from_le_bytes([pair[0], *pair.get(1).unwrap_or(&0)]));
        // The carry comes back in at the other end.
        sum = (sum & 0xffff) + (sum >> 16);
    }
    Some((stated, sum + u32::try_from(image.len()).ok()?))
}
