//! Every dependency, of the driver and of its tools, may be had under a licence
//! that `deny.toml` allows. `cargo deny` checks the same, and the advisories,
//! where it can reach their database.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::MetadataCommand;
use spdx::{Expression, ParseMode};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn allowed() -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("deny.toml")).unwrap();
    let deny: toml::Table = text.parse().unwrap();
    let licences = deny["licenses"]["allow"].as_array().unwrap();
    licences
        .iter()
        .map(|licence| licence.as_str().unwrap().to_owned())
        .collect()
}

fn is_allowed(licence: &str, allowed: &BTreeSet<String>) -> bool {
    // Some crates still write "MIT/Apache-2.0".
    Expression::parse_mode(licence, ParseMode::LAX)
        .is_ok_and(|expression| expression.evaluate(|req| allowed.contains(&req.to_string())))
}

#[test]
fn every_dependency_is_allowed() {
    let allowed = allowed();
    for manifest in ["Cargo.toml", "tools/Cargo.toml"] {
        let metadata = MetadataCommand::new()
            .manifest_path(root().join(manifest))
            .other_options(["--locked".to_owned()])
            .exec()
            .unwrap();
        assert!(metadata.packages.len() > 20);
        for package in metadata.packages {
            let licence = package.license.as_deref().unwrap_or("none");
            assert!(
                is_allowed(licence, &allowed),
                "{} {} of {manifest}: {licence}",
                package.name,
                package.version
            );
        }
    }
}

#[test]
fn another_licence_is_refused() {
    let allowed = allowed();
    assert!(is_allowed("MIT/Apache-2.0", &allowed));
    assert!(is_allowed("GPL-2.0-only OR MIT", &allowed));
    for licence in ["GPL-3.0-only", "MIT AND GPL-2.0-only", "none", ""] {
        assert!(!is_allowed(licence, &allowed), "{licence}");
    }
}
