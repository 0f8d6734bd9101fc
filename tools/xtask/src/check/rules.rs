//! What has to hold of the release image.

use object::LittleEndian as LE;
use object::pe::{
    IMAGE_DLLCHARACTERISTICS_DYNAMIC_BASE, IMAGE_DLLCHARACTERISTICS_FORCE_INTEGRITY,
    IMAGE_DLLCHARACTERISTICS_NX_COMPAT, IMAGE_SCN_MEM_EXECUTE, IMAGE_SCN_MEM_WRITE,
    IMAGE_SUBSYSTEM_NATIVE, ImageNtHeaders64,
};
use object::read::Object as _;
use object::read::pe::ImageThunkData as _;

use super::image::Image;
use super::imports;
use super::version;
use crate::repository;

/// One thing that has to hold.
pub struct Rule {
    /// What a reader of the report calls it.
    pub name: &'static str,
    /// Fails with the reason.
    pub check: fn(&Image) -> Result<(), String>,
}

/// The rules of this file, in the order of the report.
pub const RULES: &[Rule] = &[
    Rule {
        name: "image for the processor and the native subsystem",
        check: native,
    },
    Rule {
        name: "signature enforced (/INTEGRITYCHECK)",
        check: |image| has_characteristic(image, IMAGE_DLLCHARACTERISTICS_FORCE_INTEGRITY),
    },
    Rule {
        name: "data never executed (/NXCOMPAT)",
        check: |image| has_characteristic(image, IMAGE_DLLCHARACTERISTICS_NX_COMPAT),
    },
    Rule {
        name: "loaded at a random address (/DYNAMICBASE)",
        check: |image| has_characteristic(image, IMAGE_DLLCHARACTERISTICS_DYNAMIC_BASE),
    },
    Rule {
        name: "no section both writable and executable",
        check: no_writable_code,
    },
    Rule {
        name: "checksum valid (/RELEASE)",
        check: checksum,
    },
    Rule {
        name: "at most 16 KiB",
        check: small,
    },
    Rule {
        name: "imports exactly the expected routines",
        check: expected_imports,
    },
    Rule {
        name: "version resource of this version",
        check: this_version,
    },
    Rule {
        name: "symbols belong to the image",
        check: symbols_match,
    },
    Rule {
        name: "starts at DriverEntry",
        check: starts_at_driver_entry,
    },
    Rule {
        name: "symbols name the driver's functions",
        check: functions_named,
    },
];

/// The functions that the kernel calls by address, which no optimisation can
/// remove: a debugger sets breakpoints on them by these names.
pub(super) const FUNCTIONS: &[&str] = &[
    "procmon::driver_entry",
    "procmon::driver_unload",
    "procmon::nt::notify::notify",
];

const SIZE_LIMIT: usize = 16 * 1024;

fn native(image: &Image) -> Result<(), String> {
    let machine = image.file_header().map_err(text)?.machine.get(LE);
    if machine != image.arch.machine() {
        return Err(format!("the machine is {machine:#x}"));
    }
    let subsystem = image.optional_header().map_err(text)?.subsystem.get(LE);
    if subsystem != IMAGE_SUBSYSTEM_NATIVE {
        return Err(format!("the subsystem is {subsystem}"));
    }
    Ok(())
}

pub(super) fn has_characteristic(image: &Image, wanted: u16) -> Result<(), String> {
    let header = image.optional_header().map_err(text)?;
    let characteristics = header.dll_characteristics.get(LE);
    if characteristics & wanted == 0 {
        return Err(format!(
            "DllCharacteristics is {characteristics:#x}, without {wanted:#x}"
        ));
    }
    Ok(())
}

fn no_writable_code(image: &Image) -> Result<(), String> {
    const BOTH: u32 = IMAGE_SCN_MEM_WRITE | IMAGE_SCN_MEM_EXECUTE;
    for section in image.pe().map_err(text)?.section_table().iter() {
        if section.characteristics.get(LE) & BOTH == BOTH {
            let name = String::from_utf8_lossy(section.raw_name());
            return Err(format!("section {name} is both"));
        }
    }
    Ok(())
}

fn checksum(image: &Image) -> Result<(), String> {
    let stored = image.optional_header().map_err(text)?.check_sum.get(LE);
    let computed = image.computed_checksum().map_err(text)?;
    if stored != computed {
        return Err(format!("{stored:#x} is stored, {computed:#x} computed"));
    }
    Ok(())
}

