//! The rules for a primitive driver's INF that need no Windows to be checked:
//! those of Microsoft's "Creating a primitive driver" and of a universal INF,
//! which `InfVerif /w` would report.

use super::{Inf, Line, Section};

/// The setup classes that a driver without a device may name, with their GUIDs.
const CLASSES: [(&str, &str); 2] = [
    ("System", "{4d36e97d-e325-11ce-bfc1-08002be10318}"),
    (
        "SoftwareComponent",
        "{5c4c3332-344d-483c-8739-259e934c9cc8}",
    ),
];

/// `SPSVCINST_ASSOCSERVICE`: the service is a device's function driver.
const ASSOCIATED_SERVICE: u32 = 2;

/// Everything that is wrong with a stamped INF for one architecture, `amd64` or
/// `arm64`, of a package that holds `files`. Empty if nothing is.
pub fn violations(inf: &Inf, architecture: &str, files: &[&str]) -> Vec<String> {
    let mut check = Check {
        inf,
        violations: Vec::new(),
    };
    check.version();
    check.strings();
    check.forbidden_sections();
    check.directories();
    check.files(architecture, files);
    check.services(architecture);
    check.violations
}

struct Check<'a> {
    inf: &'a Inf,
    violations: Vec<String>,
}

impl<'a> Check<'a> {
    fn expect(&mut self, holds: bool, message: impl Into<String>) {
        if !holds {
            self.violations.push(message.into());
        }
    }

