//! The defects that are put into the driver.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

/// A defect: a piece of the source, and what takes its place.
pub struct Defect {
    /// What it does, in a few words.
    pub name: &'static str,
    /// The file, from the driver's top level.
    file: &'static str,
    /// What is there, exactly once.
    from: &'static str,
    /// What takes its place.
    to: &'static str,
}

impl Defect {
    /// The text of its file below `root`, with the defect in it.
    pub fn applied(&self, root: &Path) -> Result<String> {
        let file = root.join(self.file);
        let text =
            fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let places = text.matches(self.from).count();
        if places != 1 {
            bail!(
                "{:?} is in {} {places} times, not once",
                self.from,
                self.file
            );
        }
        Ok(text.replacen(self.from, self.to, 1))
    }

    /// Puts the defect into the copy of the driver at `source`.
    pub fn put_into(&self, source: &Path) -> Result<()> {
        let file = source.join(self.file);
        fs::write(&file, self.applied(source)?)
            .with_context(|| format!("cannot write {}", file.display()))
    }
}

const fn defect(
    name: &'static str,
    file: &'static str,
    from: &'static str,
    to: &'static str,
) -> Defect {
    Defect {
        name,
        file,
        from,
        to,
    }
}

/// All of them.
pub const DEFECTS: &[Defect] = &[
    defect(
        "not linked with INTEGRITYCHECK",
        "build.rs",
        "    wdk_build::configure_wdk_binary_build()?;",
        "    wdk_build::configure_wdk_binary_build()?;
    println!(\"cargo::rustc-cdylib-link-arg=/INTEGRITYCHECK:NO\");",
    ),
    defect(
        "no DriverUnload",
        "src/lib.rs",
        "driver.DriverUnload = Some(driver_unload);",
        "driver.DriverUnload = None;",
    ),
    defect(
        "exits counted as creations",
        "src/lib.rs",
        "EXITED.fetch_add(1, Ordering::Relaxed);",
        "CREATED.fetch_add(1, Ordering::Relaxed);",
    ),
    defect(
        "pool allocated in the callback and kept",
        "src/lib.rs",
        "        CREATED.fetch_add(1, Ordering::Relaxed);",
        "        CREATED.fetch_add(1, Ordering::Relaxed);
        let _ = unsafe { wdk_sys::ntddk::ExAllocatePool2(0x40, 32, 0x6b61_654c) };",
    ),
    defect(
        "callback not removed",
        "src/nt/notify.rs",
        "        Self::set(TRUE)\n",
        "        let _ = self;
        Ok(())\n",
    ),
    defect(
        "status of a failed call swallowed",
        "src/nt/failure.rs",
        "if wdk::nt_success(status) {",
        "if wdk::nt_success(status) || true {",
    ),
    defect(
        "creation refused",
        "src/nt/notify.rs",
        "unsafe { create_info.as_ref() }",
        "unsafe {
        if let Some(info) = create_info.as_mut() {
            info.CreationStatus = wdk_sys::STATUS_ACCESS_DENIED;
        }
        create_info.as_ref()
    }",
    ),
    defect(
        "parent and creator taken for equal when they differ",
        "src/nt/notify.rs",
        "self.creating_process() != self.parent()",
        "self.creating_process() == self.parent()",
    ),
    defect(
        "partial names taken for exact ones",
        "src/nt/notify.rs",
        "flags & Self::FILE_OPEN_NAME_AVAILABLE != 0",
        "flags & Self::FILE_OPEN_NAME_AVAILABLE == 0",
    ),
    defect(
        "handle not closed",
        "src/nt/process.rs",
        "let status = unsafe { ZwClose(self.0) };",
        "let status = wdk_sys::STATUS_SUCCESS;",
    ),
    defect(
        "handle closed twice",
        "src/nt/process.rs",
        "let status = unsafe { ZwClose(self.0) };",
        "let status = unsafe { ZwClose(self.0) | ZwClose(self.0) };",
    ),
    defect(
        "handle that the creating process can use",
        "src/nt/process.rs",
        "                OBJ_KERNEL_HANDLE,\n",
        "                0,\n",
    ),
    defect(
        "bitness inverted",
        "src/nt/process.rs",
        "Ok(peb != 0)",
        "Ok(peb == 0)",
    ),
    defect(
        "another session",
        "src/nt/process.rs",
        "Ok(session)",
        "Ok(session + 1)",
    ),
    defect(
        "lifetime in wrong units",
        "src/nt/process.rs",
        "const UNITS_PER_MS: u64 = 10_000;",
        "const UNITS_PER_MS: u64 = 1_000;",
    ),
    defect(
        "lines without a newline",
        "src/nt/print.rs",
        "concat!($format, \"\\n\\0\")",
        "concat!($format, \"\\0\")",
    ),
    defect(
        "NULL name dereferenced",
        "src/nt/string.rs",
        "unsafe { string.as_ref() }?",
        "unsafe { &*string }",
    ),
    defect(
        "string read past its end",
        "src/nt/string.rs",
        "let count = usize::from(bytes / 2);",
        "let count = usize::from(bytes / 2) + 1;",
    ),
    defect(
        "parent shown as the current process",
        "src/report.rs",
        "current: u64 = event.current.as_u64(),\n        parent:",
        "current: u64 = event.creation.parent().as_u64(),\n        parent:",
    ),
    defect(
        "exit status not shown",
        "src/report.rs",
        "status: u32 = event.exit_status.cast_unsigned(),",
        "status: u32 = 0,",
    ),
    defect(
        "command line used as a format",
        "src/report.rs",
        "    print_line!(
        \"[CommandLine 0x%I64x] %wZ\",
        pid: u64 = pid.as_u64(),
        text: &UnicodeString<'_> = &UnicodeString::new(text),
    );",
        "            let mut format = [0u8; 512];
            let text = text.iter().map(|unit| *unit as u8);
            let start = b\"[CommandLine 0x%I64x] \".iter().copied();
            for (to, from) in format.iter_mut().zip(start.chain(text).chain(*b\"\\n\")) {
                *to = from;
            }
            unsafe { wdk_sys::ntddk::DbgPrint(format.as_ptr().cast(), pid.as_u64()) };",
    ),
    defect(
        "command line cut after its first line",
        "src/report.rs",
        "        number += 1;",
        "        number += 1;
        if number > 1 {
            break;
        }",
    ),
    defect(
        "name's lines counted wrong",
        "src/report.rs",
        "let more = name.count_left();",
        "let more = name.count_left() + 1;",
    ),
    defect(
        "lines over the limit",
        "src/text.rs",
        "pub const LINE_BYTES: usize = 264;",
        "pub const LINE_BYTES: usize = 512;",
    ),
    defect(
        "growth by the code page forgotten",
        "src/text.rs",
        "const UNIT_BYTES: usize = 3;",
        "const UNIT_BYTES: usize = 1;",
    ),
    defect(
        "newline not escaped",
        "src/text.rs",
        "0..0x20 | 0x7f..0xa0",
        "0..0xa | 0xb..0x20 | 0x7f..0xa0",
    ),
    defect(
        "line separators not escaped",
        "src/text.rs",
        " | 0x2028 | 0x2029",
        "",
    ),
    defect(
        "escapes that a process can forge",
        "src/text.rs",
        "if completes_escape(rest)",
        "if rest.is_empty() && completes_escape(rest)",
    ),
    defect(
        "lone surrogates not escaped",
        "src/text.rs",
        "matches!(unit, 0xd800..0xe000)",
        "matches!(unit, 0xd800..0xdc00)",
    ),
    defect(
        "bidi control not escaped",
        "src/text.rs",
        "0x202a..=0x202e",
        "0x202a..=0x202d",
    ),
    defect(
        "control by best fit not escaped",
        "src/text.rs",
        "0x25d8 | 0x25d9",
        "0x25d8",
    ),
    defect(
        "refusal by another driver not shown",
        "src/report.rs",
        "event.creation.denied()",
        "event.creation.denied().filter(|_| false)",
    ),
    defect(
        "string without a buffer shown as empty",
        "src/nt/string.rs",
        "    let count = usize::from(bytes / 2);\n",
        "    let count = usize::from(bytes / 2);
    if count == 0 {
        return Some(&[]);
    }
",
    ),
    defect(
        "lifetime to now instead of to the exit",
        "src/nt/process.rs",
        "self.exit_time().unwrap_or_else(system_time)",
        "system_time()",
    ),
    defect(
        "failed removal of the callback not reported",
        "src/lib.rs",
        "report::not_removed(failure);",
        "let _ = failure;",
    ),
];
