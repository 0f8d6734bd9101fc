//! Where and with what was measured.

use std::fs;
use std::thread;

use jiff::Timestamp;

/// One sentence on the machine and the day.
pub fn describe() -> String {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let (cpu, system) = (read("/proc/cpuinfo"), read("/etc/os-release"));
    let model = value(&cpu, "model name").unwrap_or("an unknown processor");
    let is_virtual = value(&cpu, "flags")
        .is_some_and(|flags| flags.split_whitespace().any(|flag| flag == "hypervisor"));
    let system = value(&system, "PRETTY_NAME").unwrap_or("an unknown system");
    format!(
        "{} ({} processors{}), {}, Linux {}, {}",
        model,
        thread::available_parallelism().map_or(1, usize::from),
        if is_virtual { ", virtual machine" } else { "" },
        system,
        read("/proc/sys/kernel/osrelease").trim(),
        Timestamp::now().strftime("%-d %B %Y"),
    )
}

/// What `text` gives `key`, after a colon or an equals sign.
fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (name, value) = line.split_once([':', '='])?;
        (name.trim() == key).then(|| value.trim().trim_matches('"'))
    })
}

#[cfg(test)]
mod tests {
    use super::value;

    #[test]
    fn both_files_are_read() {
        let cpu = "processor\t: 0\nmodel name\t: A CPU @ 2: GHz\n";
        assert_eq!(value(cpu, "model name"), Some("A CPU @ 2: GHz"));
        let system = "PRETTY_NAME=\"A system 12\"\nNAME=\"A system\"\n";
        assert_eq!(value(system, "NAME"), Some("A system"));
        assert_eq!(value(system, "ID"), None);
    }
}
