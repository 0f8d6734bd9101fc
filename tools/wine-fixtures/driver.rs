//! The build script of every driver here.

fn main() {
    for argument in [
        "/DRIVER",
        "/GUARD:NO",
        "/NODEFAULTLIB",
        "/SUBSYSTEM:NATIVE",
        "/ENTRY:DriverEntry",
    ] {
        println!("cargo::rustc-cdylib-link-arg={argument}");
    }
}
