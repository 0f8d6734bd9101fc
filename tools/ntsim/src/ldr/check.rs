//! Checks a driver's file before anything of it is used.
//!
//! The `object` crate reads the format; what a kernel additionally demands of
//! an image is checked here, so that the later steps need not doubt it.

use object::LittleEndian as LE;
use object::pe::{
    IMAGE_DIRECTORY_ENTRY_EXCEPTION, IMAGE_DIRECTORY_ENTRY_LOAD_CONFIG,
    IMAGE_DLLCHARACTERISTICS_FORCE_INTEGRITY, IMAGE_FILE_EXECUTABLE_IMAGE,
    IMAGE_FILE_RELOCS_STRIPPED, IMAGE_REL_BASED_ABSOLUTE, IMAGE_REL_BASED_DIR64,
    IMAGE_SCN_MEM_DISCARDABLE, IMAGE_SCN_MEM_EXECUTE, IMAGE_SCN_MEM_READ, IMAGE_SCN_MEM_WRITE,
    IMAGE_SUBSYSTEM_NATIVE, ImageNtHeaders64,
};
use object::read::pe::{ImageNtHeaders as _, ImageOptionalHeader as _, Import, PeFile64};

use super::image::{CheckedImage, ImageError, ImportedName, PdbReference, Section};
use super::unwind;
use crate::arch::{IMAGE_KIND, IMAGE_MACHINE};
use crate::mm::pages::{PAGE, Protection, round_up};

/// The largest image that is mapped; Windows drivers stay far below.
const IMAGE_LIMIT: u32 = 256 * 1024 * 1024;

/// The largest number of sections that Windows loads.
const SECTION_LIMIT: usize = 96;

/// More imports than any driver has; a bound for damaged tables.
const IMPORT_LIMIT: usize = 16 * 1024;

/// Refuses the image.
fn refuse<T>(cause: impl Into<String>) -> Result<T, ImageError> {
    Err(ImageError::Unsuitable(cause.into()))
}

impl<'data> CheckedImage<'data> {
    /// Checks the file `data`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(data: &'data [u8]) -> Result<Self, ImageError> {
        if data.is_empty() {
            return refuse("the file is empty");
        }
        if !data.starts_with(b"MZ") {
            return refuse("not a PE image: it does not begin with MZ");
        }
        let file = PeFile64::parse(data)?;
        let headers = check_headers(&file, data)?;
        let sections = check_sections(&file, data, headers.len())?;
        let optional = &file.nt_headers().optional_header;
        let entry = optional.address_of_entry_point.get(LE);
        check_entry(entry, &sections)?;
        let exceptions = file
            .data_directory(IMAGE_DIRECTORY_ENTRY_EXCEPTION)
            .map(|directory| (directory.virtual_address.get(LE), directory.size.get(LE)))
            .filter(|(_, size)| *size != 0);
        if let Some((address, size)) = exceptions {
            unwind::check(&sections, address, size)?;
        }
        let image = Self {
            preferred_base: optional.image_base(),
            size: optional.size_of_image(),
            entry,
            headers,
            relocations: relocations(&file, data, &sections)?,
            imports: imports(&file, &sections)?,
            force_integrity: optional
                .dll_characteristics()
                .contains(IMAGE_DLLCHARACTERISTICS_FORCE_INTEGRITY),
            exceptions,
            load_configuration: file
                .data_directory(IMAGE_DIRECTORY_ENTRY_LOAD_CONFIG)
                .map(|directory| directory.virtual_address.get(LE))
                .filter(|address| *address != 0),
            pdb: pdb_reference(&file),
            sections,
        };
        Ok(image)
    }
}

