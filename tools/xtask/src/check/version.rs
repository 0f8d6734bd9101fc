//! The version resource of an image, as Explorer and the debugger read it.

use object::LittleEndian as LE;
use object::read::pe::{PeFile64, ResourceDirectoryEntryData};

/// `VFT_DRV`: the file type of a driver.
pub const DRIVER: u32 = 3;

const RT_VERSION: u16 = 16;
/// What `VS_FIXEDFILEINFO` begins with.
const SIGNATURE: u32 = 0xfeef_04bd;

/// What `VS_FIXEDFILEINFO` says.
pub struct Version {
    /// Major, minor, patch, and a fourth number that this project leaves zero.
    pub number: [u32; 4],
    /// One of the `VFT_` constants.
    pub kind: u32,
}

/// The version that an image states, or `None` where it states none.
///
/// # Errors
///
/// When the image's resources are malformed.
pub fn of(image: &PeFile64<'_>) -> object::Result<Option<Version>> {
    let sections = image.section_table();
    let Some(directory) = image
        .data_directories()
        .resource_directory(image.data(), &sections)?
    else {
        return Ok(None);
    };
    let mut table = directory.root()?;
    let Some(kind) = table
        .entries
        .iter()
        .find(|entry| entry.name_or_id().id() == Some(RT_VERSION))
    else {
        return Ok(None);
    };
    // Below the type come the resource's number and its language; a driver has
    // one of each.
    let mut entry = kind.data(directory)?;
    let data = loop {
        match entry {
            ResourceDirectoryEntryData::Table(below) => table = below,
            ResourceDirectoryEntryData::Data(data) => break data,
        }
        let Some(first) = table.entries.first() else {
            return Ok(None);
        };
        entry = first.data(directory)?;
    };
    let address = data.offset_to_data.get(LE);
    // What lies outside of the image states no version.
    let bytes = sections.pe_data_at(image.data(), address).unwrap_or(&[]);
    let bytes = bytes.get(..data.size.get(LE) as usize).unwrap_or(&[]);
    let words: Vec<u32> = bytes
        .chunks_exact(4)
        .map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]))
        .collect();
    let Some(start) = words.iter().position(|word| *word == SIGNATURE) else {
        return Ok(None);
    };
    let word = |index: usize| words.get(start + index).copied().unwrap_or(0);
    let halves = |word: u32| [word >> 16, word & 0xffff];
    let [major, minor] = halves(word(2));
    let [patch, fourth] = halves(word(3));
    Ok(Some(Version {
        number: [major, minor, patch, fourth],
        kind: word(9),
    }))
}
