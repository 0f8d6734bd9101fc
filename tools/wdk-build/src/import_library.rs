//! The import libraries that a driver links against, made from lists of names.

use std::fs;
use std::io::{self, Cursor};
use std::path::Path;

use ar_archive_writer::{
    ArchiveKind, COFFShortExport, DEFAULT_OBJECT_READER, MachineTypes, NewArchiveMember,
    write_archive_to_stream, write_import_library,
};

use crate::error::{ConfigError, IoError};
use crate::kit::Kit;
use crate::{ApiSubset, Config, CpuArchitecture, load_config};

/// The routines of the kernel, a module-definition file.
const NTOSKRNL_DEF: &str = include_str!("../ntoskrnl.def");

/// Holds code of its own, not imports.
const LOAD_CONFIG_LIBRARY: &str = "BufferOverflowFastFailK";

/// What the original links every WDM driver against. All that drivers import
/// lives in `ntoskrnl.exe` today, so the last two are empty here.
const BASE_LIBRARIES: &[&str] = &[LOAD_CONFIG_LIBRARY, "ntoskrnl", "hal", "wmilib"];

/// Linked for ARM64 only.
const ARM64_LIBRARY: &str = "arm64rt";

impl Config {
    /// Rust source that links the libraries of an API subset, for the bindings
    /// to include.
    #[must_use]
    pub fn bindgen_library_link_raw_lines(&self, api_subset: ApiSubset) -> Option<String> {
        if api_subset != ApiSubset::Base {
            return None;
        }
        let lines = libraries(self.cpu_architecture).map(|name| {
            format!(
                "#[cfg(not(any(test, feature = \"suppress-wdk-linking\")))]\n\
                 #[link(name = \"{name}\", kind = \"static\", modifiers = \"-bundle\")]\n\
                 unsafe extern \"C\" {{}}\n"
            )
        });
        Some(lines.collect())
    }
}

fn libraries(architecture: CpuArchitecture) -> impl Iterator<Item = &'static str> {
    let arm64 = (architecture == CpuArchitecture::Arm64).then_some(ARM64_LIBRARY);
    BASE_LIBRARIES.iter().copied().chain(arm64)
}

/// Puts every library that a WDM driver links against into `folder`: those of
/// the WDK, or else new ones.
pub fn provide(
    folder: &Path,
    architecture: CpuArchitecture,
    kit: Option<&Kit>,
) -> Result<(), ConfigError> {
    fs::create_dir_all(folder).map_err(|error| IoError::with_path(folder, error))?;
    match kit {
        Some(kit) => kit.copy_libraries(libraries(architecture), architecture, folder),
        None => write_all(folder, architecture),
    }
}

/// Writes import libraries for a processor, by its name in Rust, into `folder`:
/// what a kit without libraries lacks. The original has no such function.
///
/// # Errors
///
/// Fails where a library cannot be written, or for another processor than
/// `x86_64` and `aarch64`.
pub fn write_import_libraries(folder: &Path, processor: &str) -> Result<(), ConfigError> {
    provide(folder, CpuArchitecture::from_rust_name(processor)?, None)
}

fn write_all(folder: &Path, architecture: CpuArchitecture) -> Result<(), ConfigError> {
    println!(
        "cargo::rerun-if-changed={}/ntoskrnl.def",
        env!("CARGO_MANIFEST_DIR")
    );
    for name in libraries(architecture) {
        let path = folder.join(format!("{name}.lib"));
        let mut library = Cursor::new(Vec::new());
        let written = match name {
            LOAD_CONFIG_LIBRARY => write_load_config(&mut library, architecture),
            "ntoskrnl" => write_imports(&mut library, name, &exports(NTOSKRNL_DEF), architecture),
            _ => write_imports(&mut library, name, &[], architecture),
        };
        written
            .and_then(|()| fs::write(&path, library.into_inner()))
            .map_err(|error| IoError::with_path(path, error))?;
    }
    Ok(())
}

fn write_imports(
    library: &mut Cursor<Vec<u8>>,
    name: &str,
    exports: &[COFFShortExport],
    architecture: CpuArchitecture,
) -> io::Result<()> {
    let machine = match architecture {
        CpuArchitecture::Amd64 => MachineTypes::AMD64,
        CpuArchitecture::Arm64 => MachineTypes::ARM64,
    };
    let image = format!("{name}.exe");
    write_import_library(library, &image, exports, machine, false, false, &[])
}

fn write_load_config(
    library: &mut Cursor<Vec<u8>>,
    architecture: CpuArchitecture,
) -> io::Result<()> {
    let member = NewArchiveMember::new(
        load_config::object_file(architecture),
        &DEFAULT_OBJECT_READER,
        "load_config.obj".to_owned(),
    );
    write_archive_to_stream(library, &[member], ArchiveKind::Coff, false, Some(false))
}

/// Reads the `EXPORTS` of a module-definition file: a name a line, `DATA`
/// after one that is a variable, `;` before a comment.
fn exports(definition: &str) -> Vec<COFFShortExport> {
    definition
        .lines()
        .map(|line| line.split(';').next().unwrap_or_default())
        .skip_while(|line| line.trim() != "EXPORTS")
        .skip(1)
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let name = words.next()?.to_owned();
            Some(COFFShortExport {
                name,
                ext_name: None,
                symbol_name: None,
                import_name: None,
                export_as: None,
                ordinal: 0,
                noname: false,
                data: words.next() == Some("DATA"),
                private: false,
                constant: false,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_data_and_comments_are_told_apart() {
        let read = exports("LIBRARY x\nEXPORTS\n  First\n ; none\n  Second DATA ; a variable\n");
        let read: Vec<_> = read.iter().map(|e| (e.name.as_str(), e.data)).collect();
        assert_eq!(read, [("First", false), ("Second", true)]);
    }

    #[test]
    fn the_kernels_list_is_sorted_and_has_no_name_twice() {
        let names: Vec<_> = exports(NTOSKRNL_DEF).into_iter().map(|e| e.name).collect();
        assert!(names.len() > 100);
        assert!(names.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
