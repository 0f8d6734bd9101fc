//! A figure beyond the budget fails the program, by the figure's name.

use std::fs;
use std::process::{Command, Output};

/// Measures the driver in C that does least, held to a limit of its lines.
fn check(most: &str) -> Output {
    // The folder of all peers.
    let driver = driver_images::peer("article");
    let peers = driver_images::peer("full").with_file_name("");
    let folder = tempfile::tempdir().unwrap();
    let budget = folder.path().join("budget.toml");
    let limit = format!("\"procmon: DbgPrint calls, create\" = {most}\n");
    fs::write(&budget, limit).unwrap();
    Command::new(env!("CARGO_BIN_EXE_bench"))
        .args([&driver, &peers])
        .args(["--counts", "--check", "--budget"])
        .arg(budget)
        .output()
        .unwrap()
}

#[test]
fn a_figure_beyond_the_budget_fails_the_program() {
    let output = check("1");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "bench: beyond the budget: procmon: DbgPrint calls, create is 2.00, at most 1 is allowed\n"
    );
}

#[test]
fn a_figure_within_the_budget_does_not() {
    let output = check("2");
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn a_budget_that_cannot_be_read_is_told_from_one_that_is_exceeded() {
    let output = check("few");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}
