//! The pages name what exists: links lead somewhere, paths are in the tree,
//! commands are those of the help, and the debugger's symbols are in the PDB.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use pdb2::{FallibleIterator as _, PDB, SymbolData, TypeData};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

fn root() -> PathBuf {
    fs::canonicalize(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")).unwrap()
}

/// Every page, with its path from the root.
fn pages() -> Vec<(String, String)> {
    fn collect(folder: &Path, pages: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() && !["target", ".git"].contains(&name) {
                collect(&path, pages);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(path);
            }
        }
    }
    let root = root();
    let mut paths = Vec::new();
    collect(&root, &mut paths);
    assert!(paths.len() > 5, "only {paths:?}");
    let page = |path: PathBuf| {
        let name = path.strip_prefix(&root).unwrap().display().to_string();
        (name, fs::read_to_string(path).unwrap())
    };
    paths.into_iter().map(page).collect()
}

fn events(text: &str) -> Parser<'_> {
    Parser::new_ext(text, Options::ENABLE_GFM | Options::ENABLE_TABLES)
}

/// Where the links and images of a page lead.
fn links(text: &str) -> impl Iterator<Item = String> {
    events(text).filter_map(|event| match event {
        Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
            Some(dest_url.into_string())
        }
        _ => None,
    })
}

/// The fragments of a page's headings, as GitHub makes them.
fn fragments(text: &str) -> BTreeSet<String> {
    let mut fragments = BTreeSet::new();
    let mut title = String::new();
    for event in events(text) {
        match event {
            Event::Start(Tag::Heading { .. }) => title.clear(),
            Event::Text(text) | Event::Code(text) => title.push_str(&text),
            Event::End(TagEnd::Heading(_)) => {
                fragments.insert(fragment(&title));
            }
            _ => {}
        }
    }
    fragments
}

fn fragment(title: &str) -> String {
    let title = title.to_lowercase();
    let kept = title
        .chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// What a page's local link lacks, if anything.
fn broken(page: &Path, link: &str) -> Option<&'static str> {
    if link.starts_with("https://") {
        return None;
    }
    let (file, fragment) = link.split_once('#').unwrap_or((link, ""));
    let target = match file {
        "" => page.to_owned(),
        file => page.parent().unwrap().join(file),
    };
    if !target.exists() {
        return Some("no such file");
    }
    let has_fragment = || fragments(&fs::read_to_string(&target).unwrap()).contains(fragment);
    (!fragment.is_empty() && !has_fragment()).then_some("no such heading")
}

#[test]
fn links_lead_somewhere() {
    let root = root();
    for (name, text) in pages() {
        for link in links(&text) {
            assert_eq!(broken(&root.join(&name), &link), None, "{name}: {link}");
        }
    }
    let page = root.join("docs/windows.md");
    for link in [
        "none.md",
        "../none.md",
        "#none",
        "../README.md#none",
        "http://example.org",
    ] {
        assert_ne!(broken(&page, link), None, "{link}");
    }
}

/// The paths of this repository that a page names: what is in backquotes and
/// begins with one of its folders.
fn paths(text: &str) -> impl Iterator<Item = &str> {
    let quoted = text.split('`').skip(1).step_by(2);
    quoted.filter(|quoted| {
        let folder = quoted.split_once('/').map(|(folder, _)| folder);
        ["src", "tools", "docs", ".github", ".cargo", ".ci"]
            .map(Some)
            .contains(&folder)
            && !quoted.contains([' ', '*', '…', '\n'])
    })
}

#[test]
fn paths_are_in_the_tree() {
    let root = root();
    let mut seen = 0;
    for (name, text) in pages() {
        // From the root, or from a folder that the page is in.
        let page = root.join(&name);
        let from: Vec<_> = page.ancestors().skip(1).collect();
        for path in paths(&text) {
            let found = from.iter().any(|folder| folder.join(path).exists());
            assert!(found, "{name}: {path} is not there");
            seen += 1;
        }
    }
    assert!(seen > 20, "only {seen} paths were found");
    assert_eq!(
        paths("`src/none.rs`, `target/none`, src/x, `cargo xtask`, `tools/none`")
            .collect::<Vec<_>>(),
        ["src/none.rs", "tools/none"]
    );
}

