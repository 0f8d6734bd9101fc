//! A real WDK, where the user has one: its headers, macros and libraries, in
//! the layout of a Windows Kits folder, on a file system that tells upper from
//! lower case.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;

use serde_json::{Value, json};

use crate::error::{ConfigError, IoError};
use crate::{Config, CpuArchitecture, env_var};

/// Names the WDK's folder, as in an eWDK prompt.
const ROOT_VARIABLE: &str = "WDKContentRoot";
/// Names one of the versions in that folder; otherwise the newest is used.
const VERSION_VARIABLE: &str = "Version_Number";

/// How the original parses the WDK's headers.
pub const CLANG_ARGUMENTS: &[&str] = &[
    "-fms-compatibility",
    "-fms-extensions",
    "-fdelayed-template-parsing",
];

/// What bindgen makes invalid Rust of in the WDK's headers.
pub const BLOCKED: &str = ".*(WHEA_XPF_MCA_SECTION|WHEA_ARM_BUS_ERROR(?:__bindgen.*)?|\
                           WHEA_ARM_PROCESSOR_ERROR|WHEA_ARM_CACHE_ERROR)";

/// What the WDK's headers name and do not define.
pub const OPAQUE: &str = "_KGDTENTRY64|_KIDTENTRY64";

/// One version of the WDK.
#[derive(Debug, Clone)]
pub struct Kit {
    root: PathBuf,
    version: String,
}

impl Kit {
    /// The WDK that the environment names, if it names one.
    pub fn from_env() -> Result<Option<Self>, ConfigError> {
        println!("cargo::rerun-if-env-changed={ROOT_VARIABLE}");
        println!("cargo::rerun-if-env-changed={VERSION_VARIABLE}");
        let Some(root) = env::var_os(ROOT_VARIABLE).filter(|root| !root.is_empty()) else {
            return Ok(None);
        };
        let root = PathBuf::from(root);
        let version = match env::var(VERSION_VARIABLE) {
            Ok(version) => version,
            Err(_) => newest_version(&root.join("Lib"))?,
        };
        Ok(Some(Self { root, version }))
    }

    /// The folders of the headers, in the original's order.
    pub fn include_paths(&self) -> Result<Vec<PathBuf>, ConfigError> {
        let include = self.root.join("Include").join(&self.version);
        ["km/crt", "km", "shared"]
            .iter()
            .map(|name| existing(include.join(name)))
            .collect()
    }

    /// Has clang find headers whatever case their names are written in, as
    /// Windows does.
    pub fn overlay(&self) -> Result<String, ConfigError> {
        let roots = self
            .include_paths()?
            .iter()
            .map(|folder| directory(folder))
            .collect::<io::Result<Vec<_>>>()
            .map_err(|error| IoError::with_path(&self.root, error))?;
        let overlay = json!({"version": 0, "case-sensitive": false, "roots": roots});
        let file = PathBuf::from(env_var("OUT_DIR")?).join("headers.json");
        // wdk-sys parses headers in several threads at once.
        let own = file.with_extension(format!("{:?}", thread::current().id()));
        fs::write(&own, overlay.to_string())
            .and_then(|()| fs::rename(&own, &file))
            .map_err(|error| IoError::with_path(&file, error))?;
        Ok(format!("-ivfsoverlay{}", file.display()))
    }

    /// Copies the libraries of `names` to `folder`, under those very names.
    pub fn copy_libraries(
        &self,
        names: impl Iterator<Item = &'static str>,
        architecture: CpuArchitecture,
        folder: &Path,
    ) -> Result<(), ConfigError> {
        let processor = match architecture {
            CpuArchitecture::Amd64 => "x64",
            CpuArchitecture::Arm64 => "arm64",
        };
        let libraries = self.root.join("Lib").join(&self.version).join("km");
        let libraries = existing(libraries.join(processor))?;
        for name in names {
            let name = format!("{name}.lib");
            let library = ignoring_case(&libraries, &name)?;
            println!("cargo::rerun-if-changed={}", library.display());
            fs::copy(&library, folder.join(name))
                .map_err(|error| IoError::with_path(library, error))?;
        }
        Ok(())
    }
}

