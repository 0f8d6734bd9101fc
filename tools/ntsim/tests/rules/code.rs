//! Instructions that kernel code must not use, put where the driver's entry
//! point is.

use std::fs;

use ntsim::{Kernel, Report, Rule};
use object::LittleEndian as LE;
use object::read::pe::PeFile64;

/// What is recorded of the image with `code` in place of its entry point's.
fn recorded(code: &[u8]) -> Vec<Report> {
    let mut data = fs::read(driver_images::breaker()).unwrap();
    let offset = {
        let file = PeFile64::parse(&*data).unwrap();
        let entry = file.nt_headers().optional_header.address_of_entry_point;
        let entry = entry.get(LE);
        let table = file.section_table();
        let section = table.section_containing(entry).unwrap();
        section.pointer_to_raw_data.get(LE) + entry - section.virtual_address.get(LE)
    } as usize;
    data[offset..offset + code.len()].copy_from_slice(code);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("breaker.sys");
    fs::write(&path, data).unwrap();
    fs::copy(
        driver_images::breaker().with_extension("pdb"),
        path.with_extension("pdb"),
    )
    .unwrap();
    let kernel = Kernel::builder().build().unwrap();
    // It may well end badly: the code that was there is not whole any more.
    let _ = kernel.load_driver(&path, "veto");
    let violations = kernel.violations().into_iter();
    violations.map(|violation| violation.report).collect()
}

/// The code ends in a return, so that nothing of the rest is run.
#[track_caller]
fn assert_found(code: &[u8], message: &str) {
    let reports = recorded(code);
    let report = reports.first().expect("something is found");
    assert_eq!(report.rule, Rule::Code);
    assert!(report.message.contains(message), "{report}");
    let frame = report.backtrace.last().unwrap();
    let function = frame.function.as_deref();
    assert!(
        function.is_some_and(|name| name.contains("driver_entry")),
        "{report}"
    );
    assert!(
        frame
            .line
            .as_deref()
            .is_some_and(|line| line.contains("lib.rs:")),
        "{report}"
    );
}

#[cfg(target_arch = "x86_64")]
mod x64 {
    use super::assert_found;

    #[test]
    fn x87_code_is_found() {
        assert_found(&[0xd9, 0xe8, 0xc3], "x87 instruction, fld1");
    }

    #[test]
    fn mmx_code_is_found() {
        assert_found(&[0x0f, 0xef, 0xc0, 0xc3], "MMX instruction, pxor");
    }

    #[test]
    fn avx_code_is_found() {
        assert_found(&[0xc5, 0xfc, 0x57, 0xc0, 0xc3], "AVX instruction, vxorps");
    }

    #[test]
    fn privileged_code_is_found() {
        assert_found(&[0x0f, 0x32, 0xc3], "privileged instruction, rdmsr");
    }
}

#[cfg(target_arch = "aarch64")]
mod arm64 {
    use super::assert_found;

    /// `instruction`, and `ret`.
    fn found(instruction: u32, message: &str) {
        let code = [instruction, 0xd65f_03c0];
        assert_found(bytemuck::must_cast_slice(&code), message);
    }

    #[test]
    fn sve_code_is_found() {
        // cntd x0
        found(0x04e0_e3e0, "SVE instruction");
    }

    #[test]
    fn privileged_code_is_found() {
        // mrs x0, sctlr_el1
        found(0xd538_1000, "privileged instruction, mrs");
        found(0xd400_0002, "privileged instruction, hvc");
    }
}

#[test]
fn what_the_driver_itself_does_is_not_accused() {
    let reports = recorded(&[]);
    assert!(reports.is_empty(), "{reports:?}");
}
