//! The example runs.

#[expect(dead_code, reason = "a program's `main` is not called here")]
#[path = "../examples/one_process.rs"]
mod one_process;

#[test]
fn the_example_prints_what_a_driver_says_of_one_process() {
    let lines = one_process::run(&driver_images::procmon()).unwrap();
    let begins = |line: &String, text: &str| assert!(line.starts_with(text), "{line}");
    assert_eq!(lines.len(), 6, "{lines:?}");
    begins(&lines[1], "[Create] [PID = 0x1a2c, Name=");
    begins(&lines[4], "[Destroy] [PID = 0x1a2c]");
}

#[test]
fn the_example_says_what_is_wrong() {
    let error = one_process::run("nowhere.sys".as_ref()).unwrap_err();
    assert!(error.to_string().contains("nowhere.sys"), "{error}");
}