    /// A section that must be there; its absence is a violation.
    fn section(&mut self, name: &str) -> Option<&'a Section> {
        let section = self.inf.section(name);
        self.expect(section.is_some(), format!("[{name}] is missing"));
        section
    }

    fn version(&mut self) {
        let Some(version) = self.section("Version") else {
            return;
        };
        self.expect(
            version
                .value("Signature")
                .eq_ignore_ascii_case("$WINDOWS NT$"),
            "Signature is not \"$WINDOWS NT$\"",
        );
        let (class, guid) = (version.value("Class"), version.value("ClassGuid"));
        match CLASSES
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(class))
        {
            None => self.expect(
                false,
                format!("Class {class:?} is not one of Windows for a driver without a device"),
            ),
            Some((_, known)) => self.expect(
                guid.eq_ignore_ascii_case(known),
                format!("ClassGuid {guid:?} is not that of class {class}, {known}"),
            ),
        }
        self.expect(
            self.inf
                .expand(version.value("Provider"))
                .is_ok_and(|name| !name.is_empty()),
            "Provider is missing",
        );
        self.expect(version.value("PnpLockdown") == "1", "PnpLockdown is not 1");
        self.expect(
            version
                .value("CatalogFile")
                .to_ascii_lowercase()
                .ends_with(".cat"),
            "CatalogFile does not name a .cat file",
        );
        let driver_version = version.line("DriverVer");
        self.expect(
            driver_version.is_some_and(is_driver_version),
            "DriverVer is not mm/dd/yyyy,w.x.y.z",
        );
    }

    fn strings(&mut self) {
        let lines = self
            .inf
            .sections()
            .iter()
            .flat_map(|section| &section.lines);
        for line in lines {
            for value in line.key.iter().chain(&line.values) {
                if let Err(token) = self.inf.expand(value) {
                    self.expect(
                        false,
                        format!("line {}: %{token}% is not in [Strings]", line.number),
                    );
                }
            }
        }
    }

    fn forbidden_sections(&mut self) {
        for section in self.inf.sections() {
            let name = section.name.to_ascii_lowercase();
            let undecorated = ["defaultinstall", "defaultinstall.services"];
            if name == "manufacturer" {
                self.expect(
                    false,
                    "[Manufacturer] makes this the INF of a device: a primitive driver has none",
                );
            } else if undecorated.contains(&name.as_str()) {
                self.expect(
                    false,
                    format!(
                        "[{}] names no architecture: write [DefaultInstall.NTamd64]",
                        section.name
                    ),
                );
            } else if name.starts_with("defaultuninstall") && !name.ends_with(".services") {
                self.expect(
                    section.value("LegacyUninstall") == "1",
                    format!("[{}] without LegacyUninstall=1: the driver store undoes the installation itself", section.name),
                );
            }
        }
    }

    fn directories(&mut self) {
        let Some(directories) = self.section("DestinationDirs") else {
            return;
        };
        self.expect(
            directories.line("DefaultDestDir").is_some(),
            "DefaultDestDir is missing",
        );
        for line in &directories.lines {
            self.expect(
                line.value(0) == "13",
                format!(
                    "line {}: the destination is not DIRID 13, the driver store",
                    line.number
                ),
            );
        }
    }

    fn files(&mut self, architecture: &str, package: &[&str]) {
        let Some(sources) = self.section("SourceDisksFiles") else {
            return;
        };
        let disks = self.section("SourceDisksNames");
        for line in &sources.lines {
            let file = line.key.as_deref().unwrap_or_default();
            self.expect(
                package.iter().any(|name| name.eq_ignore_ascii_case(file)),
                format!("{file} of [SourceDisksFiles] is not in the package"),
            );
            self.expect(
                disks.is_some_and(|disks| disks.line(line.value(0)).is_some()),
                format!(
                    "{file} comes from disk {:?}, which [SourceDisksNames] has not",
                    line.value(0)
                ),
            );
        }
        let Some(install) = self.section(&format!("DefaultInstall.NT{architecture}")) else {
            return;
        };
        self.expect(install.line("CopyFiles").is_some(), "CopyFiles is missing");
        for list in install
            .line("CopyFiles")
            .map_or(&[][..], |line| &line.values)
        {
            let Some(list) = self.section(list) else {
                continue;
            };
            for line in &list.lines {
                let file = line.value(0);
                self.expect(
                    sources.line(file).is_some(),
                    format!("{file} is copied, but [SourceDisksFiles] has it not"),
                );
            }
        }
    }

    fn services(&mut self, architecture: &str) {
        let Some(services) = self.section(&format!("DefaultInstall.NT{architecture}.Services"))
        else {
            return;
        };
        let Some(added) = services.line("AddService") else {
            return self.expect(false, "AddService is missing");
        };
        let flags = added.value(1);
        let flags = flags.strip_prefix("0x").map_or_else(
            || flags.parse().unwrap_or(0),
            |digits| u32::from_str_radix(digits, 16).unwrap_or(ASSOCIATED_SERVICE),
        );
        self.expect(
            flags & ASSOCIATED_SERVICE == 0,
            "AddService has SPSVCINST_ASSOCSERVICE: a primitive driver serves no device",
        );
        let Some(service) = self.section(added.value(2)) else {
            return;
        };
        for (key, value, meaning) in [
            ("ServiceType", "1", "SERVICE_KERNEL_DRIVER"),
            ("StartType", "3", "SERVICE_DEMAND_START"),
            ("ErrorControl", "1", "SERVICE_ERROR_NORMAL"),
        ] {
            self.expect(
                service.value(key) == value,
                format!("{key} is not {value}, {meaning}"),
            );
        }
        let binary = service.value("ServiceBinary");
        let file = binary.strip_prefix(r"%13%\");
        self.expect(
            file.is_some(),
            format!(r"ServiceBinary {binary:?} is not below %13%\, the driver store"),
        );
        let sources = self.inf.section("SourceDisksFiles");
        self.expect(
            file.is_none_or(|file| sources.is_some_and(|sources| sources.line(file).is_some())),
            format!("ServiceBinary {binary:?} is not a file of [SourceDisksFiles]"),
        );
    }
}

/// `mm/dd/yyyy,w.x.y.z`, a real date, and parts of 16 bits.
fn is_driver_version(line: &Line) -> bool {
    let date: Option<Vec<u16>> = line
        .value(0)
        .split('/')
        .map(|part| part.parse().ok())
        .collect();
    let version: Option<Vec<u16>> = line
        .value(1)
        .split('.')
        .map(|part| part.parse().ok())
        .collect();
    let lengths: Vec<usize> = line.value(0).split('/').map(str::len).collect();
    let (Some(date), Some(version)) = (date, version) else {
        return false;
    };
    let [month, day, year] = date[..] else {
        return false;
    };
    lengths == [2, 2, 4]
        && version.len() == 4
        && u8::try_from(month)
            .ok()
            .zip(u8::try_from(day).ok())
            .is_some_and(|(month, day)| der::DateTime::new(year, month, day, 0, 0, 0).is_ok())
}

#[cfg(test)]
mod tests {
    use super::violations;
    use crate::inf::Inf;
    use crate::inf::stamp::Stamp;

    const INX: &str = include_str!("../../../../procmon.inx");

    fn check(text: &str, architecture: &str, files: &[&str]) -> Vec<String> {
        violations(&Inf::parse(text).unwrap(), architecture, files)
    }