impl Config {
    /// The macros that the WDK's own projects define for a kernel driver.
    pub(crate) fn kit_definitions(&self) -> Vec<(&'static str, Option<&'static str>)> {
        let mut definitions = match self.cpu_architecture {
            CpuArchitecture::Amd64 => vec![("_WIN64", None), ("_AMD64_", None), ("AMD64", None)],
            CpuArchitecture::Arm64 => vec![
                ("_ARM64_", None),
                ("ARM64", None),
                ("_USE_DECLSPECS_FOR_SAL", Some("1")),
                ("STD_CALL", None),
            ],
        };
        definitions.push(("_KERNEL_MODE", None));
        definitions
    }
}

fn existing(folder: PathBuf) -> Result<PathBuf, ConfigError> {
    if folder.is_dir() {
        Ok(folder)
    } else {
        Err(ConfigError::KitIncomplete {
            missing: folder,
            variable: ROOT_VARIABLE,
        })
    }
}

/// The newest version of those that have a folder.
fn newest_version(folder: &Path) -> Result<String, ConfigError> {
    let newest = entries(&existing(folder.to_owned())?)
        .map_err(|error| IoError::with_path(folder, error))?
        .into_iter()
        .filter_map(|path| {
            let name = path.file_name()?.to_str()?.to_owned();
            let numbers: Option<Vec<u32>> = name.split('.').map(|part| part.parse().ok()).collect();
            Some((numbers?, name))
        })
        .max();
    newest
        .map(|(_, name)| name)
        .ok_or_else(|| ConfigError::KitIncomplete {
            missing: folder.join("10.0.*"),
            variable: ROOT_VARIABLE,
        })
}

fn ignoring_case(folder: &Path, name: &str) -> Result<PathBuf, ConfigError> {
    entries(folder)
        .map_err(|error| IoError::with_path(folder, error))?
        .into_iter()
        .find(|path| {
            path.file_name()
                .is_some_and(|found| found.eq_ignore_ascii_case(name))
        })
        .ok_or_else(|| ConfigError::KitIncomplete {
            missing: folder.join(name),
            variable: ROOT_VARIABLE,
        })
}

fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

/// A folder with all that is in it, as clang's overlay files describe it.
fn directory(folder: &Path) -> io::Result<Value> {
    fn contents(folder: &Path) -> io::Result<Vec<Value>> {
        let described = |path: PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            Ok(if path.is_dir() {
                json!({"type": "directory", "name": name, "contents": contents(&path)?})
            } else {
                json!({"type": "file", "name": name, "external-contents": path})
            })
        };
        entries(folder)?.into_iter().map(described).collect()
    }
    Ok(json!({"type": "directory", "name": folder, "contents": contents(folder)?}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers_and_names_without_case() {
        let kit = env::temp_dir().join(format!("wdk-build-kit-{}", std::process::id()));
        for version in ["10.0.9000.0", "10.0.26100.0", "wdf"] {
            fs::create_dir_all(kit.join(version)).unwrap();
        }
        fs::write(kit.join("BufferOverflowFastFailk.Lib"), "").unwrap();
        let newest = newest_version(&kit);
        let found = ignoring_case(&kit, "BufferOverflowFastFailK.lib");
        let missing = ignoring_case(&kit, "hal.lib");
        fs::remove_dir_all(&kit).unwrap();
        assert_eq!(newest.unwrap(), "10.0.26100.0");
        assert!(found.unwrap().ends_with("BufferOverflowFastFailk.Lib"));
        let error = missing.unwrap_err().to_string();
        assert!(
            error.contains("hal.lib") && error.contains(ROOT_VARIABLE),
            "{error}"
        );
    }
}
