//! Where the kernel's declarations come from.

use std::env;
use std::path::{Path, PathBuf};

use crate::error::ConfigError;
use crate::{ApiSubset, Config, CpuArchitecture};

/// Names the folder that holds mingw-w64's `ddk` folder.
const INCLUDE_VARIABLE: &str = "PROCMON_DDK_INCLUDE";

/// Where distributions put mingw-w64's headers.
const INCLUDE_FOLDERS: &[&str] = &[
    "/usr/x86_64-w64-mingw32/include",
    "/usr/share/mingw-w64/include",
];

impl Config {
    /// The headers of an API subset, in the order in which they are included.
    ///
    /// # Errors
    ///
    /// Fails for a subset that has no headers here.
    pub fn headers(
        &self,
        api_subset: ApiSubset,
    ) -> Result<impl Iterator<Item = String>, ConfigError> {
        let headers: &[&str] = match api_subset {
            ApiSubset::Base if self.kit.is_some() => &["ntifs.h", "ntddk.h", "ntstrsafe.h"],
            ApiSubset::Base => &["ntifs.h", "ntddk.h", "ntstrsafe.h", "missing_from_mingw.h"],
            // A WDM driver's framework headers are none, as in the original.
            ApiSubset::Wdf => &[],
            other => return Err(ConfigError::UnsupportedApiSubset(other)),
        };
        Ok(headers.iter().map(ToString::to_string))
    }

    /// A C source that includes every header of the given subsets.
    ///
    /// # Errors
    ///
    /// Fails for a subset that has no headers here.
    pub fn bindgen_header_contents(
        &self,
        api_subsets: impl IntoIterator<Item = ApiSubset>,
    ) -> Result<String, ConfigError> {
        let mut contents = String::new();
        for api_subset in api_subsets {
            for header in self.headers(api_subset)? {
                contents.push_str("#include \"");
                contents.push_str(&header);
                contents.push_str("\"\n");
            }
        }
        Ok(contents)
    }

    /// The folders that headers are looked for in.
    ///
    /// # Errors
    ///
    /// Fails where the WDK's, or else mingw-w64's DDK headers are not there.
    pub fn include_paths(&self) -> Result<impl Iterator<Item = PathBuf>, ConfigError> {
        if let Some(kit) = &self.kit {
            return Ok(kit.include_paths()?.into_iter());
        }
        println!("cargo::rerun-if-env-changed={INCLUDE_VARIABLE}");
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("include");
        let mingw = match env::var_os(INCLUDE_VARIABLE) {
            Some(folder) => PathBuf::from(folder),
            None => INCLUDE_FOLDERS
                .iter()
                .map(PathBuf::from)
                .find(|folder| has_ddk(folder))
                .unwrap_or_else(|| INCLUDE_FOLDERS[0].into()),
        };
        if !has_ddk(&mingw) {
            return Err(ConfigError::HeadersNotFound {
                folder: mingw,
                variable: INCLUDE_VARIABLE,
            });
        }
        Ok(vec![own, mingw.join("ddk"), mingw].into_iter())
    }

    /// The macros that the headers are parsed with.
    ///
    /// mingw-w64's DDK headers know no ARM64. The kernel's structures are laid
    /// out alike on both 64-bit processors, so an ARM64 driver is given the
    /// x64 declarations too.
    pub fn preprocessor_definitions(&self) -> impl Iterator<Item = (String, Option<String>)> {
        let (CpuArchitecture::Amd64 | CpuArchitecture::Arm64) = self.cpu_architecture;
        let mingw = [
            ("_WIN64", None),
            ("_AMD64_", None),
            ("AMD64", None),
            ("_KERNEL_MODE", None),
            // Windows 10 2004, the first with ExAllocatePool2.
            ("_WIN32_WINNT", Some("0x0A00")),
            ("WINVER", Some("0x0A00")),
            ("NTDDI_VERSION", Some("0x0A000008")),
            // Keeps the compiler's own intrinsics out: bindgen turns their
            // vector types into Rust that does not compile.
            ("__INTRIN_H_", None),
        ];
        let definitions = match self.kit {
            Some(_) => self.kit_definitions(),
            None => mingw.into(),
        };
        definitions
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.map(ToOwned::to_owned)))
    }
}

fn has_ddk(include: &Path) -> bool {
    include.join("ddk/ntifs.h").is_file()
}
