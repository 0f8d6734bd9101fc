//! What README.md lists is what the code has.

use std::collections::BTreeMap;

use ntsim::Rule;

const README: &str = include_str!("../README.md");

/// The rows of the table below `header`, cell by cell, without backquotes.
fn table(header: &str) -> Vec<Vec<String>> {
    let (_, below) = README.split_once(header).expect(header);
    let rows = below.trim_start().lines().skip(1);
    rows.take_while(|line| line.starts_with('|'))
        .map(|row| {
            let cells = row.trim_matches('|').split(" | ");
            cells.map(|cell| cell.trim().replace('`', "")).collect()
        })
        .collect()
}

#[test]
fn the_table_of_rules_is_complete() {
    let listed = table("| Rule | Broken by | Then |");
    let names: BTreeMap<String, String> = listed
        .iter()
        .map(|row| (row[0].clone(), row[2].clone()))
        .collect();
    assert_eq!(names.len(), listed.len(), "a rule is listed twice");
    let declared = Rule::ALL
        .iter()
        .map(|rule| (rule.to_string(), format!("{:?}", rule.consequence())))
        .collect();
    assert_eq!(names, declared);
}
