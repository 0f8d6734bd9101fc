//! The build script of every library here: links it without a C runtime and
//! without an entry point.

fn main() {
    for argument in ["/GUARD:NO", "/NODEFAULTLIB", "/NOENTRY"] {
        println!("cargo::rustc-cdylib-link-arg={argument}");
    }
}
