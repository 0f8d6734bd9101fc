//! A package made of a small image, and what must not pass for one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::certificate::{Certificate, output};
use super::{Content, checksum, signing};
use crate::arch::Arch;
use crate::repository;

const DATE: Duration = Duration::from_secs(1_795_400_000);

/// A folder with an image, its symbols and a test certificate.
struct Bench {
    folder: tempfile::TempDir,
    certificate: Certificate,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("image.sys"), image()).unwrap();
        fs::write(folder.path().join("image.pdb"), "symbols").unwrap();
        let certificate = Certificate::test(&folder.path().join("certificate")).unwrap();
        Self {
            folder,
            certificate,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn package(&self, name: &str) -> PathBuf {
        let folder = self.path(name);
        let content = Content {
            arch: Arch::X64,
            version: "1.2.3".to_owned(),
            date: DATE,
            image: &self.path("image.sys"),
            inx: &repository::root().join("procmon.inx"),
            certificate: &self.certificate,
        };
        content
            .write(&folder, &self.path(&format!("{name}.zip")))
            .unwrap();
        folder
    }
}

/// The smallest image that the signing program takes for a driver.
fn image() -> Vec<u8> {
    use object::pe;
    use object::write::pe::{NtHeaders, Writer};

    let mut bytes = Vec::new();
    let mut writer = Writer::new(true, 0x1000, 0x200, &mut bytes);
    writer.reserve_dos_header_and_stub();
    writer.reserve_nt_headers(16);
    writer.reserve_section_headers(1);
    let code = [0xc3; 0x2000];
    let range = writer.reserve_text_section(u32::try_from(code.len()).unwrap());
    writer.write_dos_header_and_stub().unwrap();
    writer.write_nt_headers(NtHeaders {
        machine: pe::IMAGE_FILE_MACHINE_AMD64,
        time_date_stamp: 0,
        characteristics: pe::IMAGE_FILE_EXECUTABLE_IMAGE,
        major_linker_version: 14,
        minor_linker_version: 0,
        address_of_entry_point: range.virtual_address,
        image_base: 0x1_4000_0000,
        major_operating_system_version: 10,
        minor_operating_system_version: 0,
        major_image_version: 0,
        minor_image_version: 0,
        major_subsystem_version: 10,
        minor_subsystem_version: 0,
        subsystem: pe::IMAGE_SUBSYSTEM_NATIVE,
        dll_characteristics: pe::IMAGE_DLLCHARACTERISTICS_FORCE_INTEGRITY,
        size_of_stack_reserve: 0x10_0000,
        size_of_stack_commit: 0x1000,
        size_of_heap_reserve: 0x10_0000,
        size_of_heap_commit: 0x1000,
    });
    writer.write_section_headers();
    writer.write_section(range.file_offset, &code);
    bytes
}

/// A copy of `file` with the byte at `offset` changed.
fn flip(file: &Path, offset: usize) -> PathBuf {
    let mut bytes = fs::read(file).unwrap();
    bytes[offset] ^= 0x10;
    let copy = file.with_file_name("flipped");
    fs::write(&copy, bytes).unwrap();
    copy
}

#[test]
fn a_package_holds_what_it_promises() {
    let bench = Bench::new();
    let folder = bench.package("x64");
    let mut names: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "README.txt",
            "SHA256SUMS",
            "debug-print-filter.reg",
            "install.cmd",
            "procmon.cat",
            "procmon.cer",
            "procmon.inf",
            "procmon.pdb",
            "procmon.sys",
            "uninstall.cmd",
        ],
    );
    for name in [
        "install.cmd",
        "uninstall.cmd",
        "procmon.inf",
        "README.txt",
        "debug-print-filter.reg",
    ] {
        let text = fs::read_to_string(folder.join(name)).unwrap();
        assert!(text.is_ascii(), "{name}");
        assert_eq!(
            text.matches("\r\n").count(),
            text.matches('\n').count(),
            "{name}"
        );
        // "@echo off" is the only sign of its kind that is meant to be there.
        assert!(
            !text.replace("@echo", "").contains('@'),
            "{name} has a place not filled in"
        );
    }
    let mut check = Command::new("sha256sum");
    check
        .args(["--check", "--strict", "SHA256SUMS"])
        .current_dir(&folder);
    output(&mut check).unwrap();
}

