//! Whose signature a package carries: a test certificate of this machine's own,
//! or the one in a PFX file.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::progress;
use crate::toolchain::OPENSSL;

/// The environment variable that holds the password of the PFX file, so that it
/// need not be typed where other users can see it.
pub const PASSWORD: &str = "PROCMON_PFX_PASSWORD";

const DAYS_VALID: &str = "3650";

/// A certificate and its private key.
pub struct Certificate {
    /// Where the key is.
    pub key: Key,
    /// The certificate, and those above it where the PFX file has them, in PEM.
    pub chain: PathBuf,
    /// The certificate alone, in DER.
    pub der: Vec<u8>,
}

/// A private key, as the signing program wants to be told of it.
pub enum Key {
    /// In a PEM file without a password.
    Pem(PathBuf),
    /// In a PFX file.
    Pfx { file: PathBuf, password: String },
}

impl Certificate {
    /// The test certificate in `folder`, made there if it is not yet, or if it
    /// is no longer valid.
    pub fn test(folder: &Path) -> Result<Self> {
        let openssl = OPENSSL.get()?;
        let (key, chain) = (folder.join("key.pem"), folder.join("certificate.pem"));
        let valid = Command::new(&openssl)
            .args(["x509", "-noout", "-checkend", "86400", "-in"])
            .arg(&chain)
            .output();
        if !(key.is_file() && valid.is_ok_and(|output| output.status.success())) {
            create(&openssl, folder, &key, &chain)?;
            progress::say(&format!("made a test certificate in {}", folder.display()));
        }
        Ok(Self {
            key: Key::Pem(key),
            der: to_der(&openssl, &chain)?,
            chain,
        })
    }

    /// The certificate in a PFX file; `scratch` takes the public part of it.
    pub fn from_pfx(file: &Path, password: String, scratch: &Path) -> Result<Self> {
        let openssl = OPENSSL.get()?;
        if !file.is_file() {
            bail!("{}: no such file", file.display());
        }
        let (chain, own) = (scratch.join("chain.pem"), scratch.join("own.pem"));
        read_pfx(&openssl, file, &password, &["-nokeys"], &chain)?;
        read_pfx(&openssl, file, &password, &["-nokeys", "-clcerts"], &own)?;
        let der = to_der(&openssl, &own)
            .with_context(|| format!("{} holds no certificate", file.display()))?;
        // Windows has the roots of this world; here the file has to bring its own.
        let mut verify = Command::new(&openssl);
        verify.arg("verify").arg("-CAfile").arg(&chain).arg(&own);
        output(&mut verify).with_context(|| {
            format!(
                "{}: its certificate does not lead to a root within the file; \
                 export it together with all certificates above it",
                file.display()
            )
        })?;
        Ok(Self {
            der,
            key: Key::Pfx {
                file: file.to_owned(),
                password,
            },
            chain,
        })
    }
}

fn create(openssl: &Path, folder: &Path, key: &Path, chain: &Path) -> Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| format!("cannot create {}", folder.display()))?;
    let mut command = Command::new(openssl);
    command
        .args(["req", "-x509", "-newkey", "rsa:3072", "-sha256", "-nodes"])
        .args(["-days", DAYS_VALID, "-subj", "/CN=procmon test certificate"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-addext", "keyUsage=critical,digitalSignature"])
        .args(["-addext", "extendedKeyUsage=codeSigning"])
        .arg("-keyout")
        .arg(key)
        .arg("-out")
        .arg(chain);
    output(&mut command).context("making a test certificate")?;
    fs::set_permissions(key, fs::Permissions::from_mode(0o600))
        .with_context(|| format!("cannot protect {}", key.display()))
}

fn read_pfx(openssl: &Path, file: &Path, password: &str, what: &[&str], into: &Path) -> Result<()> {
    let read = |legacy: &[&str]| {
        output(
            Command::new(openssl)
                .args(["pkcs12", "-in"])
                .arg(file)
                .args(["-passin", &format!("env:{PASSWORD}")])
                .args(what)
                .args(legacy)
                .arg("-out")
                .arg(into)
                .env(PASSWORD, password),
        )
    };
    // Files that older versions of Windows exported use ciphers that OpenSSL
    // has put aside.
    let Err(error) = read(&[]).or_else(|_| read(&["-legacy"])) else {
        return Ok(());
    };
    if error.to_string().contains("invalid password") {
        bail!(
            "{}: wrong password; give the right one with --pfx-password or in {PASSWORD}",
            file.display()
        );
    }
    Err(error.context(format!("{} cannot be read as a PFX file", file.display())))
}

fn to_der(openssl: &Path, pem: &Path) -> Result<Vec<u8>> {
    output(
        Command::new(openssl)
            .args(["x509", "-outform", "DER", "-in"])
            .arg(pem),
    )
}

/// Runs a program quietly; its messages are shown if it fails.
pub fn output(command: &mut Command) -> Result<Vec<u8>> {
    let program = command.get_program().to_owned();
    let program = Path::new(&program)
        .file_name()
        .unwrap_or(OsStr::new("?"))
        .to_string_lossy();
    let output = command
        .output()
        .with_context(|| format!("cannot start {program}"))?;
    if !output.status.success() {
        let messages = [output.stdout, output.stderr].concat();
        bail!("{program}: {}", String::from_utf8_lossy(&messages).trim());
    }
    Ok(output.stdout)
}
