//! States of a machine, made of stand-ins for its programs.
//!
//! Each stand-in writes how it was called into one file, so that a test can
//! hold the calls and their order to what they should be.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use super::requirement::provide_on;
use super::{ARM64_LINUX_COMPILER, Host, LLVM_RC, Need, RUSTFMT, windows_compiler};
use crate::arch::Arch;

/// Debian's compiler as older and as newer package lists have it.
const OLD: &str = "1.85.0+dfsg2-3~deb12u2";
const NEW: &str = "1.96.0+dfsg1-1~deb12u1";

const APT_GET: &str = r#"
case " $* " in *" --version "*) exit 0;; esac
words=
for word in "$@"; do case $word in -*|*=*) ;; *) words="$words $word";; esac; done
case " $* " in
*" --assume-no "*)
    echo "Need to get 94.3 MB of archives."
    echo "After this operation, 561 MB of additional disk space will be used."
    exit 1;;
esac
echo "apt-get$words" >> "$root/calls"
case $words in
" update")
    if [ -e "$root/lists-lock" ]; then
        echo "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 7 (apt-get)"
        exit 100
    fi
    cat "$root/warning" 2>/dev/null
    cp "$root/archive/"* "$root/lists/" 2>/dev/null
    exit 0;;
esac
if [ -e "$root/dpkg-lock" ]; then
    echo "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 7 (dpkg)"
    exit 100
fi
for name in ${words# install}; do
    if ! cmp -s "$root/lists/$name" "$root/archive/$name"; then
        echo "E: Failed to fetch http://deb.example/$name.deb  404  Not Found"
        exit 100
    fi
done
for name in ${words# install}; do
    case $name in
    rustc-web)
        cat "$root/archive/$name" > "$root/usr/version";;
    rust-web-src)
        mkdir -p "$root/usr/lib/rustlib/src/rust/library/core/src"
        touch "$root/usr/lib/rustlib/src/rust/library/core/src/lib.rs";;
    llvm-19) touch "$root/bin/llvm-rc-19";;
    clang-19) touch "$root/bin/clang";;
    esac
done
"#;

const APT_CACHE: &str = r#"
shift
for name in "$@"; do
    echo "$name:"
    echo "  Installed: (none)"
    if [ -e "$root/lists/$name" ]; then
        echo "  Candidate: $(cat "$root/lists/$name")"
    else
        echo "  Candidate: (none)"
    fi
done
"#;

/// A compiler whose toolchain is in `$home` and has the version that the file
/// beside it says.
const RUSTC: &str = r#"
[ -e "$home/version" ] || exit 1
case "$*" in
-vV)
    release=$(sed 's/[+~-].*//' "$home/version")
    echo "rustc $release (0123456789 2026-01-01)"
    echo "binary: rustc"
    echo "commit-hash: 0123456789012345678901234567890123456789"
    echo "commit-date: 2026-01-01"
    echo "host: x86_64-unknown-linux-gnu"
    echo "release: $release"
    echo "LLVM version: 20.1.0";;
"--print sysroot") echo "$home";;
"--print target-libdir") echo "$home/lib/rustlib/x86_64-unknown-linux-gnu/lib";;
*) echo "$home/lib/rustlib/$4/lib";;
esac
"#;

const RUSTUP: &str = r#"
echo "rustup $*" >> "$root/calls"
"#;

const RUSTUP_WORKS: &str = r#"
kind=$1; shift 4
for name in "$@"; do
    case $kind in
    target)
        mkdir -p "$root/toolchain/lib/rustlib/$name/lib"
        touch "$root/toolchain/lib/rustlib/$name/lib/libcore-0.rlib";;
    component) touch "$root/has-$name";;
    esac
done
"#;

const RUSTUP_OFFLINE: &str = r#"
echo "info: downloading component rust-std" >&2
echo "error: could not download file: dns error" >&2
exit 1
"#;

const CARGO: &str = r#"
[ -e "$root/has-rustfmt" ]
"#;

/// A machine below a folder of its own.
struct Machine {
    folder: TempDir,
    host: Host,
}

