//! What Windows' mitigations ask of an image.

use object::LittleEndian as LE;
use object::pe::{
    IMAGE_DEBUG_TYPE_REPRO, IMAGE_DIRECTORY_ENTRY_EXPORT, IMAGE_DIRECTORY_ENTRY_LOAD_CONFIG,
    IMAGE_DLLCHARACTERISTICS_GUARD_CF, IMAGE_GUARD_CF_FUNCTION_TABLE_PRESENT,
    IMAGE_GUARD_CF_INSTRUMENTED, IMAGE_SCN_MEM_DISCARDABLE, IMAGE_SCN_MEM_EXECUTE,
    ImageDebugDirectory, ImageLoadConfigDirectory64, ImageSectionHeader,
};
use object::read::Object as _;
use object::read::pe::PeFile64;

use super::image::Image;
use super::rules::{FUNCTIONS, Rule, has_characteristic, text};

/// The rules of this file for every processor, in the order of the report.
pub const RULES: &[Rule] = &[
    Rule {
        name: "indirect calls guarded, their targets listed (/guard:cf)",
        check: guarded,
    },
    Rule {
        name: "sections on pages of their own",
        check: page_aligned,
    },
    Rule {
        name: "initialisation in a discardable section",
        check: discardable_init,
    },
    Rule {
        name: "no exports",
        check: no_exports,
    },
    Rule {
        name: "no time and no folder in the image (/BREPRO, /PDBALTPATH)",
        check: reproducible,
    },
];

/// The rules of this file that ask for what x64 processors alone have.
pub const X64_RULES: &[Rule] = &[Rule {
    name: "shadow stacks supported (/CETCOMPAT)",
    check: shadow_stacks,
}];

const PAGE: u32 = 0x1000;

/// The type of the debug directory's entry that holds more characteristics.
const IMAGE_DEBUG_TYPE_EX_DLLCHARACTERISTICS: u32 = 20;
const IMAGE_DLLCHARACTERISTICS_EX_CET_COMPAT: u32 = 1;

fn guarded(image: &Image) -> Result<(), String> {
    has_characteristic(image, IMAGE_DLLCHARACTERISTICS_GUARD_CF)?;
    let pe = image.pe().map_err(text)?;
    let config = load_config(&pe)?;
    let flags = config.guard_flags.get(LE);
    let wanted = IMAGE_GUARD_CF_INSTRUMENTED | IMAGE_GUARD_CF_FUNCTION_TABLE_PRESENT;
    if flags & wanted != wanted {
        return Err(format!("GuardFlags is {flags:#x}, without {wanted:#x}"));
    }
    for (name, pointer) in [
        (
            "GuardCFCheckFunctionPointer",
            &config.guard_cf_check_function_pointer,
        ),
        (
            "GuardCFDispatchFunctionPointer",
            &config.guard_cf_dispatch_function_pointer,
        ),
    ] {
        if at_address(&pe, pointer.get(LE), 8).is_none() {
            return Err(format!("{name} points nowhere"));
        }
    }

    let count = config.guard_cf_function_count.get(LE);
    let table = usize::try_from(count)
        .ok()
        .and_then(|count| count.checked_mul(4))
        .and_then(|bytes| at_address(&pe, config.guard_cf_function_table.get(LE), bytes))
        .ok_or("the table of functions lies outside the image")?;
    let targets: Vec<_> = table
        .chunks_exact(4)
        .map(|rva| u32::from_le_bytes([rva[0], rva[1], rva[2], rva[3]]))
        .collect();
    if !targets.is_sorted() {
        return Err("the table of functions is not sorted".to_owned());
    }
    if let Some(target) = targets.iter().find(|&&rva| !is_code(&pe, rva)) {
        return Err(format!("{target:#x} in the table of functions is no code"));
    }
    let called_by_address = image
        .symbols
        .functions
        .iter()
        .filter(|(name, _)| FUNCTIONS.iter().any(|function| name.starts_with(function)));
    for (name, rva) in called_by_address {
        if targets.binary_search(rva).is_err() {
            return Err(format!("{name} is not in the table of functions"));
        }
    }
    Ok(())
}

fn shadow_stacks(image: &Image) -> Result<(), String> {
    let pe = image.pe().map_err(text)?;
    let entry = debug_entry(&pe, IMAGE_DEBUG_TYPE_EX_DLLCHARACTERISTICS)?;
    let flags = usize::try_from(entry.pointer_to_raw_data.get(LE))
        .ok()
        .and_then(|start| image.bytes.get(start..)?.first_chunk())
        .map_or(0, |bytes| u32::from_le_bytes(*bytes));
    if flags & IMAGE_DLLCHARACTERISTICS_EX_CET_COMPAT == 0 {
        return Err(format!("the extended characteristics are {flags:#x}"));
    }
    Ok(())
}

