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
        "src/nt/handle.rs",
        "let status = unsafe { ZwClose(self.0) };",
        "let status = wdk_sys::STATUS_SUCCESS;",
    ),
    defect(
        "handle closed twice",
        "src/nt/handle.rs",
        "let status = unsafe { ZwClose(self.0) };",
        "let status = unsafe { ZwClose(self.0) | ZwClose(self.0) };",
    ),
    defect(
        "handle that the creating process can use",
        "src/nt/process.rs",
        "self.object.cast(),
                OBJ_KERNEL_HANDLE,",
        "self.object.cast(),
                0,",
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
        "status: u32 = event.exit_status.cast_unsigned(),
            lifetime: u64 = event.lifetime_ms,
            key",
        "status: u32 = 0,
            lifetime: u64 = event.lifetime_ms,
            key",
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
    defect(
        "token's handle not closed",
        "src/event.rs",
        "process.open_token().map_or(",
        "process.open_token().map(core::mem::ManuallyDrop::new).map_or(",
    ),
    defect(
        "token's handle that the creating process can use",
        "src/nt/process.rs",
        "TOKEN_QUERY,
                OBJ_KERNEL_HANDLE,",
        "TOKEN_QUERY,
                0,",
    ),
    defect(
        "integrity level of the user's SID",
        "src/nt/token.rs",
        "self.sid(TokenIntegrityLevel)",
        "self.sid(TokenUser)",
    ),
    defect(
        "logon's halves exchanged",
        "src/nt/token.rs",
        "u64::from(id.HighPart.cast_unsigned()) << 32 | u64::from(id.LowPart)",
        "u64::from(id.LowPart) << 32 | u64::from(id.HighPart.cast_unsigned())",
    ),
    defect(
        "start key of the creator",
        "src/nt/process.rs",
        "unsafe { get(self.object) }",
        "unsafe { get(wdk_sys::ntddk::IoGetCurrentProcess()) }",
    ),
    defect(
        "provider not unregistered",
        "src/lib.rs",
        "drop(self.provider);",
        "core::mem::forget(self.provider);",
    ),
    defect(
        "provider left registered where the load fails",
        "src/lib.rs",
        "let notify = Registration::new()?;",
        "let provider = core::mem::ManuallyDrop::new(provider);
        let notify = Registration::new()?;
        let provider = core::mem::ManuallyDrop::into_inner(provider);",
    ),
    defect(
        "provider without its traits",
        "src/nt/provider.rs",
        "self.set_traits(handle)?;",
        "",
    ),
    defect(
        "provider of another name",
        "src/trace.rs",
        "const PROVIDER_NAME: &str = \"Procmon-Driver\";",
        "const PROVIDER_NAME: &str = \"Procmon Driver\";",
    ),
    defect(
        "creation written whether or not a session listens",
        "src/trace.rs",
        "if PROVIDER.is_enabled(&PROCESS_CREATE) {",
        "if PROVIDER.is_enabled(&PROCESS_CREATE) || true {",
    ),
    defect(
        "exit written as a creation",
        "src/trace.rs",
        "descriptor(2)",
        "descriptor(1)",
    ),
    defect(
        "events without a keyword",
        "src/trace.rs",
        "Keyword: 0x1,",
        "Keyword: 0,",
    ),
    defect(
        "fields of an event exchanged in its metadata",
        "src/trace.rs",
        "Field::shown_as(\"ParentProcessId\", InType::UInt32, OutType::Pid),
    Field::shown_as(\"CreatingProcessId\", InType::UInt32, OutType::Pid),",
        "Field::shown_as(\"CreatingProcessId\", InType::UInt32, OutType::Pid),
    Field::shown_as(\"ParentProcessId\", InType::UInt32, OutType::Pid),",
    ),
    defect(
        "field of an event of another type",
        "src/trace.rs",
        "Field::new(\"LifetimeMs\", InType::UInt64)",
        "Field::new(\"LifetimeMs\", InType::HexInt64)",
    ),
    defect(
        "field of an event displayed as another kind",
        "src/trace.rs",
        "\"CreationStatus\", InType::Int32, OutType::NtStatus",
        "\"CreationStatus\", InType::Int32, OutType::Pid",
    ),
    defect(
        "display types announced but missing in the metadata",
        "src/trace_logging.rs",
        "if field.out_type as u8 == OutType::Default as u8 {
            block.byte(field.in_type as u8);",
        "if field.out_type as u8 == OutType::Default as u8 {
            block.byte(field.in_type as u8 | HAS_OUT_TYPE);",
    ),
    defect(
        "fields of an event padded",
        "src/trace.rs",
        "#[repr(C, packed)]
struct CreateData",
        "#[repr(C)]
struct CreateData",
    ),
    defect(
        "counted text of a wrong length",
        "src/trace.rs",
        "size_of_val(text) as u16",
        "text.len() as u16",
    ),
    defect(
        "texts of an event exchanged",
        "src/trace.rs",
        "DataDescriptor::of(&byte_count(name.first)),
            DataDescriptor::of_slice(name.first),
            DataDescriptor::of(&byte_count(command_line.first)),
            DataDescriptor::of_slice(command_line.first),",
        "DataDescriptor::of(&byte_count(command_line.first)),
            DataDescriptor::of_slice(command_line.first),
            DataDescriptor::of(&byte_count(name.first)),
            DataDescriptor::of_slice(name.first),",
    ),
    defect(
        "rest of a command line not written",
        "src/trace.rs",
        "    write_rest(event, TextField::CommandLine, command_line.rest);
",
        "",
    ),
    defect(
        "rest of a name written as a command line's",
        "src/trace.rs",
        "write_rest(event, TextField::ImageName, name.rest)",
        "write_rest(event, TextField::CommandLine, name.rest)",
    ),
    defect(
        "rest of a text at a wrong offset",
        "src/trace.rs",
        "let mut offset = UNITS;",
        "let mut offset = 0;",
    ),
    defect(
        "offsets of a text counted in bytes",
        "src/trace.rs",
        "offset += text.len();",
        "offset += size_of_val(text);",
    ),
    defect(
        "text too long for an event",
        "src/trace.rs",
        "pub const UNITS: usize = 7_000;",
        "pub const UNITS: usize = 7_001;",
    ),
    defect(
        "flag of a partial name missing",
        "src/trace.rs",
        "flag(flags::NAME_IS_PARTIAL, !creation.image_file_name_is_exact())",
        "flag(flags::NAME_IS_PARTIAL, false)",
    ),
    defect(
        "flag of a missing command line missing",
        "src/trace.rs",
        "flag(flags::NO_COMMAND_LINE, command_line.is_missing)",
        "flag(flags::NO_COMMAND_LINE, false)",
    ),
    defect(
        "flag of an unknown token missing",
        "src/trace.rs",
        "flag(flags::TOKEN_UNKNOWN, !identity.is_known())",
        "flag(flags::TOKEN_UNKNOWN, false)",
    ),
    defect(
        "flag of an unknown start key missing",
        "src/trace.rs",
        "flag(flags::START_KEY_UNKNOWN, event.start_key.is_none())",
        "flag(flags::START_KEY_UNKNOWN, false)",
    ),
    defect(
        "flag of a command line that continues missing",
        "src/trace.rs",
        "flag(flags::COMMAND_LINE_CONTINUES, !command_line.rest.is_empty())",
        "flag(flags::COMMAND_LINE_CONTINUES, false)",
    ),
    defect(
        "user not from the token",
        "src/trace.rs",
        "let user = event.identity.user.as_ref();",
        "let user = event.identity.user.as_ref().filter(|_| false);",
    ),
    defect(
        "refusal not in the event",
        "src/trace.rs",
        "creation_status: creation.status(),",
        "creation_status: 0,",
    ),
    defect(
        "exit written without its start key",
        "src/trace.rs",
        "start_key: event.start_key.unwrap_or_default(),
        lifetime_ms",
        "start_key: 0,
        lifetime_ms",
    ),
    defect(
        "exit written without its lifetime",
        "src/trace.rs",
        "lifetime_ms: event.lifetime_ms,",
        "lifetime_ms: 0,",
    ),
    defect(
        "exit written without its create time",
        "src/trace.rs",
        "create_time: event.create_time,
        start_key: event.start_key.unwrap_or_default(),
        lifetime_ms",
        "create_time: 1,
        start_key: event.start_key.unwrap_or_default(),
        lifetime_ms",
    ),
    defect(
        "provider unregistered before the callback is removed",
        "src/lib.rs",
        "        if let Err(failure) = self.notify.remove() {
            report::not_removed(failure);
        }
        drop(self.provider);
",
        "        drop(self.provider);
        if let Err(failure) = self.notify.remove() {
            report::not_removed(failure);
        }
",
    ),
    defect(
        "exit written whether or not a session listens",
        "src/trace.rs",
        "if PROVIDER.is_enabled(&PROCESS_EXIT) {",
        "if PROVIDER.is_enabled(&PROCESS_EXIT) || true {",
    ),
    defect(
        "rest of a command line written before that of a name",
        "src/trace.rs",
        "    write_rest(event, TextField::ImageName, name.rest);
    write_rest(event, TextField::CommandLine, command_line.rest);
",
        "    write_rest(event, TextField::CommandLine, command_line.rest);
    write_rest(event, TextField::ImageName, name.rest);
",
    ),
    defect(
        "flag of a name that continues missing",
        "src/trace.rs",
        "flag(flags::NAME_CONTINUES, !name.rest.is_empty())",
        "flag(flags::NAME_CONTINUES, false)",
    ),
    defect(
        "flag of a 32-bit process missing",
        "src/trace.rs",
        "flag(flags::WOW64, is_wow64)",
        "flag(flags::WOW64, false)",
    ),
    defect(
        "flag of an unknown bitness missing",
        "src/trace.rs",
        "flag(flags::BITNESS_UNKNOWN, event.is_wow64.is_err())",
        "flag(flags::BITNESS_UNKNOWN, false)",
    ),
    defect(
        "flag of an unknown session missing",
        "src/trace.rs",
        "flag(flags::SESSION_UNKNOWN, event.session.is_none())",
        "flag(flags::SESSION_UNKNOWN, false)",
    ),
];