fn check_headers<'data>(
    file: &PeFile64<'data>,
    data: &'data [u8],
) -> Result<&'data [u8], ImageError> {
    let nt = file.nt_headers();
    let optional = nt.optional_header();
    let machine = nt.file_header.machine.get(LE).0;
    if machine != IMAGE_MACHINE {
        return refuse(format!(
            "built for machine {machine:#x}, and this kernel runs {IMAGE_KIND} drivers ({IMAGE_MACHINE:#x}): it takes an ntsim built for that processor"
        ));
    }
    if !nt
        .file_header
        .characteristics
        .get(LE)
        .contains(IMAGE_FILE_EXECUTABLE_IMAGE)
    {
        return refuse("not an executable image: the linker left errors in it");
    }
    let subsystem = optional.subsystem();
    if subsystem != IMAGE_SUBSYSTEM_NATIVE {
        return refuse(format!(
            "subsystem {subsystem} is not native: link a driver /SUBSYSTEM:NATIVE /DRIVER"
        ));
    }
    let section_alignment = optional.section_alignment();
    if section_alignment as usize != PAGE {
        return refuse(format!(
            "sections are aligned to {section_alignment:#x} bytes, not to pages of {PAGE:#x}"
        ));
    }
    let file_alignment = optional.file_alignment();
    if !file_alignment.is_power_of_two() || !(0x200..=0x10000).contains(&file_alignment) {
        return refuse(format!("file alignment {file_alignment:#x} is not allowed"));
    }
    let size = optional.size_of_image();
    if size == 0 || size > IMAGE_LIMIT {
        return refuse(format!(
            "the image wants {size:#x} bytes of address space; the limit is {IMAGE_LIMIT:#x}"
        ));
    }
    let base = optional.image_base();
    if !base.is_multiple_of(0x1_0000) || base.checked_add(size.into()).is_none() {
        return refuse(format!(
            "the preferred base {base:#x} is not one that an image can have"
        ));
    }
    let size = optional.size_of_headers() as usize;
    match data.get(..size) {
        Some(headers) if size != 0 => Ok(headers),
        _ => refuse("the headers go beyond the end of the file"),
    }
}

fn check_sections<'data>(
    file: &PeFile64<'data>,
    data: &'data [u8],
    headers: usize,
) -> Result<Vec<Section<'data>>, ImageError> {
    let table = file.section_table();
    if table.is_empty() || table.len() > SECTION_LIMIT {
        return refuse(format!(
            "{} sections; between 1 and {SECTION_LIMIT} are allowed",
            table.len()
        ));
    }
    let image_size = u64::from(file.nt_headers().optional_header.size_of_image());
    let mut end = round_up(headers) as u64;
    let mut sections = Vec::with_capacity(table.len());
    for header in table.iter() {
        let name = String::from_utf8_lossy(header.raw_name()).into_owned();
        let section = check_section(name, header, data)?;
        let address = u64::from(section.address);
        if address < end {
            return refuse(format!(
                "section {} overlaps what comes before it",
                section.name
            ));
        }
        end = address + u64::from(section.size);
        if end > image_size.next_multiple_of(PAGE as u64) {
            return refuse(format!(
                "section {} goes beyond the image's size",
                section.name
            ));
        }
        sections.push(section);
    }
    Ok(sections)
}

fn check_section<'data>(
    name: String,
    header: &object::pe::ImageSectionHeader,
    data: &'data [u8],
) -> Result<Section<'data>, ImageError> {
    let address = header.virtual_address.get(LE);
    if !address.is_multiple_of(PAGE as u32) {
        return refuse(format!("section {name} does not begin at a page"));
    }
    let raw_size = header.size_of_raw_data.get(LE);
    let raw_start = header.pointer_to_raw_data.get(LE) as usize;
    let size = match header.virtual_size.get(LE) {
        0 => raw_size,
        size => size,
    };
    if size == 0 || size > IMAGE_LIMIT {
        return refuse(format!("section {name} has a size of {size:#x}"));
    }
    let raw = raw_start
        .checked_add(raw_size as usize)
        .and_then(|raw_end| data.get(raw_start..raw_end));
    let Some(raw) = raw else {
        return refuse(format!("section {name} goes beyond the end of the file"));
    };
    let characteristics = header.characteristics.get(LE);
    let has = |flag| characteristics.contains(flag);
    let protection = match (
        has(IMAGE_SCN_MEM_READ),
        has(IMAGE_SCN_MEM_WRITE),
        has(IMAGE_SCN_MEM_EXECUTE),
    ) {
        (_, true, true) => {
            return refuse(format!("section {name} is writable and executable"));
        }
        (_, false, true) => Protection::ReadExecute,
        (_, true, false) => Protection::ReadWrite,
        (true, false, false) => Protection::Read,
        (false, false, false) => Protection::None,
    };
    Ok(Section {
        address,
        size: size.next_multiple_of(PAGE as u32),
        data: &raw[..raw.len().min(size as usize)],
        protection,
        discardable: has(IMAGE_SCN_MEM_DISCARDABLE),
        name,
    })
}

