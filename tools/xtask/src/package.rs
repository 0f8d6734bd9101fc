//! `cargo xtask package`: makes the folder that installs, verifies and debugs.

mod archive;
mod catalog;
mod certificate;
mod checksum;
mod signing;

use std::env;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use clap::Args;
use der::DateTime;
use digest::Digest as _;
use sha1::Sha1;
use sha2::Sha256;

use self::catalog::Member;
use self::certificate::{Certificate, PASSWORD};
use crate::arch::Arch;
use crate::build::{self, Profile};
use crate::cross::Cross;
use crate::exit::given_file;
use crate::inf::Stamp;
use crate::kit::Kit;
use crate::repository;

const INSTALL: &str = include_str!("package/files/install.cmd");
const UNINSTALL: &str = include_str!("package/files/uninstall.cmd");
const DEBUG_PRINT_FILTER: &str = include_str!("package/files/debug-print-filter.reg");
const README: &str = include_str!("package/files/README.txt");

/// Build the driver and pack it, signed, with its symbols, INF, catalog and
/// installation scripts
#[derive(Args)]
pub struct Package {
    /// The processor to build for
    #[arg(long, value_enum, default_value_t = Arch::X64)]
    arch: Arch,
    /// Sign with the certificate in this PFX file instead of a test certificate
    #[arg(long, value_name = "FILE")]
    pfx: Option<PathBuf>,
    /// The password of the PFX file; without it, the one in the environment
    /// variable `PROCMON_PFX_PASSWORD`
    #[arg(long, value_name = "PASSWORD", requires = "pfx")]
    pfx_password: Option<String>,
    #[command(flatten)]
    kit: Kit,
}

impl Package {
    pub fn execute(self) -> Result<()> {
        self.kit.select()?;
        let packages = repository::root().join("target/package");
        fs::create_dir_all(&packages)
            .with_context(|| format!("cannot create {}", packages.display()))?;
        let scratch = scratch_in(&packages)?;
        // Before the build, which takes longer than a typing error is worth.
        let certificate = match self.pfx {
            Some(file) => {
                given_file("--pfx", &file)?;
                let password = self.pfx_password.or_else(|| env::var(PASSWORD).ok());
                Certificate::from_pfx(&file, password.unwrap_or_default(), scratch.path())?
            }
            None => Certificate::test(&test_certificate_folder()?)?,
        };
        let date = date()?;
        let image = build::driver(&Cross::new(self.arch)?, Profile::Release)?;

        let content = Content {
            arch: self.arch,
            version: repository::driver_version()?,
            date,
            image: &image,
            inx: &repository::root().join("procmon.inx"),
            certificate: &certificate,
        };
        let folder = packages.join(self.arch.folder());
        let zip = packages.join(format!(
            "procmon-{}-{}.zip",
            content.version,
            self.arch.folder()
        ));
        content.write(&folder, &zip)?;
        println!("{}\n{}", folder.display(), zip.display());
        Ok(())
    }
}

/// Writes the package of the x64 driver `image` into `folder`, signed with a
/// test certificate that is made for it.
///
/// # Errors
///
/// When it cannot be made, or does not verify.
pub fn with_certificate_of_its_own(image: &Path, folder: &Path) -> Result<()> {
    let parent = folder.parent().unwrap_or(Path::new("."));
    let scratch = scratch_in(parent)?;
    Content {
        arch: Arch::X64,
        version: repository::driver_version()?,
        date: date()?,
        image,
        inx: &repository::root().join("procmon.inx"),
        certificate: &Certificate::test(&scratch.path().join("certificate"))?,
    }
    .write(folder, &scratch.path().join("package.zip"))
}

/// What a package is made from.
struct Content<'a> {
    arch: Arch,
    version: String,
    date: Duration,
    image: &'a Path,
    inx: &'a Path,
    certificate: &'a Certificate,
}

