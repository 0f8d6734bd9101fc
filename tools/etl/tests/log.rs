//! Logs that are written, read, cut and damaged.

use std::io::Cursor;

use etl::{Clock, Descriptor, Event, Guid, Item, Log, LogError, Session, Skipped, Writer};
use proptest::prelude::*;

const START: i64 = 134_000_000_000_000_000;

fn session() -> Session {
    Session {
        name: "Session".into(),
        file_name: r"C:\trace.etl".into(),
        buffer_size: 4096,
        start: START,
        boot: START - 5,
        processors: 2,
    }
}

fn event(payload: &[u8]) -> Event<'_> {
    Event {
        provider: Guid::from_fields(1, 2, 3, &[4; 8]),
        descriptor: Descriptor {
            id: 1,
            version: 2,
            channel: 11,
            level: 4,
            opcode: 5,
            task: 6,
            keyword: 1 << 63,
        },
        time: START + 7,
        thread_id: 0x1a38,
        process_id: 0x10f4,
        activity: Guid::from_bytes_le([9; 16]),
        is_string: false,
        items: vec![Item::traits(b"\x07\0Name\0"), Item::schema(b"\x05\0\0E\0")],
        payload,
    }
}

/// A log of these events; which of them were lost is counted.
fn log_of(events: &[Event<'_>]) -> (Vec<u8>, usize) {
    let mut writer = Writer::new(Cursor::new(Vec::new()), &session()).unwrap();
    let mut lost = 0;
    for event in events {
        lost += usize::from(!writer.write(event).unwrap());
    }
    (writer.finish(START + 100).unwrap().into_inner(), lost)
}

#[test]
fn what_is_written_is_read() {
    let payload: Vec<u8> = (0..=255).collect();
    let events: Vec<Event<'_>> = (0..100)
        .map(|index: usize| Event {
            time: START + i64::try_from(index).unwrap(),
            is_string: index.is_multiple_of(7),
            items: event(&[]).items[..index % 3].to_vec(),
            ..event(&payload[..index])
        })
        .collect();
    let (file, lost) = log_of(&events);
    let log = Log::read(&file).unwrap();
    assert_eq!(log.events, events);
    assert_eq!((log.skipped, lost), (Skipped::default(), 0));
    assert_eq!(log.events[2].provider_name(), Some("Name"));
    let header = log.header;
    assert_eq!(header.session, "Session");
    assert_eq!((header.start, header.end), (START, START + 100));
    assert_eq!(header.clock, Clock::SystemTime);
    assert_eq!((header.buffer_size, header.processors), (4096, 2));
    assert_eq!((header.events_lost, header.buffers_lost), (0, 0));
    assert_eq!(file.len(), header.buffers_written as usize * 4096);
}

/// Offsets and values that readers of others go by.
#[test]
fn the_layout_is_that_of_windows() {
    let (file, _) = log_of(&[event(&[0xab; 5])]);
    let at = |offset: usize, expected: &[u8]| {
        assert_eq!(
            &file[offset..offset + expected.len()],
            expected,
            "{offset:#x}"
        );
    };
    // A buffer of the trace header alone: its size, what is used, its state, its
    // flag and its type.
    at(0, &4096_u32.to_le_bytes());
    at(0x2c, &[3, 0, 0, 0]);
    at(0x34, &[0x21, 0, 4, 0]);
    at(0x48, &[2, 0, 0x02, 0xc0]);
    let used = usize::from(u16::from_le_bytes([file[0x30], file[0x31]]));
    at(4, &file[0x30..0x34]);
    assert_eq!(used % 8, 0);
    assert!(file[used..4096].iter().all(|byte| *byte == 0xff));
    // BuffersWritten and PointerSize in the TRACE_LOGFILE_HEADER.
    at(0x48 + 32 + 0x24, &[2, 0, 0, 0]);
    at(0x48 + 32 + 0x2c, &[8, 0, 0, 0]);
    // ReservedFlags: system times.
    at(0x48 + 32 + 0x110, &[2, 0, 0, 0]);
    // A buffer of events: the marker, the flag of extended items, and the items.
    let event = 4096 + 0x48;
    at(4096 + 0x34, &[0x20, 0, 0, 0]);
    let size = 80 + 16 + 16 + 5;
    at(event, &[size, 0, 0x13, 0xc0, 1, 0, 0, 0]);
    at(event + 80, &[16, 0, 12, 0, 1, 0, 7, 0]);
    at(event + 96, &[16, 0, 11, 0, 0, 0, 5, 0]);
    at(event + 112, &[0xab, 0xab, 0xab, 0xab, 0xab, 0, 0, 0, 0xff]);
}

#[test]
fn an_event_that_fits_no_buffer_is_lost_and_counted() {
    let room = 4096 - 72 - 80 - 32;
    let payload = vec![0; 70_000];
    let events = [
        event(&payload[..room]),
        event(&payload[..=room]),
        event(&payload),
        event(&payload[..3]),
    ];
    let (file, lost) = log_of(&events);
    assert_eq!(lost, 2);
    let log = Log::read(&file).unwrap();
    assert_eq!(log.events, [events[0].clone(), events[3].clone()]);
    assert_eq!(log.header.events_lost, 2);
}

#[test]
fn buffers_of_another_size_than_sessions_have_are_refused() {
    for buffer_size in [0, 72, 4095, 5000, 32 * 1024 * 1024] {
        let session = Session {
            buffer_size,
            ..session()
        };
        Writer::new(Cursor::new(Vec::new()), &session).unwrap_err();
    }
    let long = Session {
        name: "x".repeat(3000),
        ..session()
    };
    Writer::new(Cursor::new(Vec::new()), &long).unwrap_err();
}

#[test]
fn other_records_are_skipped_and_counted() {
    let (mut file, _) = log_of(&[event(b"one"), event(b"two")]);
    let first = 4096 + 0x48;
    // A classic event in place of the first one, of the same size.
    file[first + 2] = 0x14;
    let log = Log::read(&file).unwrap();
    assert_eq!(log.events, [event(b"two")]);
    assert_eq!((log.skipped.records, log.skipped.buffers), (1, 0));
    // A message of WPP.
    file[first + 2..first + 4].copy_from_slice(&[0, 0x90]);
    assert_eq!(Log::read(&file).unwrap().skipped.records, 1);
    // An event of the kernel's logger, whose size stands elsewhere.
    let size = [file[first], file[first + 1]];
    file[first + 2..first + 4].copy_from_slice(&[0x11, 0xc0]);
    file[first + 4..first + 6].copy_from_slice(&size);
    assert_eq!(Log::read(&file).unwrap().events, [event(b"two")]);
    // A compressed buffer.
    file[4096 + 0x34] |= 0x40;
    let log = Log::read(&file).unwrap();
    assert_eq!((log.events.len(), log.skipped.buffers), (0, 1));
}

#[test]
fn the_clock_of_a_log_is_followed() {
    let (mut file, _) = log_of(&[event(b"")]);
    let header = 0x48 + 32;
    // The performance counter: 24 MHz, at 1,000 when the session started.
    file[header + 0x110] = 1;
    file[header + 0x100..header + 0x108].copy_from_slice(&24_000_000_u64.to_le_bytes());
    file[0x48 + 16..0x48 + 24].copy_from_slice(&1_000_u64.to_le_bytes());
    let stamp = 4096 + 0x48 + 16;
    file[stamp..stamp + 8].copy_from_slice(&25_000_u64.to_le_bytes());
    let log = Log::read(&file).unwrap();
    assert_eq!(log.header.clock, Clock::PerformanceCounter(24_000_000));
    assert_eq!(log.events[0].time, START + 10_000);
}

#[test]
fn what_is_no_log_is_refused() {
    assert!(matches!(Log::read(&[]), Err(LogError::Truncated(_))));
    assert!(matches!(Log::read(b"MZ"), Err(LogError::Truncated(_))));
    assert_eq!(Log::read(&[0; 4096]), Err(LogError::NoTraceHeader));
}

/// Whatever a file is cut to, the whole events in it are read.
#[test]
fn a_log_that_was_cut_is_read_as_far_as_it_goes() {
    let payload = [7; 900];
    let events: Vec<Event<'_>> = (0..9).map(|_| event(&payload)).collect();
    let (file, _) = log_of(&events);
    let mut read = 0;
    for length in 0..=file.len() {
        let count = Log::read(&file[..length]).map_or(0, |log| log.events.len());
        assert!(count >= read, "{length}");
        read = count;
    }
    assert_eq!(read, events.len());
}

proptest! {
    #[test]
    fn damage_never_panics(
        places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40),
    ) {
        let payload = [3; 600];
        let (mut file, _) = log_of(&[event(&payload), event(b""), event(&payload)]);
        for (place, byte) in places {
            let place = place.index(file.len());
            file[place] = byte;
        }
        if let Ok(log) = Log::read(&file) {
            for event in &log.events {
                if let Some(schema) = event.item(Item::SCHEMA) {
                    let _ = etl::tracelogging::decode(schema, event.payload);
                }
                let _ = event.provider_name();
            }
        }
    }

    #[test]
    fn any_schema_and_payload_are_decoded_or_refused(
        mut schema in prop::collection::vec(any::<u8>(), 3..200),
        payload in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let size = u16::try_from(schema.len()).unwrap();
        schema[..2].copy_from_slice(&size.to_le_bytes());
        if let Ok(decoded) = etl::tracelogging::decode(&schema, &payload) {
            for field in &decoded.fields {
                let _ = field.to_string();
            }
        }
    }
}
