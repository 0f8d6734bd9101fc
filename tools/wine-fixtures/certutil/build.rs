//! Links the package as a program without a C runtime.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    for argument in [
        "/GUARD:NO",
        "/NODEFAULTLIB",
        "/SUBSYSTEM:CONSOLE",
        "/ENTRY:start",
    ] {
        println!("cargo::rustc-link-arg-bins={argument}");
    }
}
