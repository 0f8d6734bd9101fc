//! The events that the driver writes, byte for byte as Microsoft's own encoder
//! builds them of the same fields.

use ntsim::tracing::TraceRecord;
use ntsim::{ProcessCreation, ProcessExit};
use tracelogging_dynamic::{EventBuilder, Guid, OutType};

use crate::encoder::{event, parts};
use crate::events::{Machine, UNITS, unusual};

#[track_caller]
fn assert_same(event: &TraceRecord, builder: &EventBuilder) {
    let (metadata, payload) = parts(builder);
    let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
    let schema = event.schema.as_deref().unwrap();
    assert_eq!(text(schema), text(&metadata));
    assert_eq!(text(&event.payload), text(&payload));
}

#[test]
fn events_are_encoded_as_microsoft_encodes_them() {
    const CREATE_TIME: i64 = 0x01dc_5d00_1234_5678;
    const REPARENTED: u32 = 0x1;
    const NAME_IS_PARTIAL: u32 = 0x2;
    const WOW64: u32 = 0x10;
    const COMMAND_LINE_CONTINUES: u32 = 0x400;
    let machine = Machine::listening();
    let driver = machine.load();
    let process = ProcessCreation {
        image_file_name: Some(r"\??\C:\程序.exe".encode_utf16().collect()),
        create_time: Some(CREATE_TIME),
        start_key: Some(0x2_0000_0000_0a41),
        ..unusual(UNITS + 3)
    };
    let status = 0xc000_0005_u32;
    let exit = ProcessExit {
        process_id: process.process_id,
        thread_id: 0x1a30,
        exit_status: status.cast_signed(),
    };
    machine.kernel.create_process(&process).unwrap();
    machine.kernel.exit_process(exit).unwrap();
    let events = machine.events.take();
    let [create, rest, exit] = &events[..] else {
        panic!("{} events", events.len());
    };

    let user = process.token.user;
    let mut sid = vec![1, 15, 0, 1, 0, 0, 0, 0];
    sid.extend(user.sub_authorities().iter().flat_map(|n| n.to_le_bytes()));
    let name = process.image_file_name.unwrap();
    let command_line = process.command_line.unwrap();
    let (first, second) = command_line.split_at(UNITS);
    let mut builder = event("ProcessCreate");
    builder
        .add_u32("ProcessId", 0x2b3c, OutType::Pid, 0)
        .add_u32("ParentProcessId", 0x2f8, OutType::Pid, 0)
        .add_u32("CreatingProcessId", 0x10f4, OutType::Pid, 0)
        .add_u32("CreatingThreadId", 0x1a38, OutType::Tid, 0)
        .add_filetime("CreateTime", CREATE_TIME, OutType::Default, 0)
        .add_hex64("StartKey", 0x2_0000_0000_0a41, OutType::Default, 0)
        .add_u32("SessionId", 7, OutType::Default, 0)
        .add_hex64("LogonId", u64::MAX, OutType::Default, 0)
        .add_hex32("IntegrityLevel", 0x2345, OutType::Default, 0)
        .add_i32("CreationStatus", 0, OutType::NtStatus, 0)
        .add_hex32(
            "Flags",
            REPARENTED | NAME_IS_PARTIAL | WOW64 | COMMAND_LINE_CONTINUES,
            OutType::Default,
            0,
        )
        .add_sid("User", sid, OutType::Default, 0)
        .add_str16("ImageName", name, OutType::Default, 0)
        .add_str16("CommandLine", first, OutType::Default, 0);
    assert_same(create, &builder);

    let mut builder = event("ProcessText");
    builder
        .add_u32("ProcessId", 0x2b3c, OutType::Pid, 0)
        .add_filetime("CreateTime", CREATE_TIME, OutType::Default, 0)
        .add_u8("Field", 2, OutType::Default, 0)
        .add_u32("Offset", 7_000, OutType::Default, 0)
        .add_str16("Text", second, OutType::Default, 0);
    assert_same(rest, &builder);

    // How long it lived since that time is not known here.
    let lifetime = u64::from_le_bytes(exit.payload[20..28].try_into().unwrap());
    let mut builder = event("ProcessExit");
    builder
        .add_u32("ProcessId", 0x2b3c, OutType::Pid, 0)
        .add_filetime("CreateTime", CREATE_TIME, OutType::Default, 0)
        .add_hex64("StartKey", 0x2_0000_0000_0a41, OutType::Default, 0)
        .add_u64("LifetimeMs", lifetime, OutType::Default, 0)
        .add_hex32("ExitStatus", status, OutType::NtStatus, 0);
    assert_same(exit, &builder);
    machine.unload(driver);
}

#[test]
fn the_provider_is_the_hash_of_its_name() {
    let machine = Machine::listening();
    let driver = machine.load();
    let events = machine.announce(&(&unusual(1)).into());
    let id = events[0].provider.braced().to_string().to_lowercase();
    let of_name = Guid::from_name("Procmon-Driver").to_utf8_bytes();
    let of_name = str::from_utf8(&of_name).unwrap();
    assert_eq!(id, format!("{{{of_name}}}"));
    assert_eq!(
        events[0].traits.as_deref(),
        Some(&b"\x11\0Procmon-Driver\0"[..])
    );
    machine.unload(driver);
}
