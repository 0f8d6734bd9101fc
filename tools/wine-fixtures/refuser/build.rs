//! Links the package as a driver.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
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