impl Machine {
    /// A machine with rustup, which does `rustup` when it is asked for a part,
    /// and with package lists of `lists` and an archive of `archive`: versions
    /// of Debian's compiler.
    fn new(rustup: &str, lists: Option<&str>, archive: Option<&str>) -> Self {
        let folder = TempDir::new().unwrap();
        let machine = Self {
            host: Host::below(folder.path()),
            folder,
        };
        for folder in [
            "bin",
            "usr/bin",
            "lists",
            "archive",
            "toolchain/lib/rustlib",
        ] {
            fs::create_dir_all(machine.path(folder)).unwrap();
        }
        machine.program("bin/apt-get", APT_GET);
        machine.program("bin/apt-cache", APT_CACHE);
        machine.program("bin/rustup", &format!("{RUSTUP}{rustup}"));
        machine.program("bin/cargo", CARGO);
        machine.program("bin/rustc", &format!("home=$root/toolchain\n{RUSTC}"));
        machine.program("usr/bin/rustc", &format!("home=$root/usr\n{RUSTC}"));
        machine.write("toolchain/version", "1.95.0");
        machine.write("toolchain/lib/rustlib/multirust-channel-manifest.toml", "");
        for (folder, compiler) in [("lists", lists), ("archive", archive)] {
            if let Some(version) = compiler {
                machine.write(&format!("{folder}/rustc-web"), version);
                machine.write(&format!("{folder}/rust-web-src"), version);
                for name in ["llvm-19", "clang-19"] {
                    machine.write(&format!("{folder}/{name}"), "1:19.1.4-1");
                }
            }
        }
        machine
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn remove(&self, name: &str) {
        fs::remove_file(self.path(name)).unwrap();
    }

    fn program(&self, name: &str, script: &str) {
        let root = self.folder.path().display();
        self.write(
            name,
            &format!("#!/bin/sh\nPATH=/usr/bin:/bin\nroot={root}\n{script}"),
        );
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(self.path(name), mode).unwrap();
    }

    /// What was called so far, in order, without the names of toolchains.
    fn calls(&self) -> Vec<String> {
        let calls = fs::read_to_string(self.path("calls")).unwrap_or_default();
        calls
            .lines()
            .map(|line| line.replace(" --toolchain toolchain", ""))
            .collect()
    }

    fn provide(&self, needs: &[&dyn Need]) -> Result<(), String> {
        provide_on(&self.host, needs).map_err(|error| format!("{error:#}"))
    }

    fn provide_compiler(&self) -> Result<(), String> {
        self.provide(&[&windows_compiler(Arch::X64)])
    }
}

const ADD_TARGET: &str = "rustup target add x86_64-pc-windows-msvc";
const UPDATE: &str = "apt-get update";
const INSTALL: &str = "apt-get install rust-web-src rustc-web";

#[test]
fn rustup_comes_first_and_is_enough() {
    let machine = Machine::new(RUSTUP_WORKS, None, None);
    machine.provide_compiler().unwrap();
    assert_eq!(machine.calls(), [ADD_TARGET]);
    machine.provide_compiler().unwrap();
    assert_eq!(
        machine.calls(),
        [ADD_TARGET],
        "what is there is not asked for again"
    );
}

#[test]
fn rustup_adds_several_parts_at_once() {
    let machine = Machine::new(RUSTUP_WORKS, None, None);
    machine
        .provide(&[
            &RUSTFMT,
            &windows_compiler(Arch::X64),
            &windows_compiler(Arch::Arm64),
            &ARM64_LINUX_COMPILER,
        ])
        .unwrap();
    assert_eq!(
        machine.calls(),
        [
            "rustup target add x86_64-pc-windows-msvc aarch64-pc-windows-msvc aarch64-unknown-linux-gnu",
            "rustup component add rustfmt",
        ]
    );
}

#[test]
fn lists_with_a_compiler_that_is_too_old_are_fetched_before_anything_is_installed() {
    let machine = Machine::new(RUSTUP_OFFLINE, Some(OLD), Some(NEW));
    machine.provide_compiler().unwrap();
    assert_eq!(machine.calls(), [ADD_TARGET, UPDATE, INSTALL]);
}

#[test]
fn missing_lists_are_fetched() {
    let machine = Machine::new(RUSTUP_OFFLINE, None, Some(NEW));
    machine.provide_compiler().unwrap();
    assert_eq!(machine.calls(), [ADD_TARGET, UPDATE, INSTALL]);
}

#[test]
fn new_lists_are_not_fetched_again() {
    let machine = Machine::new(RUSTUP_OFFLINE, Some(NEW), Some(NEW));
    machine.provide_compiler().unwrap();
    assert_eq!(machine.calls(), [ADD_TARGET, INSTALL]);
}

#[test]
fn a_rustup_that_hangs_is_stopped() {
    let machine = Machine::new("exec sleep 600", Some(NEW), Some(NEW));
    machine.provide_compiler().unwrap();
    assert_eq!(machine.calls(), [ADD_TARGET, INSTALL]);

    let machine = Machine::new("exec sleep 600", None, None);
    let error = machine.provide_compiler().unwrap_err();
    assert!(
        error.contains(&format!(
            "{ADD_TARGET}: made no progress for 1 s and was stopped"
        )),
        "{error}"
    );
}

#[test]
fn a_rustup_that_hangs_is_waited_for_once() {
    let machine = Machine::new("exec sleep 600", None, None);
    let first = machine.provide_compiler().unwrap_err();
    let again = machine.provide_compiler().unwrap_err();
    assert_eq!(first, again);
    assert_eq!(machine.calls(), [ADD_TARGET, UPDATE, UPDATE]);
}

#[test]
fn a_rustup_that_works_for_long_is_left_alone() {
    let slow = "for step in 1 2 3 4 5 6 7 8; do echo $step; sleep 0.2; done";
    let machine = Machine::new(&format!("{slow}\n{RUSTUP_WORKS}"), None, None);
    machine.provide_compiler().unwrap();
    assert_eq!(machine.calls(), [ADD_TARGET]);
}

#[test]
fn nothing_is_installed_where_every_candidate_is_too_old() {
    let machine = Machine::new(RUSTUP_OFFLINE, Some(OLD), Some(OLD));
    let error = machine
        .provide(&[&windows_compiler(Arch::X64), &LLVM_RC])
        .unwrap_err();
    assert_eq!(machine.calls(), [ADD_TARGET, UPDATE]);
    for part in [
        "\n  the Rust standard library for x86_64-pc-windows-msvc: the driver is compiled for Windows",
        "\n  llvm-rc: compiles the driver's version resource",
        &format!(
            "\n  {ADD_TARGET}: failed (exit status: 1): error: could not download file: dns error"
        ),
        &format!(
            "\n  apt-get: rustc-web is {OLD}, and 1.91 or newer is needed (package lists just fetched)"
        ),
        "\ntype: apt-get update && apt-get install --no-install-recommends clang-19 llvm-19",
        &format!("with a network that reaches rustup's server: {ADD_TARGET}"),
    ] {
        assert!(error.contains(part), "{part:?} is not in: {error}");
    }
}

#[test]
fn a_suite_whose_lists_cannot_be_fetched_is_named() {
    let machine = Machine::new(RUSTUP_OFFLINE, Some(OLD), Some(OLD));
    let warning = "W: Failed to fetch http://security.example/InRelease  Connection failed";
    machine.write("warning", &format!("Hit:1 http://deb.example\n{warning}\n"));
    let error = machine.provide_compiler().unwrap_err();
    assert!(
        error.contains(&format!("(apt-get update: {warning})")),
        "{error}"
    );
}

#[test]
fn an_archive_without_the_compiler_is_named() {
    let machine = Machine::new(RUSTUP_OFFLINE, None, None);
    let error = machine.provide_compiler().unwrap_err();
    assert_eq!(machine.calls(), [ADD_TARGET, UPDATE]);
    assert!(
        error.contains("apt-get: no rustc-web in the package lists (package lists just fetched)"),
        "{error}"
    );
}

#[test]
fn an_installed_compiler_that_is_too_old_is_upgraded() {
    let machine = Machine::new(RUSTUP_OFFLINE, Some(OLD), Some(NEW));
    machine.write("usr/version", OLD);
    machine.provide_compiler().unwrap();
    assert_eq!(machine.calls(), [ADD_TARGET, UPDATE, INSTALL]);
    assert_eq!(
        fs::read_to_string(machine.path("usr/version")).unwrap(),
        NEW
    );
}

#[test]
fn packages_that_have_left_the_archive_are_tried_again_with_new_lists() {
    let machine = Machine::new(RUSTUP_OFFLINE, Some("1.94.0+dfsg1-1"), Some(NEW));
    machine.provide_compiler().unwrap();
    assert_eq!(machine.calls(), [ADD_TARGET, INSTALL, UPDATE, INSTALL]);
}

#[test]
fn an_installation_that_does_not_bring_what_it_was_for_is_no_success() {
    let machine = Machine::new(RUSTUP_OFFLINE, Some(NEW), Some(NEW));
    // It answers no question about itself.
    machine.program("usr/bin/rustc", "exit 1");
    let error = machine.provide_compiler().unwrap_err();
    assert_eq!(machine.calls(), [ADD_TARGET, INSTALL, UPDATE, INSTALL]);
    assert!(
        error.contains("rust-web-src rustc-web did not bring it"),
        "{error}"
    );
}

#[test]
fn an_ordinary_user_gets_one_command_for_all_that_is_missing() {
    for lists in [None, Some(OLD), Some(NEW)] {
        let mut machine = Machine::new(RUSTUP_OFFLINE, lists, Some(NEW));
        machine.host.is_root = false;
        let error = machine
            .provide(&[&windows_compiler(Arch::X64), &LLVM_RC])
            .unwrap_err();
        assert_eq!(machine.calls(), [ADD_TARGET]);
        assert!(
            error.ends_with(
                "\ntype: sudo apt-get update && sudo apt-get install --no-install-recommends \
                 clang-19 llvm-19 rust-web-src rustc-web"
            ),
            "{error}"
        );
        assert!(
            error.contains("apt-get: only root installs packages"),
            "{error}"
        );
    }
}

#[test]
fn an_ordinary_user_adds_a_target_with_rustup() {
    let mut machine = Machine::new(RUSTUP_WORKS, None, None);
    machine.host.is_root = false;
    machine.provide_compiler().unwrap();
    assert_eq!(machine.calls(), [ADD_TARGET]);
}

#[test]
fn systems_without_apt_are_told_their_own_packages() {
    let machine = Machine::new(RUSTUP_OFFLINE, None, None);
    machine.remove("bin/apt-get");
    let error = machine.provide(&[&LLVM_RC]).unwrap_err();
    assert!(
        error.ends_with("\nllvm-rc: install LLVM and clang, and set RC_PATH to its llvm-rc"),
        "{error}"
    );
    for (manager, command) in [
        ("dnf", "sudo dnf install clang llvm"),
        ("pacman", "sudo pacman -S --needed clang llvm"),
    ] {
        machine.program(&format!("bin/{manager}"), "exit 1");
        let error = machine
            .provide(&[&LLVM_RC, &windows_compiler(Arch::X64)])
            .unwrap_err();
        assert!(error.contains(&format!("\ntype: {command}\n")), "{error}");
        assert!(error.ends_with(&format!("type: {ADD_TARGET}")), "{error}");
        machine.remove(&format!("bin/{manager}"));
    }
}

#[test]
fn an_installation_that_holds_the_lock_is_named() {
    let machine = Machine::new(RUSTUP_OFFLINE, Some(NEW), Some(NEW));
    machine.write("dpkg-lock", "");
    let error = machine.provide_compiler().unwrap_err();
    assert_eq!(machine.calls(), [ADD_TARGET, INSTALL]);
    assert!(error.contains("It is held by process 7 (dpkg)"), "{error}");
}

#[test]
fn lists_that_another_program_fetches_are_waited_for() {
    let mut machine = Machine::new(RUSTUP_OFFLINE, None, Some(NEW));
    machine.host.lock_patience = Duration::from_mins(1);
    machine.write("lists-lock", "");
    thread::scope(|scope| {
        scope.spawn(|| {
            while !machine.calls().contains(&UPDATE.to_owned()) {
                thread::sleep(Duration::from_millis(10));
            }
            machine.remove("lists-lock");
        });
        machine.provide_compiler().unwrap();
    });
    let calls = machine.calls();
    assert_eq!(calls.last().map(String::as_str), Some(INSTALL), "{calls:?}");

    let machine = Machine::new(RUSTUP_OFFLINE, None, Some(NEW));
    machine.write("lists-lock", "");
    let error = machine.provide_compiler().unwrap_err();
    assert!(
        error.contains("It is held by process 7 (apt-get)"),
        "{error}"
    );
}

#[test]
fn a_compiler_of_the_users_choice_is_not_added_to() {
    let mut machine = Machine::new(RUSTUP_WORKS, Some(NEW), Some(NEW));
    let choice = machine.path("own/rustc");
    fs::create_dir_all(machine.path("own")).unwrap();
    machine.program("own/rustc", &format!("home=$root/own\n{RUSTC}"));
    machine.write("own/version", "1.95.0");
    machine.host.set("RUSTC", choice.as_os_str());
    machine.provide_compiler().unwrap();
    assert_eq!(machine.calls(), [INSTALL]);
}

#[test]
fn a_compiler_that_is_there_already_is_enough() {
    let machine = Machine::new(RUSTUP_OFFLINE, None, None);
    let source = "usr/lib/rustlib/src/rust/library/core/src";
    fs::create_dir_all(machine.path(source)).unwrap();
    machine.write(&format!("{source}/lib.rs"), "");
    machine.write("usr/version", NEW);
    machine.provide_compiler().unwrap();
    assert!(machine.calls().is_empty());
}

#[test]
fn the_stand_ins_are_reached_by_path_alone() {
    let machine = Machine::new(RUSTUP_OFFLINE, None, None);
    assert!(machine.host.program("apt-get").is_some());
    assert!(machine.host.program("sh").is_none());
    let path = machine.host.variable("PATH").map(OsStr::to_owned);
    assert_eq!(
        path.as_deref().map(Path::new),
        Some(machine.path("bin").as_path())
    );
}
