//! What README.md lists is what the code has.

use std::process::Command;

const README: &str = include_str!("../README.md");

/// The rows of the table of exit codes, cell by cell, without backquotes.
fn exit_codes() -> Vec<Vec<String>> {
    let (_, below) = README.split_once("| exit code | |").unwrap();
    let rows = below.trim_start().lines().skip(1);
    rows.take_while(|line| line.starts_with('|'))
        .map(|row| {
            row.trim_matches('|')
                .split(" | ")
                .map(|cell| cell.trim().replace('`', ""))
                .collect()
        })
        .collect()
}

#[test]
fn the_exit_codes_are_those_of_the_help() {
    let help = Command::new(env!("CARGO_BIN_EXE_ntsim"))
        .arg("--help")
        .output()
        .unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let (_, codes) = help.split_once("Exit codes:\n").unwrap();
    let codes: Vec<Vec<&str>> = codes
        .lines()
        .map(|line| line.trim().splitn(2, "  ").collect())
        .collect();
    assert_eq!(exit_codes(), codes);
}