fn small(image: &Image) -> Result<(), String> {
    let size = image.bytes.len();
    if size > SIZE_LIMIT {
        return Err(format!("it has {size} bytes"));
    }
    Ok(())
}

fn expected_imports(image: &Image) -> Result<(), String> {
    let mut found = imported(image).map_err(text)?;
    found.sort_unstable();
    if let Some(surplus) = found.iter().find(|name| !is_expected(name)) {
        return Err(format!("{surplus} is imported"));
    }
    if let Some(missing) = imports::EXPECTED
        .iter()
        .find(|name| !found.iter().any(|found| found == *name))
    {
        return Err(format!(
            "{missing} is no longer imported; remove it from tools/xtask/src/check/imports.rs"
        ));
    }
    Ok(())
}

fn is_expected(name: &str) -> bool {
    imports::EXPECTED.contains(&name) || imports::OF_THE_COMPILER.contains(&name)
}

/// The names of the routines that the image imports, with that of the module
/// where it is not the kernel.
fn imported(image: &Image) -> object::Result<Vec<String>> {
    let pe = image.pe()?;
    let mut names = Vec::new();
    let Some(table) = pe.import_table()? else {
        return Ok(names);
    };
    let mut modules = table.descriptors()?;
    while let Some(module) = modules.next()? {
        let module_name = table.name(module.name.get(LE))?;
        let mut thunks = table.thunks(module.original_first_thunk.get(LE))?;
        while let Some(thunk) = thunks.next::<ImageNtHeaders64>()? {
            let name = if thunk.is_ordinal() {
                format!("ordinal {}", thunk.ordinal())
            } else {
                let (_, name) = table.hint_name(thunk.address())?;
                String::from_utf8_lossy(name).into_owned()
            };
            names.push(if module_name.eq_ignore_ascii_case(b"ntoskrnl.exe") {
                name
            } else {
                format!("{name} of {}", String::from_utf8_lossy(module_name))
            });
        }
    }
    Ok(names)
}

fn this_version(image: &Image) -> Result<(), String> {
    let wanted = repository::driver_version().map_err(|error| format!("{error:#}"))?;
    // A pre-release tag has no place among the numbers.
    let numbers = wanted.split(['-', '+']).next().unwrap_or_default();
    let found = version::of(&image.pe().map_err(text)?).map_err(text)?;
    let found = found.ok_or("there is none")?;
    let [major, minor, patch, _] = found.number;
    if format!("{major}.{minor}.{patch}") != numbers {
        return Err(format!("it says {major}.{minor}.{patch}, not {numbers}"));
    }
    if found.kind != version::DRIVER {
        return Err(format!(
            "it is of file type {}, not of a driver",
            found.kind
        ));
    }
    Ok(())
}

fn symbols_match(image: &Image) -> Result<(), String> {
    let pe = image.pe().map_err(text)?;
    let stored = pe
        .pdb_info()
        .map_err(text)?
        .ok_or("the image names no PDB file")?;
    if stored.guid() != image.symbols.guid || stored.age() != image.symbols.age {
        return Err(String::from("the PDB file is of another build"));
    }
    Ok(())
}

fn starts_at_driver_entry(image: &Image) -> Result<(), String> {
    let header = image.optional_header().map_err(text)?;
    let entry = header.address_of_entry_point.get(LE);
    let names: Vec<_> = image
        .symbols
        .public
        .iter()
        .filter(|(_, address)| *address == entry)
        .map(|(name, _)| name.as_str())
        .collect();
    if !names.contains(&"DriverEntry") {
        return Err(format!("the entry point {entry:#x} is called {names:?}"));
    }
    Ok(())
}

fn functions_named(image: &Image) -> Result<(), String> {
    // A generic function's name goes on with its arguments.
    let is_named = |wanted: &str| {
        image.symbols.functions.iter().any(|(name, _)| {
            name.strip_prefix(wanted)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('<'))
        })
    };
    match FUNCTIONS.iter().find(|wanted| !is_named(wanted)) {
        Some(missing) => Err(format!("{missing} is not among them")),
        None => Ok(()),
    }
}

pub(super) fn text(error: object::Error) -> String {
    error.to_string()
}
