//! Turns an INX template into the INF of a package, as the WDK's `stampinf`
//! does. Windows' own `InfVerif` judges the INF, in the Windows workflow; here a
//! stamped INF is kept to compare with.

use anyhow::{Result, bail};
use der::DateTime;

/// What is stamped into the template.
pub struct Stamp<'a> {
    /// The architecture as an INF names it: `amd64`, `arm64`.
    pub architecture: &'a str,
    /// The file name of the catalog.
    pub catalog: &'a str,
    /// The version of the crate, `major.minor.patch`.
    pub version: &'a str,
    /// The date of the driver.
    pub date: DateTime,
}

impl Stamp<'_> {
    /// The value of `DriverVer`: the date, and the version with the fourth part
    /// that Windows wants.
    pub fn driver_version(&self) -> String {
        let date = &self.date;
        // A pre-release tag has no place in a Windows version.
        let version = self.version.split(['-', '+']).next().unwrap_or_default();
        format!(
            "{:02}/{:02}/{},{version}.0",
            date.month(),
            date.day(),
            date.year()
        )
    }

    /// The INF made from the text of an INX, with the line ends of Windows.
    ///
    /// # Errors
    ///
    /// `[Version]` has no `CatalogFile` or no `DriverVer` line to fill in.
    pub fn apply(&self, inx: &str) -> Result<String> {
        let mut inf = String::new();
        let mut section = "";
        let mut missing = vec!["CatalogFile", "DriverVer"];
        for line in inx.lines() {
            if line.starts_with('[') {
                section = line.trim_end();
            }
            let key = line.split('=').next().unwrap_or_default();
            let value = match key.trim_end() {
                "CatalogFile" => self.catalog.to_owned(),
                "DriverVer" => self.driver_version(),
                _ => String::new(),
            };
            if section.eq_ignore_ascii_case("[Version]") && !value.is_empty() {
                missing.retain(|name| *name != key.trim_end());
                inf.extend([key, "= ", &value]);
            } else {
                inf += &line.replace("$ARCH$", self.architecture);
            }
            inf += "\r\n";
        }
        if let Some(name) = missing.first() {
            bail!("[Version] has no {name} line to stamp: add `{name} =`");
        }
        Ok(inf)
    }
}

#[cfg(test)]
mod tests {
    use super::Stamp;
    use der::DateTime;

    const INX: &str = include_str!("../../../procmon.inx");
    /// The INF that pnputil and `SetupAPI` are given, for x64.
    const EXPECTED: &str = include_str!("inf/procmon-amd64.inf");

    fn stamp(architecture: &'static str) -> Stamp<'static> {
        Stamp {
            architecture,
            catalog: "procmon.cat",
            version: "1.2.3-beta.1",
            date: DateTime::new(2026, 3, 9, 23, 59, 59).unwrap(),
        }
    }

    #[test]
    fn the_stamped_inf_is_the_one_that_was_reviewed() {
        for architecture in ["amd64", "arm64"] {
            let expected = EXPECTED
                .replace("amd64", architecture)
                .replace('\n', "\r\n");
            assert_eq!(stamp(architecture).apply(INX).unwrap(), expected);
        }
    }

    /// What a reviewer of a changed INF could miss, and `InfVerif /w` would refuse.
    #[test]
    fn the_inf_is_that_of_a_primitive_driver() {
        let inf = stamp("amd64").apply(INX).unwrap();
        assert!(inf.is_ascii(), "an INF without a byte-order mark is ASCII");
        for line in [
            "ClassGuid   = {4d36e97d-e325-11ce-bfc1-08002be10318}",
            "CatalogFile = procmon.cat",
            "DriverVer   = 03/09/2026,1.2.3.0",
            "PnpLockdown = 1",
            "DefaultDestDir = 13 ; the driver store",
            "[DefaultInstall.NTamd64]",
            "AddService = procmon,,Procmon_Service",
            r"ServiceBinary = %13%\procmon.sys",
        ] {
            assert!(inf.lines().any(|found| found == line), "{line}");
        }
        for section in ["[Manufacturer]", "[DefaultInstall]", "[DefaultUninstall"] {
            assert!(
                !inf.lines().any(|line| line.starts_with(section)),
                "{section}"
            );
        }
    }

    #[test]
    fn a_template_without_a_line_to_stamp_is_refused() {
        let error = stamp("amd64")
            .apply("[Version]\nCatalogFile = x\n[Other]\nDriverVer =\n")
            .unwrap_err();
        assert!(error.to_string().contains("no DriverVer line"), "{error}");
    }
}
