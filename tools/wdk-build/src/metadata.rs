//! `[package.metadata.wdk]` and `[workspace.metadata.wdk]`, as the original
//! reads them.

use std::collections::HashSet;
use std::env;
use std::path::PathBuf;

use cargo_metadata::MetadataCommand;
use serde::Deserialize;
use serde_json::Value;

use crate::error::ConfigError;

/// The driver model and its settings.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(tag = "driver-type", deny_unknown_fields, rename_all = "UPPERCASE")]
pub enum DriverConfig {
    /// Windows Driver Model.
    Wdm,
    /// Kernel-mode driver framework.
    Kmdf(KmdfConfig),
    /// User-mode driver framework.
    Umdf(UmdfConfig),
}

impl DriverConfig {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Wdm => "WDM",
            Self::Kmdf(_) => "KMDF",
            Self::Umdf(_) => "UMDF",
        }
    }
}

/// The versions that a KMDF driver asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct KmdfConfig {
    /// Major version.
    pub kmdf_version_major: u8,
    /// Minor version built for.
    pub target_kmdf_version_minor: u8,
    /// Minor version needed at the least.
    pub minimum_kmdf_version_minor: Option<u8>,
}

/// The versions that a UMDF driver asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct UmdfConfig {
    /// Major version.
    pub umdf_version_major: u8,
    /// Minor version built for.
    pub target_umdf_version_minor: u8,
    /// Minor version needed at the least.
    pub minimum_umdf_version_minor: Option<u8>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Wdk {
    driver_model: DriverConfig,
}

/// Reads the one WDK configuration of the build that this script belongs to.
///
/// Only the members of the driver's own workspace are asked: resolving the
/// whole graph, as the original does, would download the Windows-only crates
/// that this stand-in replaces.
pub fn driver_config() -> Result<DriverConfig, ConfigError> {
    let manifest = top_level_manifest()?;
    println!("cargo::rerun-if-changed={}", manifest.display());
    let metadata = MetadataCommand::new()
        .manifest_path(manifest)
        .no_deps()
        .exec()?;

    let sections = metadata
        .packages
        .iter()
        .map(|package| (package.name.as_str(), &package.metadata["wdk"]))
        .chain([("the workspace", &metadata.workspace_metadata["wdk"])]);
    one_configuration(sections)
}

fn one_configuration<'a>(
    sections: impl Iterator<Item = (&'a str, &'a Value)>,
) -> Result<DriverConfig, ConfigError> {
    let mut configurations = HashSet::new();
    for (package, section) in sections {
        let marks_a_driver_only = section.as_object().is_some_and(serde_json::Map::is_empty);
        if section.is_null() || marks_a_driver_only {
            continue;
        }
        let wdk = Wdk::deserialize(section).map_err(|source| {
            ConfigError::WdkMetadataDeserialization {
                package: package.to_owned(),
                source,
            }
        })?;
        configurations.insert(wdk.driver_model);
    }
    let mut all = configurations.iter();
    match (all.next(), all.next()) {
        (None, _) => Err(ConfigError::NoWdkConfigurationsDetected),
        (Some(only), None) => Ok(only.clone()),
        _ => Err(ConfigError::MultipleWdkConfigurationsDetected(format!(
            "{configurations:?}"
        ))),
    }
}

/// The manifest beside the nearest `Cargo.lock` above Cargo's `OUT_DIR`, which
/// is how the original finds the driver from inside a dependency's build.
fn top_level_manifest() -> Result<PathBuf, ConfigError> {
    let out_dir = env::var("OUT_DIR").map_err(|_| ConfigError::NotInBuildScript("OUT_DIR"))?;
    PathBuf::from(out_dir)
        .ancestors()
        .find(|folder| folder.join("Cargo.lock").exists())
        .map(|folder| folder.join("Cargo.toml"))
        .ok_or(ConfigError::NoWdkConfigurationsDetected)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(sections: &[Value]) -> Result<DriverConfig, ConfigError> {
        one_configuration(sections.iter().map(|section| ("a-driver", section)))
    }

    #[test]
    fn a_wdm_section_beside_packages_without_one() {
        let wdm = json!({"driver-model": {"driver-type": "WDM"}});
        let config = read(&[Value::Null, wdm.clone(), json!({}), wdm]);
        assert_eq!(config.unwrap(), DriverConfig::Wdm);
    }

    #[test]
    fn kmdf_is_read_with_its_versions() {
        let kmdf = json!({"driver-model": {
            "driver-type": "KMDF", "kmdf-version-major": 1, "target-kmdf-version-minor": 33,
        }});
        let expected = DriverConfig::Kmdf(KmdfConfig {
            kmdf_version_major: 1,
            target_kmdf_version_minor: 33,
            minimum_kmdf_version_minor: None,
        });
        assert_eq!(read(&[kmdf]).unwrap(), expected);
    }

    #[test]
    fn no_section_two_sections_and_a_misspelt_one_are_errors() {
        let wdm = json!({"driver-model": {"driver-type": "WDM"}});
        let umdf = json!({"driver-model": {
            "driver-type": "UMDF", "umdf-version-major": 2, "target-umdf-version-minor": 33,
        }});
        let misspelt = json!({"driver-model": {"driver-type": "WDN"}});
        assert!(matches!(
            read(&[Value::Null]),
            Err(ConfigError::NoWdkConfigurationsDetected)
        ));
        assert!(matches!(
            read(&[wdm, umdf]),
            Err(ConfigError::MultipleWdkConfigurationsDetected(_))
        ));
        let error = read(&[misspelt]).unwrap_err().to_string();
        assert!(
            error.contains("a-driver") && error.contains("WDN"),
            "{error}"
        );
    }
}
