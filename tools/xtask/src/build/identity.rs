//! The image's identity: the same for the same code, wherever it was linked.
//!
//! `/BREPRO` takes the time out of an image, but lld still derives the GUID that
//! ties image and symbols together from the PDB file, and a PDB names the
//! folders that the linker worked in, one of them at random. So the GUID is
//! chosen here, from the image alone, and written into both files.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use object::LittleEndian as LE;
use object::pe::{IMAGE_DIRECTORY_ENTRY_DEBUG, ImageDebugDirectory};
use object::read::Object as _;
use object::read::pe::PeFile64;
use sha2::{Digest, Sha256};

use crate::check::{checksum_offset, computed_checksum};

/// Gives the image and its symbols an identity that depends on the image alone.
///
/// # Errors
///
/// When one of the files cannot be read or written, or they are not a pair.
pub fn derive(image: &Path, symbols: &Path) -> Result<()> {
    let mut bytes = read(image)?;
    let mut pdb = read(symbols)?;
    let places = Places::find(&bytes)
        .with_context(|| format!("cannot tell the identity of {}", image.display()))?;

    let old: [u8; 16] = bytes[places.guid..][..16].try_into()?;
    let in_symbols = only_occurrence(&pdb, &old)
        .with_context(|| format!("{} are not its symbols", symbols.display()))?;

    places.write(&mut bytes, &[0; 16], [0; 4]);
    let digest = Sha256::digest(&bytes);
    let guid: [u8; 16] = digest[..16].try_into()?;
    let stamp: [u8; 4] = digest[16..20].try_into()?;
    places.write(&mut bytes, &guid, stamp);
    let checksum = computed_checksum(&bytes)?;
    bytes[places.checksum..][..4].copy_from_slice(&checksum.to_le_bytes());
    pdb[in_symbols..][..16].copy_from_slice(&guid);

    write(image, &bytes)?;
    write(symbols, &pdb)
}

/// Where in the file an image says what it is.
struct Places {
    checksum: usize,
    guid: usize,
    stamps: Vec<usize>,
}

impl Places {
    fn find(image: &[u8]) -> Result<Self> {
        // In the file header, after the machine and the number of sections.
        const STAMP: usize = 4;
        let pe = PeFile64::parse(image)?;
        let directory = pe
            .data_directory(IMAGE_DIRECTORY_ENTRY_DEBUG)
            .context("there is no debug directory")?
            .data(pe.data(), &pe.section_table())?;
        let entries = object::pod::slice_from_all_bytes::<ImageDebugDirectory>(directory)
            .map_err(|()| anyhow::anyhow!("the debug directory is cut short"))?;
        let symbols = pe.pdb_info()?.context("the image names no symbols")?;

        let checksum = checksum_offset(image)?;
        let file_header = pe.dos_header().e_lfanew.get(LE) as usize + 4;
        let first_entry = offset_in(image, directory);
        let stamps = (0..entries.len())
            .map(|index| first_entry + index * size_of::<ImageDebugDirectory>() + STAMP)
            .chain([file_header + STAMP])
            .collect();
        let guid = symbols.guid();
        let guid = only_occurrence(image, &guid).context("its GUID is in it more than once")?;
        Ok(Self {
            checksum,
            guid,
            stamps,
        })
    }

    /// Writes an identity, and no checksum.
    fn write(&self, image: &mut [u8], guid: &[u8; 16], stamp: [u8; 4]) {
        image[self.guid..][..16].copy_from_slice(guid);
        for &place in &self.stamps {
            image[place..][..4].copy_from_slice(&stamp);
        }
        image[self.checksum..][..4].fill(0);
    }
}

fn offset_in(whole: &[u8], part: &[u8]) -> usize {
    part.as_ptr().addr() - whole.as_ptr().addr()
}

fn only_occurrence(whole: &[u8], part: &[u8; 16]) -> Result<usize> {
    let mut found = whole
        .windows(part.len())
        .enumerate()
        .filter(|(_, window)| window == part)
        .map(|(start, _)| start);
    match (found.next(), found.next()) {
        (Some(start), None) => Ok(start),
        (None, _) => bail!("the GUID is not there"),
        _ => bail!("the GUID is there more than once"),
    }
}

fn read(file: &Path) -> Result<Vec<u8>> {
    fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}

fn write(file: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(file, bytes).with_context(|| format!("cannot write {}", file.display()))
}
