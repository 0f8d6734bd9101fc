//! Which images are loaded, and what the others are told.

use crate::code;
use crate::shipped::Image;

#[track_caller]
fn assert_refused(image: &Image, cause: &str) {
    let error = image.load_error().to_string();
    assert!(error.contains("procmon.sys: "), "no file in: {error}");
    assert!(error.contains(cause), "no {cause:?} in: {error}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let kernel = ntsim::Kernel::builder().build().unwrap();
    let error = kernel
        .load_driver("/nowhere/x.sys".as_ref(), "x")
        .unwrap_err();
    assert!(error.to_string().contains("/nowhere/x.sys"), "{error}");
}

#[test]
fn other_machines_are_refused() {
    let image = Image::shipped();
    let machine = image.optional_header() - 20;
    let image = image.patch(machine, &code::OTHER_MACHINE.to_le_bytes());
    assert_refused(&image, &format!("{:#x}", code::OTHER_MACHINE));
}

#[test]
fn other_subsystems_are_refused() {
    let image = Image::shipped();
    let subsystem = image.optional_header() + 68;
    assert_refused(&image.patch(subsystem, &[3]), "is not native");
}

#[test]
fn a_writable_and_executable_section_is_refused() {
    let image = Image::shipped();
    let characteristics = image.first_section_header() + 36;
    // CODE | EXECUTE | READ | WRITE
    let image = image.patch(characteristics, &0xe000_0020_u32.to_le_bytes());
    assert_refused(&image, "writable and executable");
}

#[test]
fn a_section_beyond_the_file_is_refused() {
    let image = Image::shipped();
    let size = image.first_section_header() + 16;
    let image = image.patch(size, &0x7fff_fe00_u32.to_le_bytes());
    assert_refused(&image, "beyond the end of the file");
}

#[test]
fn an_unknown_import_is_named_with_its_module() {
    let image = Image::shipped();
    let name = image.find(b"PsGetProcessExitStatus\0");
    let image = image.patch(name, b"PsGetProcessEggsStatus");
    assert_refused(&image, "PsGetProcessEggsStatus of ntoskrnl.exe");
}

#[test]
fn a_module_that_is_not_the_kernel_is_refused() {
    let image = Image::shipped();
    let name = image.find(b"ntoskrnl.exe\0");
    assert_refused(
        &image.patch(name, b"fltmgr.sys\0\0"),
        "DbgPrint of fltmgr.sys",
    );
}

#[test]
fn an_entry_point_outside_code_is_refused() {
    let image = Image::shipped();
    let entry = image.optional_header() + 16;
    assert_refused(&image.patch(entry, &[0; 4]), "no entry point");
}