impl Content<'_> {
    /// Writes the package into `folder` and packs it into `zip`, each of which
    /// it replaces when all has gone well, and leaves as it was otherwise.
    fn write(&self, folder: &Path, zip: &Path) -> Result<()> {
        let parent = folder.parent().unwrap_or(Path::new("."));
        let scratch = scratch_in(parent)?;
        let fresh = scratch.path().join("package");
        fs::create_dir(&fresh)?;
        self.fill(&fresh)?;
        let fresh_zip = scratch.path().join("package.zip");
        archive::pack(&fresh, &fresh_zip, date_time(self.date)?)?;
        replace(&fresh, folder)?;
        replace(&fresh_zip, zip)
    }

    fn fill(&self, folder: &Path) -> Result<()> {
        let image = fs::read(self.image)
            .with_context(|| format!("cannot read {}", self.image.display()))?;
        let symbols = self.image.with_extension("pdb");
        fs::copy(&symbols, folder.join("procmon.pdb"))
            .with_context(|| format!("cannot copy {}", symbols.display()))?;
        let driver = folder.join("procmon.sys");
        signing::sign_image(self.image, &driver, self.certificate, self.date)?;

        let inf = stamped(self.inx, self.arch, &self.version, self.date)?;
        let members = [
            Member::Image {
                name: "procmon.sys",
                bytes: &image,
            },
            Member::File {
                name: "procmon.inf",
                bytes: inf.as_bytes(),
            },
        ];
        let catalog = folder.join("procmon.cat");
        let unsigned = catalog.with_extension("unsigned");
        fs::write(
            &unsigned,
            catalog::unsigned(&members, self.arch, self.date)?,
        )?;
        signing::sign_catalog(&unsigned, &catalog, self.certificate, self.date)?;
        fs::remove_file(unsigned)?;

        let thumbprint = thumbprint(&self.certificate.der);
        let text = |template: &str| {
            template
                .replace("@THUMBPRINT@", &thumbprint)
                .replace("@VERSION@", &self.version)
                .replace("@ARCH@", self.arch.folder())
                .replace('\n', "\r\n")
        };
        for (name, bytes) in [
            ("procmon.inf", inf.as_bytes()),
            ("procmon.cer", &self.certificate.der),
            ("install.cmd", text(INSTALL).as_bytes()),
            ("uninstall.cmd", text(UNINSTALL).as_bytes()),
            (
                "debug-print-filter.reg",
                text(DEBUG_PRINT_FILTER).as_bytes(),
            ),
            ("README.txt", text(README).as_bytes()),
        ] {
            fs::write(folder.join(name), bytes).with_context(|| format!("cannot write {name}"))?;
        }

        signing::verify(&driver, self.certificate)?;
        signing::verify(&catalog, self.certificate)?;
        signing::verify_member(&driver, &catalog, self.certificate)?;
        checksum::verify(&driver)?;
        fs::write(folder.join("SHA256SUMS"), sums(folder)?)?;
        Ok(())
    }
}

/// By which Windows tells a certificate from others.
pub fn thumbprint(certificate: &[u8]) -> String {
    format!("{:X}", Sha1::digest(certificate))
}

/// The driver's INF for a processor, made from its template.
fn stamped(inx: &Path, arch: Arch, version: &str, date: Duration) -> Result<String> {
    let text = fs::read_to_string(inx).with_context(|| format!("cannot read {}", inx.display()))?;
    let stamp = Stamp {
        architecture: arch.inf_name(),
        catalog: "procmon.cat",
        version,
        date: date_time(date)?,
    };
    stamp
        .apply(&text)
        .with_context(|| inx.display().to_string())
}

/// A folder beside what it will replace, so that a rename suffices.
fn scratch_in(folder: &Path) -> Result<tempfile::TempDir> {
    tempfile::Builder::new()
        .prefix(".partial-")
        .tempdir_in(folder)
        .with_context(|| format!("cannot create a folder in {}", folder.display()))
}

fn replace(fresh: &Path, target: &Path) -> Result<()> {
    let remove = if target.is_dir() {
        fs::remove_dir_all
    } else {
        fs::remove_file
    };
    if target.exists() {
        remove(target).with_context(|| format!("cannot remove {}", target.display()))?;
    }
    fs::rename(fresh, target).with_context(|| format!("cannot write {}", target.display()))
}

/// The digests of a folder's files, as `sha256sum --check` reads them.
fn sums(folder: &Path) -> Result<String> {
    let mut sums = String::new();
    for file in archive::files(folder)? {
        let name = file
            .file_name()
            .unwrap_or(OsStr::new("?"))
            .to_string_lossy();
        let digest = Sha256::digest(fs::read(&file)?);
        let _ = writeln!(sums, "{digest:x}  {name}");
    }
    Ok(sums)
}

/// The moment that the package bears, since 1970: that of `SOURCE_DATE_EPOCH`,
/// or now.
fn date() -> Result<Duration> {
    match env::var("SOURCE_DATE_EPOCH") {
        Ok(seconds) => seconds
            .parse()
            .map(Duration::from_secs)
            .with_context(|| format!("SOURCE_DATE_EPOCH is {seconds:?}: give seconds since 1970")),
        Err(_) => Ok(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?),
    }
}

fn date_time(date: Duration) -> Result<DateTime> {
    DateTime::from_unix_duration(date).context("the date is out of range")
}

/// Where this user's test certificate is: outside of any repository.
fn test_certificate_folder() -> Result<PathBuf> {
    let data = match env::var_os("XDG_DATA_HOME") {
        Some(folder) if !folder.is_empty() => PathBuf::from(folder),
        _ => env::home_dir()
            .context("no home folder for the test certificate: set XDG_DATA_HOME")?
            .join(".local/share"),
    };
    Ok(data.join("procmon/test-cert"))
}

#[cfg(test)]
mod tests;