    fn stamped(architecture: &str) -> String {
        let stamp = Stamp {
            architecture,
            catalog: "procmon.cat",
            version: "0.1.0",
            date: der::DateTime::new(2026, 11, 23, 0, 0, 0).unwrap(),
        };
        stamp.apply(INX).unwrap()
    }

    #[test]
    fn the_driver_keeps_every_rule() {
        for architecture in ["amd64", "arm64"] {
            let text = stamped(architecture);
            assert_eq!(
                check(&text, architecture, &["procmon.sys"]),
                Vec::<String>::new()
            );
        }
    }

    #[test]
    fn a_file_that_the_package_lacks_is_reported() {
        let found = check(&stamped("amd64"), "amd64", &["other.sys"]);
        assert_eq!(
            found,
            ["procmon.sys of [SourceDisksFiles] is not in the package"]
        );
    }

    #[test]
    fn another_architecture_is_not_served() {
        let found = check(&stamped("amd64"), "arm64", &["procmon.sys"]);
        assert_eq!(
            found,
            [
                "[DefaultInstall.NTarm64] is missing",
                "[DefaultInstall.NTarm64.Services] is missing",
            ],
        );
    }

    /// Each broken INF differs from the good one in one place, and breaks one
    /// rule.
    #[test]
    fn each_rule_catches_its_own_fault() {
        let broken = [
            ("\"$WINDOWS NT$\"", "\"$CHICAGO$\"", "Signature"),
            ("= System", "= Sample", "Class \"Sample\""),
            ("{4d36e97d-", "{4d36e97e-", "ClassGuid"),
            ("Provider    = %ProviderName%", "", "Provider"),
            ("PnpLockdown = 1", "PnpLockdown = 0", "PnpLockdown"),
            ("procmon.cat", "procmon.cab", "CatalogFile"),
            ("= 11/23/2026,", "= 23/11/2026,", "DriverVer"),
            ("= 11/23/2026,", "= 2/30/2026,", "DriverVer"),
            ("= 11/23/2026,", "= 02/30/2026,", "DriverVer"),
            ("0.1.0.0", "0.1.0", "DriverVer"),
            ("0.1.0.0", "0.1.0.65536", "DriverVer"),
            (
                "ServiceDescription =",
                "Description =",
                "%ServiceDescription% is not in [Strings]",
            ),
            ("[Strings]", "[Manufacturer]\r\n[Strings]", "[Manufacturer]"),
            (
                "[Strings]",
                "[DefaultInstall]\r\n[Strings]",
                "names no architecture",
            ),
            (
                "[Strings]",
                "[DefaultUninstall.NTamd64]\r\n[Strings]",
                "LegacyUninstall",
            ),
            ("DefaultDestDir = 13", "DefaultDestDir = 12", "DIRID 13"),
            (
                "[DestinationDirs]",
                "[Destinations]",
                "[DestinationDirs] is missing",
            ),
            (
                "DefaultDestDir = 13",
                "Procmon_Files = 13",
                "DefaultDestDir is missing",
            ),
            ("procmon.sys = 1,,", "procmon.sys = 2,,", "disk \"2\""),
            ("CopyFiles = Procmon_Files", "", "CopyFiles is missing"),
            (
                "[Procmon_Files]\r\nprocmon.sys",
                "[Procmon_Files]\r\nother.sys",
                "other.sys is copied",
            ),
            (
                "AddService = procmon,,",
                "AddService = procmon,0x2,",
                "SPSVCINST_ASSOCSERVICE",
            ),
            (
                ",,Procmon_Service",
                ",,Other_Service",
                "[Other_Service] is missing",
            ),
            ("ServiceType   = 1", "ServiceType   = 2", "ServiceType"),
            ("StartType     = 3", "StartType     = 0", "StartType"),
            ("ErrorControl  = 1", "ErrorControl  = 3", "ErrorControl"),
            (r"%13%\procmon.sys", r"%12%\procmon.sys", "driver store"),
            (r"%13%\procmon.sys", r"%13%\other.sys", "ServiceBinary"),
        ];
        for (from, to, message) in broken {
            let good = stamped("amd64");
            assert!(good.contains(from), "{from} is not in the INF");
            let found = check(&good.replacen(from, to, 1), "amd64", &["procmon.sys"]);
            assert_eq!(found.len(), 1, "{from} -> {to}: {found:?}");
            assert!(found[0].contains(message), "{from} -> {to}: {found:?}");
        }
    }
}
