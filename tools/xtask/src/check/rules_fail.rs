//! Each rule fails on an image that breaks it, and on that image no other does.
//!
//! The images are the driver's own release image with a few bytes changed.

use object::pe::IMAGE_DIRECTORY_ENTRY_DEBUG;

use super::all_rules;
use super::image::{Image, checksum_offset};
use crate::arch::Arch;

fn driver() -> Image {
    Image::open(&driver_images::procmon(), Arch::X64).expect("the driver's image opens")
}

/// The rules that `image` breaks.
fn broken(image: &Image) -> Vec<&'static str> {
    all_rules(image.arch)
        .filter(|rule| (rule.check)(image).is_err())
        .map(|rule| rule.name)
        .collect()
}

/// Where the optional header lies in the file.
fn optional_header(image: &Image) -> usize {
    checksum_offset(&image.bytes).unwrap() - 64
}

/// Makes the checksum right again after a change.
fn sign_off(mut image: Image) -> Image {
    let checksum = image.computed_checksum().unwrap();
    let offset = checksum_offset(&image.bytes).unwrap();
    image.bytes[offset..offset + 4].copy_from_slice(&checksum.to_le_bytes());
    image
}

/// The release image with the bytes at `offset` in its optional header changed.
fn with_header(offset: usize, change: impl Fn(&mut u8)) -> Image {
    let mut image = driver();
    let offset = optional_header(&image) + offset;
    change(&mut image.bytes[offset]);
    sign_off(image)
}

/// The release image with the only occurrence of `from` replaced.
fn with_replaced(from: &[u8], to: &[u8]) -> Image {
    assert_eq!(from.len(), to.len());
    let mut image = driver();
    let positions: Vec<_> = (0..image.bytes.len() - from.len())
        .filter(|&start| image.bytes[start..].starts_with(from))
        .collect();
    assert_eq!(positions.len(), 1, "{from:?} is in the image once");
    image.bytes[positions[0]..positions[0] + to.len()].copy_from_slice(to);
    sign_off(image)
}

#[test]
fn the_driver_breaks_none() {
    assert_eq!(broken(&driver()), [""; 0]);
}

#[test]
fn another_subsystem() {
    let console = with_header(68, |byte| *byte = 3);
    assert_eq!(
        broken(&console),
        ["image for the processor and the native subsystem"]
    );
}

#[test]
fn another_machine() {
    let mut image = driver();
    let machine = optional_header(&image) - 20;
    image.bytes[machine..machine + 2].copy_from_slice(&0xaa64u16.to_le_bytes());
    assert_eq!(
        broken(&sign_off(image)),
        ["image for the processor and the native subsystem"]
    );
}

#[test]
fn no_forced_integrity() {
    let image = with_header(70, |byte| *byte &= !0x80);
    assert_eq!(broken(&image), ["signature enforced (/INTEGRITYCHECK)"]);
}

#[test]
fn executable_data() {
    let image = with_header(71, |byte| *byte &= !0x01);
    assert_eq!(broken(&image), ["data never executed (/NXCOMPAT)"]);
}

#[test]
fn fixed_address() {
    let image = with_header(70, |byte| *byte &= !0x40);
    assert_eq!(
        broken(&image),
        ["loaded at a random address (/DYNAMICBASE)"]
    );
}

#[test]
fn writable_code() {
    // The last byte of the first section's characteristics: its protection.
    let image = with_header(240 + 39, |byte| *byte |= 0x80);
    assert_eq!(broken(&image), ["no section both writable and executable"]);
}

#[test]
fn a_changed_byte() {
    let mut image = driver();
    *image.bytes.last_mut().unwrap() ^= 0xff;
    assert_eq!(broken(&image), ["checksum valid (/RELEASE)"]);
}

#[test]
fn too_large() {
    let mut image = driver();
    image.bytes.resize(16 * 1024 + 8, 0);
    assert_eq!(broken(&sign_off(image)), ["at most 16 KiB"]);
}

#[test]
fn another_import() {
    let image = with_replaced(b"\0ZwClose\0", b"\0ZwYield\0");
    assert_eq!(broken(&image), ["imports exactly the expected routines"]);
}

#[test]
fn an_import_of_another_module() {
    let image = with_replaced(b"ntoskrnl.exe", b"ntdll.dll\0\0\0");
    assert_eq!(broken(&image), ["imports exactly the expected routines"]);
}

