//! The kernel that drivers are loaded into: Wine's, and the routines that it
//! lacks and procmon calls.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result, ensure};
use object::read::pe::PeFile64;

use super::fixtures::Fixtures;
use super::prefix::Prefix;
use crate::toolchain::lld_link;
use crate::{command, repository};

const KERNEL: &str = "windows/system32/ntoskrnl.exe";

/// What Wine's kernel and the other routines are called beside the one that has
/// both.
const WINE: &str = "winekrnl";
const OURS: &str = "etw";

/// What marks Wine's own images, and where: Wine loads those under their own
/// names only.
const MARK: &[u8] = b"Wine builtin DLL";
const MARK_OFFSET: usize = 0x40;

/// Puts an `ntoskrnl.exe` in place of Wine's that forwards each routine to Wine's
/// own, or to the fixture's where Wine has none.
pub fn extend(prefix: &Prefix, fixtures: &Fixtures) -> Result<()> {
    let mut wine = prefix.read(KERNEL)?;
    let ours = fs::read(&fixtures.etw)
        .with_context(|| format!("cannot read {}", fixtures.etw.display()))?;
    let exports = forwarders(&exports(&wine)?, &exports(&ours)?);

    let mark = &mut wine[MARK_OFFSET..][..MARK.len()];
    ensure!(mark == MARK, "{KERNEL} of a new prefix is not Wine's");
    mark.fill(0);
    prefix.write(&format!("windows/system32/{WINE}.dll"), wine)?;
    prefix.write(&format!("windows/system32/{OURS}.dll"), ours)?;

    let folder = repository::root().join("target/wine");
    let list = folder.join("ntoskrnl.def");
    fs::write(&list, exports).with_context(|| format!("cannot write {}", list.display()))?;
    let mut link = lld_link()?;
    link.current_dir(&folder)
        .args(["/DLL", "/NOENTRY", "/NOIMPLIB", "/MACHINE:X64"])
        .args(["/DEF:ntoskrnl.def", "/OUT:ntoskrnl.exe"])
        // Adds nothing; without any input the linker makes no image.
        .arg(fixtures.etw.with_extension("dll.lib"));
    command::run("lld-link", &mut link)?;
    prefix.install(&folder.join("ntoskrnl.exe"), KERNEL)
}

/// The names that an image exports.
fn exports(image: &[u8]) -> Result<BTreeSet<String>> {
    let image = PeFile64::parse(image)?;
    let table = image.export_table()?.context("an image without exports")?;
    let exports = table.exports()?;
    let names = exports.iter().filter_map(|export| export.name);
    let names = names.map(|name| Ok(String::from_utf8(name.to_vec())?));
    names.collect()
}

/// The linker's list of what is exported, and by which image.
fn forwarders(wine: &BTreeSet<String>, ours: &BTreeSet<String>) -> String {
    let missing = ours.difference(wine).map(|name| (name, OURS));
    let mut list = String::from("EXPORTS\n");
    for (name, image) in wine.iter().map(|name| (name, WINE)).chain(missing) {
        let _ = writeln!(list, "{name}={image}.{name}");
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_routine_that_wine_has_is_wines() {
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        assert_eq!(
            forwarders(
                &names(&["DbgPrint", "EtwWrite"]),
                &names(&["EtwRegister", "EtwWrite"])
            ),
            "EXPORTS\nDbgPrint=winekrnl.DbgPrint\nEtwWrite=winekrnl.EtwWrite\n\
             EtwRegister=etw.EtwRegister\n"
        );
    }
}