/// The commands of `cargo xtask` on a page, each a verb and its arguments.
fn commands(text: &str) -> impl Iterator<Item = Vec<&str>> {
    let commands = text.split("cargo xtask ").skip(1);
    let commands = commands.map(|text| text.split(['`', '\n', '#', ';', '&']).next().unwrap());
    commands
        .map(|command| command.split_whitespace().collect::<Vec<_>>())
        .filter(|words| {
            words
                .first()
                .is_some_and(|verb| verb.chars().all(|c| c.is_ascii_lowercase()))
        })
}

/// What the help lacks of a command, if anything.
fn unknown<'a>(command: &[&'a str]) -> Option<&'a str> {
    let help = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["help", command[0]])
        .output()
        .unwrap();
    if !help.status.success() {
        return Some(command[0]);
    }
    let help = String::from_utf8(help.stdout).unwrap();
    // The others are forwarded to ntsim.
    let has_all_options = !help.contains("[OPTIONS]...");
    let mut options = command.iter().filter(|word| word.starts_with("--"));
    options
        .find(|option| has_all_options && !help.contains(**option))
        .copied()
}

#[test]
fn commands_are_those_of_the_help() {
    let pages = pages();
    let commands: BTreeSet<_> = pages.iter().flat_map(|(_, text)| commands(text)).collect();
    assert!(commands.len() > 20, "only {commands:?}");
    for command in commands {
        assert_eq!(unknown(&command), None, "cargo xtask {}", command.join(" "));
    }
    assert_eq!(unknown(&["none"]), Some("none"));
    assert_eq!(unknown(&["build", "--none"]), Some("--none"));
}

/// The driver's functions, public symbols and types, as its PDB names them.
fn symbols() -> BTreeSet<String> {
    let file = File::open(driver_images::procmon().with_extension("pdb")).unwrap();
    let mut pdb = PDB::open(file).unwrap();
    let mut symbols = BTreeSet::new();

    let table = pdb.global_symbols().unwrap();
    let mut globals = table.iter();
    while let Some(symbol) = globals.next().unwrap() {
        let name = match symbol.parse() {
            Ok(SymbolData::Public(public)) => public.name,
            Ok(SymbolData::ProcedureReference(procedure)) => procedure.name.unwrap(),
            _ => continue,
        };
        symbols.insert(name.to_string().into_owned());
    }
    let types = pdb.type_information().unwrap();
    let mut types = types.iter();
    while let Some(found) = types.next().unwrap() {
        if let Ok(TypeData::Class(class)) = found.parse()
            && !class.properties.forward_reference()
        {
            symbols.insert(class.name.to_string().into_owned());
        }
    }
    symbols
}

/// Whether the debugger takes a pattern for a name: it ignores case, and a `*`
/// at the end stands for anything.
fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.to_lowercase(), name.to_lowercase());
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    }
}

/// What stands behind `procmon!` on a page.
fn named(text: &str) -> BTreeSet<&str> {
    let named = text.split("procmon!").skip(1);
    let named = named.map(|text| text.split(['`', '"']).next().unwrap());
    named
        .map(|text| text.split_whitespace().next().unwrap())
        .collect()
}

#[test]
fn the_debugger_finds_every_symbol() {
    let symbols = symbols();
    let page = fs::read_to_string(root().join("docs/windows.md")).unwrap();
    let named = named(&page);
    assert!(named.contains("DriverEntry"), "{named:?}");
    for pattern in named {
        assert!(
            symbols.iter().any(|symbol| fits(pattern, symbol)),
            "docs/windows.md names procmon!{pattern}, which is not in the PDB"
        );
    }
    for none in ["driver_entry", "DriverEntr", "procmon::none*"] {
        assert!(!symbols.iter().any(|symbol| fits(none, symbol)), "{none}");
    }
}
