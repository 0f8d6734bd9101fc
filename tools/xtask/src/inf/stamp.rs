//! Turns an INX template into the INF of a package, as the WDK's `stampinf`
//! does.

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

    fn stamp() -> Stamp<'static> {
        Stamp {
            architecture: "amd64",
            catalog: "procmon.cat",
            version: "1.2.3-beta.1",
            date: DateTime::new(2026, 3, 9, 23, 59, 59).unwrap(),
        }
    }

    #[test]
    fn fills_in_what_the_template_leaves_open() {
        let inx = "[Version]\nCatalogFile = x\nDriverVer = ; later\n[DefaultInstall.NT$ARCH$]\n";
        assert_eq!(
            stamp().apply(inx).unwrap(),
            "[Version]\r\nCatalogFile = procmon.cat\r\nDriverVer = 03/09/2026,1.2.3.0\r\n\
             [DefaultInstall.NTamd64]\r\n",
        );
    }

    #[test]
    fn says_what_cannot_be_stamped() {
        let error = stamp()
            .apply("[Version]\nCatalogFile = x\n[Other]\nDriverVer =\n")
            .unwrap_err();
        assert!(error.to_string().contains("no DriverVer line"), "{error}");
    }
}