#[test]
fn the_same_date_and_certificate_make_the_same_package() {
    let bench = Bench::new();
    let zips = ["x64", "again"].map(|name| {
        bench.package(name);
        fs::read(bench.path(&format!("{name}.zip"))).unwrap()
    });
    assert!(zips[0] == zips[1]);
}

#[test]
fn a_changed_byte_of_the_image_is_found() {
    let bench = Bench::new();
    let driver = bench.package("x64").join("procmon.sys");
    signing::verify(&driver, &bench.certificate).unwrap();
    checksum::verify(&driver).unwrap();

    let changed = flip(&driver, 0x1234);
    signing::verify(&changed, &bench.certificate).unwrap_err();
    checksum::verify(&changed).unwrap_err();
}

#[test]
fn the_signature_has_a_digest_of_each_page() {
    let bench = Bench::new();
    let driver = fs::read(bench.package("x64").join("procmon.sys")).unwrap();
    // SPC_PE_IMAGE_PAGE_HASHES_V2_OBJID: 1.3.6.1.4.1.311.2.3.2.
    let identifier = [0x06, 0x0a, 0x2b, 6, 1, 4, 1, 0x82, 0x37, 2, 3, 2];
    assert!(
        driver
            .windows(identifier.len())
            .any(|bytes| bytes == identifier)
    );
}

#[test]
fn the_catalog_vouches_for_the_package_and_for_nothing_else() {
    let bench = Bench::new();
    let folder = bench.package("x64");
    let (driver, catalog) = (folder.join("procmon.sys"), folder.join("procmon.cat"));
    signing::verify_member(&driver, &catalog, &bench.certificate).unwrap();
    signing::verify_member(&flip(&driver, 0x1234), &catalog, &bench.certificate).unwrap_err();

    // OpenSSL reads the structure, and sha256sum digests the INF.
    let structure = structure(&catalog);
    let inf = digest(&folder.join("procmon.inf"));
    assert_eq!(structure.matches(&inf).count(), 2, "{inf} in {structure}");
    let changed = digest(&flip(&folder.join("procmon.inf"), 100));
    assert!(!structure.contains(&changed));
}

#[test]
fn a_changed_byte_of_the_catalog_is_found() {
    let bench = Bench::new();
    let catalog = bench.package("x64").join("procmon.cat");
    signing::verify(&catalog, &bench.certificate).unwrap();
    // Within the digest of a member, far from any length.
    let bytes = fs::read(&catalog).unwrap();
    let digest = [0x04, 0x20];
    let member = bytes.windows(2).position(|pair| pair == digest).unwrap();
    signing::verify(&flip(&catalog, member + 9), &bench.certificate).unwrap_err();
}

#[test]
fn the_catalog_is_built_as_windows_builds_it() {
    let bench = Bench::new();
    let structure = structure(&bench.package("x64").join("procmon.cat"));
    for (object, count) in [
        ("pkcs7-signedData", 1),
        ("1.3.6.1.4.1.311.10.1", 2), // the list, as content and as signed attribute
        ("1.3.6.1.4.1.311.12.1.1", 1), // szOID_CATALOG_LIST
        ("1.3.6.1.4.1.311.12.1.3", 1), // szOID_CATALOG_LIST_MEMBER2
        ("1.3.6.1.4.1.311.12.2.3", 4), // CAT_MEMBERINFO2: two digests, two files
        ("1.3.6.1.4.1.311.12.2.1", 9), // OSAttr and File of each, OS of the list
        ("1.3.6.1.4.1.311.2.1.4", 2), // SPC_INDIRECT_DATA of each SHA-256
        ("1.3.6.1.4.1.311.2.1.15", 1), // SPC_PE_IMAGE_DATA: the image
        ("1.3.6.1.4.1.311.2.1.25", 1), // the INF
    ] {
        let found = structure
            .lines()
            .filter(|line| line.ends_with(&format!(":{object}")))
            .count();
        assert_eq!(found, count, "{object} in {structure}");
    }
}