fn check_entry(entry: u32, sections: &[Section<'_>]) -> Result<(), ImageError> {
    if entry == 0 {
        return refuse("no entry point: link with /ENTRY:DriverEntry");
    }
    match section_of(entry, 1, sections) {
        Some(section) if section.protection == Protection::ReadExecute => Ok(()),
        Some(section) => refuse(format!(
            "the entry point is in section {}, which is not executable",
            section.name
        )),
        None => refuse("the entry point is outside every section"),
    }
}

/// The section that holds all `size` bytes from `address`.
fn section_of<'a, 'data>(
    address: u32,
    size: u32,
    sections: &'a [Section<'data>],
) -> Option<&'a Section<'data>> {
    sections.iter().find(|section| {
        address >= section.address
            && u64::from(address) + u64::from(size)
                <= u64::from(section.address) + u64::from(section.size)
    })
}

fn relocations(
    file: &PeFile64<'_>,
    data: &[u8],
    sections: &[Section<'_>],
) -> Result<Vec<u32>, ImageError> {
    let blocks = file
        .data_directories()
        .relocation_blocks(data, &file.section_table())?;
    let mut relocations = Vec::new();
    let Some(mut blocks) = blocks else {
        // Code without absolute addresses needs none.
        let characteristics = file.nt_headers().file_header.characteristics.get(LE);
        if characteristics.contains(IMAGE_FILE_RELOCS_STRIPPED) {
            return refuse(
                "its relocations were stripped, so it cannot be moved: link without /FIXED",
            );
        }
        return Ok(relocations);
    };
    while let Some(block) = blocks.next()? {
        for relocation in block {
            match relocation.typ {
                IMAGE_REL_BASED_ABSOLUTE => continue,
                IMAGE_REL_BASED_DIR64 => {}
                other => return refuse(format!("relocation of type {other} in a 64-bit image")),
            }
            let address = relocation.virtual_address;
            if section_of(address, 8, sections).is_none() {
                return refuse(format!(
                    "a relocation at {address:#x} is outside every section"
                ));
            }
            relocations.push(address);
        }
    }
    Ok(relocations)
}

fn imports(file: &PeFile64<'_>, sections: &[Section<'_>]) -> Result<Vec<ImportedName>, ImageError> {
    let mut imports = Vec::new();
    let Some(table) = file.import_table()? else {
        return Ok(imports);
    };
    let mut descriptors = table.descriptors()?;
    while let Some(descriptor) = descriptors.next()? {
        let module = text(table.name(descriptor.name.get(LE))?);
        let mut slot = descriptor.first_thunk.get(LE);
        let names = match descriptor.original_first_thunk.get(LE) {
            0 => slot,
            names => names,
        };
        let mut thunks = table.thunks(names)?;
        while let Some(thunk) = thunks.next::<ImageNtHeaders64>()? {
            let name = match table.import::<ImageNtHeaders64>(thunk)? {
                Import::Name(_, name) => text(name),
                Import::Ordinal(ordinal) => {
                    return refuse(format!(
                        "imports number {ordinal} of {module}; only imports by name are bound"
                    ));
                }
            };
            if section_of(slot, 8, sections).is_none() {
                return refuse(format!(
                    "the slot of import {name} at {slot:#x} is outside every section"
                ));
            }
            if imports.len() == IMPORT_LIMIT {
                return refuse(format!("more than {IMPORT_LIMIT} imports"));
            }
            imports.push(ImportedName {
                module: module.clone(),
                name,
                slot,
            });
            slot = slot.saturating_add(8);
        }
    }
    Ok(imports)
}

/// A name from the image, shortened and made printable: it may end up in an
/// error message.
fn text(name: &[u8]) -> String {
    const LONGEST: usize = 256;
    name[..name.len().min(LONGEST)].escape_ascii().to_string()
}

fn pdb_reference(file: &PeFile64<'_>) -> Option<PdbReference> {
    use object::Object as _;
    // Debug information that cannot be read is none: the driver runs anyway.
    let code_view = file.pdb_info().ok()??;
    Some(PdbReference {
        path: String::from_utf8_lossy(code_view.path()).into_owned(),
        guid: code_view.guid(),
    })
}