fn page_aligned(image: &Image) -> Result<(), String> {
    let header = image.optional_header().map_err(text)?;
    let alignment = header.section_alignment.get(LE);
    if alignment < PAGE {
        return Err(format!("SectionAlignment is {alignment:#x}"));
    }
    for section in image.pe().map_err(text)?.section_table().iter() {
        let address = section.virtual_address.get(LE);
        if address % PAGE != 0 {
            return Err(format!("{} begins at {address:#x}", name(section)));
        }
    }
    Ok(())
}

fn discardable_init(image: &Image) -> Result<(), String> {
    let pe = image.pe().map_err(text)?;
    let sections = pe.section_table();
    let init = sections
        .iter()
        .find(|section| name(section) == "INIT")
        .ok_or("there is no INIT section")?;
    let characteristics = init.characteristics.get(LE);
    let wanted = IMAGE_SCN_MEM_DISCARDABLE | IMAGE_SCN_MEM_EXECUTE;
    if characteristics & wanted != wanted {
        return Err(format!("INIT has the characteristics {characteristics:#x}"));
    }
    let entry = image
        .optional_header()
        .map_err(text)?
        .address_of_entry_point
        .get(LE);
    if !init.contains_rva(entry) {
        return Err(format!("the entry at {entry:#x} is not in it"));
    }
    Ok(())
}

fn no_exports(image: &Image) -> Result<(), String> {
    let pe = image.pe().map_err(text)?;
    match pe.data_directory(IMAGE_DIRECTORY_ENTRY_EXPORT) {
        Some(directory) if directory.virtual_address.get(LE) != 0 => {
            let names: Vec<_> = pe
                .exports()
                .map_err(text)?
                .iter()
                .map(|export| String::from_utf8_lossy(export.name()).into_owned())
                .collect();
            Err(format!("the image has exports: {}", names.join(", ")))
        }
        _ => Ok(()),
    }
}

fn reproducible(image: &Image) -> Result<(), String> {
    let pe = image.pe().map_err(text)?;
    debug_entry(&pe, IMAGE_DEBUG_TYPE_REPRO)?;
    let symbols = pe
        .pdb_info()
        .map_err(text)?
        .ok_or("the image names no symbols")?;
    let path = String::from_utf8_lossy(symbols.path());
    if path.contains(['/', '\\']) {
        return Err(format!("the symbols are named {path}"));
    }
    Ok(())
}

fn load_config<'a>(pe: &PeFile64<'a>) -> Result<&'a ImageLoadConfigDirectory64, String> {
    let directory = pe
        .data_directory(IMAGE_DIRECTORY_ENTRY_LOAD_CONFIG)
        .ok_or("there is no load configuration")?;
    let data = directory
        .data(pe.data(), &pe.section_table())
        .map_err(text)?;
    let (config, _) =
        object::pod::from_bytes(data).map_err(|()| "the load configuration is cut short")?;
    Ok(config)
}

fn debug_entry<'a>(pe: &PeFile64<'a>, kind: u32) -> Result<&'a ImageDebugDirectory, String> {
    use object::pe::IMAGE_DIRECTORY_ENTRY_DEBUG;
    let directory = pe
        .data_directory(IMAGE_DIRECTORY_ENTRY_DEBUG)
        .ok_or("there is no debug directory")?;
    let data = directory
        .data(pe.data(), &pe.section_table())
        .map_err(text)?;
    let entries = object::pod::slice_from_all_bytes::<ImageDebugDirectory>(data)
        .map_err(|()| "the debug directory is cut short")?;
    entries
        .iter()
        .find(|entry| entry.typ.get(LE) == kind)
        .ok_or_else(|| format!("the debug directory has no entry of type {kind}"))
}

/// The `length` bytes of the image that lie at a virtual address.
fn at_address<'a>(pe: &PeFile64<'a>, address: u64, length: usize) -> Option<&'a [u8]> {
    let rva = u32::try_from(address.checked_sub(pe.relative_address_base())?).ok()?;
    pe.section_table().pe_data_at(pe.data(), rva)?.get(..length)
}

fn is_code(pe: &PeFile64, rva: u32) -> bool {
    pe.section_table()
        .section_containing(rva)
        .is_some_and(|section| section.characteristics.get(LE) & IMAGE_SCN_MEM_EXECUTE != 0)
}

fn name(section: &ImageSectionHeader) -> String {
    String::from_utf8_lossy(section.raw_name()).into_owned()
}
