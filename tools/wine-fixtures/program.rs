//! The build script of every program here: links it without a C runtime.

fn main() {
    for argument in [
        "/GUARD:NO",
        "/NODEFAULTLIB",
        "/SUBSYSTEM:CONSOLE",
        "/ENTRY:start",
    ] {
        println!("cargo::rustc-link-arg-bins={argument}");
    }
}
