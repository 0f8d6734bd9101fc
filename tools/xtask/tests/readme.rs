//! The two READMEs say the same things.

use std::fs;
use std::path::Path;

fn read(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    fs::read_to_string(root.join(name)).unwrap()
}

/// What of a text does not depend on its language: how many headings, items and
/// rows of tables there are, which commands and which log lines are shown, and
/// where links lead.
fn skeleton(text: &str) -> Vec<String> {
    let mut skeleton = Vec::new();
    let mut code = false;
    for line in text.lines() {
        if line.starts_with("```") {
            code = !code;
        } else if code {
            // What a command is for is said in the reader's language.
            let command = line.split(" # ").next().unwrap_or_default();
            skeleton.push(command.trim_end().to_owned());
        } else if line.starts_with('#') || line.starts_with("- ") {
            skeleton.push(line.split(' ').next().unwrap().to_owned());
        } else if let Some(row) = line.strip_prefix("| `") {
            skeleton.push(row.split('`').next().unwrap().to_owned());
        }
        let links = line.split("](").skip(1);
        let links = links.map(|link| link.split(')').next().unwrap());
        let links = links.filter(|link| !link.starts_with("README"));
        skeleton.extend(links.map(str::to_owned));
    }
    skeleton
}

#[test]
fn they_are_in_step() {
    assert_eq!(
        skeleton(&read("README.md")),
        skeleton(&read("README.zh-CN.md"))
    );
}

#[test]
fn a_difference_is_noticed() {
    let english = read("README.md");
    for (from, to) in [
        ("## The log", "The log"),
        ("sc start procmon", "sc start other"),
        ("](docs/windows.md", "](docs/other.md"),
        ("| `[Destroy]", "| `[Exit]"),
    ] {
        assert!(english.contains(from), "{from}");
        assert_ne!(
            skeleton(&english),
            skeleton(&english.replacen(from, to, 1)),
            "{from}"
        );
    }
}

#[test]
fn the_maps_are_complete() {
    let readme = read("README.md");
    let map = readme.split("## The map").nth(1).unwrap();
    let of_tools = read("tools/README.md");
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for entry in fs::read_dir(tools).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.path().is_dir() && name != "target" {
            let place = format!("`tools/{name}`");
            assert!(map.contains(&place), "README.md's map lacks {place}");
            let heading = format!("## [{name}]({name})\n\n");
            let paragraph = of_tools.split(&heading).nth(1).unwrap_or_default();
            assert!(
                ["Product. ", "Evidence. "]
                    .iter()
                    .any(|kind| paragraph.starts_with(kind)),
                "tools/README.md does not say whether {name} is product or evidence"
            );
        }
    }
}