#[test]
fn a_pfx_file_signs() {
    let bench = Bench::new();
    let pfx = export(&bench, "right");
    let certificate = Certificate::from_pfx(&pfx, "right".to_owned(), bench.folder.path()).unwrap();
    let bench = Bench {
        certificate,
        ..bench
    };
    let driver = bench.package("x64").join("procmon.sys");
    signing::verify(&driver, &bench.certificate).unwrap();
}

#[test]
fn a_wrong_password_is_named() {
    let bench = Bench::new();
    let pfx = export(&bench, "right");
    let error = Certificate::from_pfx(&pfx, "wrong".to_owned(), bench.folder.path())
        .err()
        .unwrap();
    assert!(error.to_string().contains("wrong password"), "{error:#}");
}

#[test]
fn a_certificate_without_its_issuer_is_explained() {
    let bench = Bench::new();
    let path = |name: &str| bench.path(name).into_os_string().into_string().unwrap();
    let (key, request, leaf, pfx) = (path("l.key"), path("l.csr"), path("l.pem"), path("l.pfx"));
    let issuer = bench.certificate.chain.to_str().unwrap();
    let issuer_key = path("certificate/key.pem");
    for arguments in [
        &[
            "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=leaf", "-keyout", &key, "-out",
            &request,
        ][..],
        &[
            "x509",
            "-req",
            "-in",
            &request,
            "-CA",
            issuer,
            "-CAkey",
            &issuer_key,
            "-set_serial",
            "1",
            "-out",
            &leaf,
        ],
        &[
            "pkcs12", "-export", "-passout", "pass:p", "-inkey", &key, "-in", &leaf, "-out", &pfx,
        ],
    ] {
        output(Command::new("openssl").args(arguments)).unwrap();
    }
    let error = Certificate::from_pfx(Path::new(&pfx), "p".to_owned(), bench.folder.path())
        .err()
        .unwrap();
    assert!(
        error.to_string().contains("all certificates above it"),
        "{error:#}"
    );
}

#[test]
fn a_failure_leaves_the_last_package_alone() {
    let bench = Bench::new();
    let folder = bench.package("x64");
    let before = fs::read(folder.join("procmon.sys")).unwrap();
    fs::remove_file(bench.path("image.pdb")).unwrap();
    let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| bench.package("x64")));
    assert!(failed.is_err());
    assert_eq!(fs::read(folder.join("procmon.sys")).unwrap(), before);
    let partial = fs::read_dir(bench.folder.path()).unwrap().any(|entry| {
        entry
            .unwrap()
            .file_name()
            .to_string_lossy()
            .starts_with(".partial-")
    });
    assert!(!partial);
}

/// The bench's certificate in a PFX file.
fn export(bench: &Bench, password: &str) -> PathBuf {
    let pfx = bench.path("own.pfx");
    let mut export = Command::new("openssl");
    export.args(["pkcs12", "-export", "-passout", &format!("pass:{password}")]);
    export.arg("-inkey").arg(bench.path("certificate/key.pem"));
    export
        .arg("-in")
        .arg(&bench.certificate.chain)
        .arg("-out")
        .arg(&pfx);
    output(&mut export).unwrap();
    pfx
}

fn structure(catalog: &Path) -> String {
    let mut parse = Command::new("openssl");
    parse
        .args(["asn1parse", "-inform", "DER", "-in"])
        .arg(catalog);
    String::from_utf8(output(&mut parse).unwrap()).unwrap()
}

fn digest(file: &Path) -> String {
    let sum = output(Command::new("sha256sum").arg(file)).unwrap();
    String::from_utf8(sum[..64].to_vec())
        .unwrap()
        .to_uppercase()
}
