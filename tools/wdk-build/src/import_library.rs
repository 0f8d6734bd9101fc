//! The import libraries that a driver links against, made from lists of names.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::Path;

use ar_archive_writer::{COFFShortExport, MachineTypes, write_import_library};

use crate::error::{ConfigError, IoError};
use crate::{ApiSubset, Config, CpuArchitecture};

/// The routines of the kernel, a module-definition file.
const NTOSKRNL_DEF: &str = include_str!("../ntoskrnl.def");

/// What the original links every WDM driver against. All that drivers import
/// from these lives in `ntoskrnl.exe` today, so all but one are empty here.
const BASE_LIBRARIES: &[&str] = &["BufferOverflowFastFailK", "ntoskrnl", "hal", "wmilib"];

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

/// Writes every library that a WDM driver links against into `folder`.
pub fn write_all(folder: &Path, architecture: CpuArchitecture) -> Result<(), ConfigError> {
    println!(
        "cargo::rerun-if-changed={}/ntoskrnl.def",
        env!("CARGO_MANIFEST_DIR")
    );
    fs::create_dir_all(folder).map_err(|error| IoError::with_path(folder, error))?;
    for name in libraries(architecture) {
        let exports = match name {
            "ntoskrnl" => exports(NTOSKRNL_DEF),
            _ => Vec::new(),
        };
        write(folder, name, &exports, architecture)?;
    }
    Ok(())
}

fn write(
    folder: &Path,
    name: &str,
    exports: &[COFFShortExport],
    architecture: CpuArchitecture,
) -> Result<(), ConfigError> {
    let machine = match architecture {
        CpuArchitecture::Amd64 => MachineTypes::AMD64,
        CpuArchitecture::Arm64 => MachineTypes::ARM64,
    };
    let path = folder.join(format!("{name}.lib"));
    let file = File::create(&path).map_err(|error| IoError::with_path(&path, error))?;
    let mut file = BufWriter::new(file);
    let image = format!("{name}.exe");
    write_import_library(&mut file, &image, exports, machine, false, false, &[])
        .map_err(|error| IoError::with_path(path, error))?;
    Ok(())
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
