//! Logs that Windows recorded. None is part of this repository: `ETL_SAMPLES` names
//! a folder of them.

use std::env;
use std::fs;
use std::path::Path;

use etl::{Item, Log, tracelogging};

#[test]
#[ignore = "needs ETL_SAMPLES, a folder of logs that Windows recorded"]
fn logs_of_windows_are_read() {
    let folder = env::var_os("ETL_SAMPLES").expect("ETL_SAMPLES names a folder of logs");
    let mut logs = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "etl") {
            read(&path);
            logs += 1;
        }
    }
    assert_ne!(logs, 0, "no log in the folder");
}

fn read(path: &Path) {
    let file = fs::read(path).unwrap();
    let log = Log::read(&file).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut decoded = 0;
    for event in &log.events {
        assert!(
            event.time >= log.header.start - 10_000_000 * 60,
            "{}: {event:?}",
            path.display()
        );
        if let Some(schema) = event.item(Item::SCHEMA) {
            tracelogging::decode(schema, event.payload)
                .unwrap_or_else(|error| panic!("{}: {error}: {event:?}", path.display()));
            decoded += 1;
        }
    }
    println!(
        "{}: {} events, {decoded} of them decoded; {:?}",
        path.display(),
        log.events.len(),
        log.skipped
    );
}
