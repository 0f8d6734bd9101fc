//! Authenticode signatures, made and verified by osslsigncode.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::certificate::{Certificate, Key, output};
use crate::toolchain::OSSLSIGNCODE;

/// Signs the image `from`, with the digest of each of its pages, into `to`.
pub fn sign_image(from: &Path, to: &Path, certificate: &Certificate, date: Duration) -> Result<()> {
    sign(from, to, &["-ph"], certificate, date)
}

/// Signs the catalog `from` into `to`.
pub fn sign_catalog(
    from: &Path,
    to: &Path,
    certificate: &Certificate,
    date: Duration,
) -> Result<()> {
    sign(from, to, &[], certificate, date)
}

fn sign(
    from: &Path,
    to: &Path,
    options: &[&str],
    certificate: &Certificate,
    date: Duration,
) -> Result<()> {
    let mut command = Command::new(OSSLSIGNCODE.get()?);
    command
        .args(["sign", "-h", "sha256", "-n", "procmon"])
        .args(["-time", &date.as_secs().to_string()])
        .args(options);
    match &certificate.key {
        Key::Pem(key) => {
            command.arg("-key").arg(key);
            command.arg("-certs").arg(&certificate.chain);
        }
        Key::Pfx { file, password } => {
            command.arg("-pkcs12").arg(file);
            // Through a pipe, so that no list of processes shows it.
            command.args(["-readpass", "/dev/stdin"]);
            let (reader, mut writer) = io::pipe().context("cannot make a pipe")?;
            writer.write_all(password.as_bytes())?;
            command.stdin(reader);
        }
    }
    command.arg("-in").arg(from).arg("-out").arg(to);
    output(&mut command)
        .map(drop)
        .with_context(|| format!("{} cannot be signed", from.display()))
}

/// Verifies the signature in an image or a catalog.
///
/// # Errors
///
/// The file is not signed, is not what was signed, or the certificate is not
/// one for signing code.
pub fn verify(file: &Path, certificate: &Certificate) -> Result<()> {
    let mut command = Command::new(OSSLSIGNCODE.get()?);
    command.arg("verify").arg("-CAfile").arg(&certificate.chain);
    command.arg("-in").arg(file);
    output(&mut command)
        .map(drop)
        .with_context(|| format!("the signature of {} is not valid", file.display()))
}

/// Verifies that a catalog vouches for an image.
pub fn verify_member(image: &Path, catalog: &Path, certificate: &Certificate) -> Result<()> {
    let mut command = Command::new(OSSLSIGNCODE.get()?);
    command.arg("verify").arg("-CAfile").arg(&certificate.chain);
    command.arg("-catalog").arg(catalog).arg("-in").arg(image);
    output(&mut command).map(drop).with_context(|| {
        format!(
            "{} does not vouch for {}",
            catalog.display(),
            image.display()
        )
    })
}
