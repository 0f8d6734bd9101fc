//! The command line where something is wrong with what it is given.

use std::fs;
use std::process::{Command, Output};

use serde_json::Value;

fn ntsim(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ntsim"))
        .args(arguments)
        .output()
        .unwrap()
}

/// It ends with exit code 2, nothing on standard output, and a line with each
/// of these on standard error.
fn refused(arguments: &[&str], reasons: &[&str]) {
    let output = ntsim(arguments);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
    assert_eq!(output.stdout, b"", "{arguments:?}");
    for reason in reasons {
        assert!(error.contains(reason), "{arguments:?}: {error}");
    }
}

#[test]
fn what_cannot_be_used_is_named() {
    refused(&["run"], &["DRIVER.sys"]);
    refused(
        &["run", "/no/such/driver.sys", "--demo"],
        &["/no/such/driver.sys", "No such file"],
    );
    refused(&["run", "/etc/passwd", "--demo"], &["/etc/passwd", "PE"]);
    refused(&["run", "x.sys", "--live", "--demo"], &["--live", "--demo"]);
    refused(
        &["run", "x.sys", "--code-page", "1200"],
        &["1200", "65001", "936"],
    );
    refused(&["run", "x.sys", "--for", "soon"], &["soon", "seconds"]);
    refused(&["run", "x.sys", "--for=-1"], &["seconds"]);
    refused(
        &["run", "x.sys", "--demo", "--etl", "/no/such/folder/x.etl"],
        &["/no/such/folder/x.etl", "No such file"],
    );
    for verb in ["inject", "fault", "stress", "fuzz"] {
        refused(&[verb], &["DRIVER.sys"]);
        refused(&[verb, "/etc/passwd"], &["/etc/passwd", "PE"]);
        refused(
            &[verb, "x.sys", "--oracle", "delphi"],
            &["delphi", "procmon"],
        );
        refused(&[verb, "x.sys", "--code-page", "437"], &["437", "874"]);
    }
    refused(&["stress", "x.sys", "--events", "0"], &["--events"]);
    refused(
        &["stress", "x.sys", "--slots", "--reloads", "1"],
        &["--slots", "--reloads"],
    );
    refused(&["fly"], &["fly"]);
}

#[test]
fn help_explains_every_option() {
    let output = ntsim(&["run", "--help"]);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    for option in [
        "--live",
        "--demo",
        "--for",
        "--json",
        "--etl",
        "--driver",
        "--service",
        "--code-page",
    ] {
        assert!(text.contains(option), "{option}");
    }
}

#[test]
fn a_driver_at_fault_is_told_from_one_that_is_not() {
    let procmon = driver_images::procmon();
    let breaker = driver_images::breaker();
    for (image, service, code) in [
        (&procmon, "procmon", 0),
        // Stops the kernel, is recorded, is left behind, fails in DriverEntry.
        (&breaker, "bug-check", 1),
        (&breaker, "wrong-type", 1),
        (&breaker, "leak-handle", 1),
        (&breaker, "unknown", 1),
    ] {
        let image = image.to_str().unwrap();
        let output = ntsim(&["run", image, "--service", service, "--demo", "--for", "0.5"]);
        assert_eq!(output.status.code(), Some(code), "{service}: {output:?}");
    }
}

/// The JSON log of a run in which nothing went wrong.
fn objects(output: Output) -> Vec<Value> {
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let objects = text.lines().map(|line| serde_json::from_str(line).unwrap());
    objects.collect()
}

/// The driver prints the start key of each process.
#[test]
fn a_creation_in_json_says_who_the_process_is() {
    let image = driver_images::breaker();
    let output = ntsim(&[
        "run",
        image.to_str().unwrap(),
        "--service",
        "read-start-key",
        "--demo",
        "--json",
    ]);
    let objects = objects(output);
    let of = |kind: &'static str| objects.iter().filter(move |object| object["type"] == kind);
    let keys: Vec<String> = of("create")
        .map(|process| {
            let user = process["user"].as_str().unwrap();
            assert!(user.starts_with("S-1-"), "{process}");
            assert!(process["integrity"].is_u64(), "{process}");
            assert!(process["logon_id"].is_u64(), "{process}");
            format!("start key {:#x}", process["start_key"].as_u64().unwrap())
        })
        .collect();
    let printed: Vec<&str> = of("line")
        .map(|line| line["text"].as_str().unwrap().trim_end())
        .collect();
    assert!(!keys.is_empty());
    assert_eq!(keys, printed);
}

#[test]
fn events_are_written_to_a_trace_and_as_objects() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("run.etl");
    let output = Command::new(env!("CARGO_BIN_EXE_ntsim"))
        .arg("run")
        .arg(driver_images::breaker())
        .args([
            "--service",
            "write-events",
            "--demo",
            "--for",
            "0.5",
            "--json",
            "--etl",
        ])
        .arg(&file)
        .output()
        .unwrap();
    let objects = objects(output);
    let of_type = |kind: &'static str| objects.iter().filter(move |object| object["type"] == kind);
    let created: Vec<&Value> = of_type("create")
        .map(|create| &create["creator"]["process"])
        .collect();
    let decoded: Vec<&Value> = of_type("event")
        .filter(|event| event["provider"] == "Breaker" && event["event"] == "Created")
        .collect();
    // Three for each process: EtwWrite, EtwWriteTransfer and EtwWriteEx.
    assert!(!created.is_empty());
    assert_eq!(decoded.len(), 3 * created.len());
    for (event, creator) in decoded
        .iter()
        .zip(created.iter().flat_map(|creator| [creator; 3]))
    {
        assert_eq!(event["fields"]["Number"], 0x1234_5678);
        assert_eq!(event["process_id"], **creator);
    }
    let [summary] = of_type("summary").collect::<Vec<_>>()[..] else {
        panic!("one summary");
    };
    assert_eq!(summary["events_lost"], 0);

    let file = fs::read(file).unwrap();
    let log = etl::Log::read(&file).unwrap();
    assert_eq!(log.skipped, etl::Skipped::default());
    assert_eq!(summary["events"], log.events.len());
    let times = of_type("event").map(|event| event["system_time"].as_i64().unwrap());
    assert!(times.eq(log.events.iter().map(|event| event.time)));
}