#[test]
fn symbols_of_another_build() {
    let guid = driver().symbols.guid;
    let image = with_replaced(&guid, &[0x5a; 16]);
    assert_eq!(broken(&image), ["symbols belong to the image"]);

    let mut older = driver();
    older.symbols.age += 1;
    assert_eq!(broken(&older), ["symbols belong to the image"]);
}

#[test]
fn another_entry_point() {
    let image = with_header(16, |byte| *byte ^= 0x10);
    assert_eq!(broken(&image), ["starts at DriverEntry"]);
}

#[test]
fn a_function_without_a_name() {
    for lost in ["driver_entry", "driver_unload", "notify::notify"] {
        let mut image = driver();
        image
            .symbols
            .functions
            .retain(|(name, _)| !name.contains(lost));
        assert_eq!(
            broken(&image),
            ["symbols name the driver's functions"],
            "{lost}"
        );
    }
}

#[test]
fn another_version() {
    // VS_FIXEDFILEINFO: its signature, the structure's version, the file's.
    let changed = {
        let mut image = driver();
        let fixed = 0xfeef_04bd_u32.to_le_bytes();
        let start = image
            .bytes
            .windows(4)
            .position(|word| word == fixed)
            .unwrap();
        image.bytes[start + 8] ^= 0x40;
        sign_off(image)
    };
    assert_eq!(broken(&changed), ["version resource of this version"]);
}

#[test]
fn no_version_resource() {
    let signature = 0xfeef_04bd_u32.to_le_bytes();
    let changed = with_replaced(&signature, &[0; 4]);
    assert_eq!(broken(&changed), ["version resource of this version"]);
}

/// The release image with one byte at a file offset changed.
fn with_byte(offset: usize, change: impl Fn(&mut u8)) -> Image {
    let mut image = driver();
    change(&mut image.bytes[offset]);
    sign_off(image)
}

/// Where a section's header lies in the file.
fn section_header(image: &Image, name: &[u8]) -> usize {
    let headers = optional_header(image) + 240;
    (headers..image.bytes.len())
        .step_by(40)
        .find(|&start| image.bytes[start..].starts_with(name))
        .expect("the section is there")
}

/// Where the debug directory's entry of a type lies in the file, and its data.
fn debug_entry(image: &Image, kind: u32) -> (usize, usize) {
    let pe = image.pe().unwrap();
    let directory = pe
        .data_directory(IMAGE_DIRECTORY_ENTRY_DEBUG)
        .unwrap()
        .data(pe.data(), &pe.section_table())
        .unwrap();
    let start = directory.as_ptr().addr() - image.bytes.as_ptr().addr();
    let field = |entry: &[u8], at: usize| u32::from_le_bytes(*entry[at..].first_chunk().unwrap());
    let (index, entry) = directory
        .chunks_exact(28)
        .enumerate()
        .find(|(_, entry)| field(entry, 12) == kind)
        .expect("the entry is there");
    (start + index * 28, field(entry, 24) as usize)
}

#[test]
fn calls_without_guard() {
    let image = with_header(71, |byte| *byte &= !0x40);
    assert_eq!(
        broken(&image),
        ["indirect calls guarded, their targets listed (/guard:cf)"]
    );
}

#[test]
fn no_shadow_stacks() {
    let (_, data) = debug_entry(&driver(), 20);
    let image = with_byte(data, |byte| *byte &= !1);
    assert_eq!(broken(&image), ["shadow stacks supported (/CETCOMPAT)"]);
}

#[test]
fn a_section_inside_a_page() {
    let reloc = section_header(&driver(), b".reloc");
    let image = with_byte(reloc + 13, |byte| *byte |= 0x08);
    assert!(broken(&image).contains(&"sections on pages of their own"));
}

#[test]
fn initialisation_that_stays() {
    let init = section_header(&driver(), b"INIT");
    let image = with_byte(init + 39, |byte| *byte &= !0x02);
    assert_eq!(broken(&image), ["initialisation in a discardable section"]);
}

#[test]
fn an_export_directory() {
    // The address in the first of the data directories.
    let image = with_header(112 + 1, |byte| *byte = 0x20);
    assert_eq!(broken(&image), ["no exports"]);
}

#[test]
fn a_time_instead_of_a_hash() {
    let (entry, _) = debug_entry(&driver(), 16);
    let image = with_byte(entry + 12, |byte| *byte = 10);
    assert_eq!(
        broken(&image),
        ["no time and no folder in the image (/BREPRO, /PDBALTPATH)"]
    );
}
