//! Whether an image is newer than every source that it was built from.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Checks `image` against the sources, all below `root`, that the dependency
/// file beside it lists.
///
/// # Errors
/// What is wrong with the image, to be read after its name.
pub fn check(image: &Path, root: &Path) -> Result<(), String> {
    let Ok(built) = modified(image) else {
        return Err("is not there".to_owned());
    };
    let dependencies = image.with_extension("d");
    let listed = fs::read_to_string(&dependencies)
        .map_err(|_| format!("has no {} beside it", dependencies.display()))?;
    let sources = sources(&listed);
    if sources.is_empty() {
        return Err(format!("has no sources in {}", dependencies.display()));
    }
    for source in sources {
        let Ok(name) = source.strip_prefix(root) else {
            return Err(format!("was built from {}", source.display()));
        };
        match modified(&source) {
            Err(_) => return Err(format!("was built from {}, which is gone", name.display())),
            Ok(changed) if changed > built => {
                return Err(format!("is older than {}", name.display()));
            }
            Ok(_) => {}
        }
    }
    Ok(())
}

fn modified(file: &Path) -> io::Result<SystemTime> {
    fs::metadata(file)?.modified()
}

/// What a dependency file, in the syntax of make, lists after its first colon:
/// file names separated by white space, which a backslash before it makes part
/// of a name or, at the end of a line, nothing.
fn sources(listed: &str) -> Vec<PathBuf> {
    let listed = listed.replace("\\\n", " ").replace("\\ ", "\0");
    let rules = listed.lines().next().unwrap_or_default();
    let (_, sources) = rules.split_once(": ").unwrap_or_default();
    let names = sources.split_whitespace();
    names.map(|name| name.replace('\0', " ").into()).collect()
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::Duration;

    use super::*;

    struct Build {
        folder: tempfile::TempDir,
    }

    impl Build {
        /// An image of two sources, one second newer than them.
        fn new() -> Self {
            let build = Self {
                folder: tempfile::tempdir().unwrap(),
            };
            let listed = format!(
                "image.dll: {} {}\n\nother: files\n",
                build.path("a.rs").display(),
                build.path("b.rs").display()
            );
            for (name, text, second) in [
                ("a.rs", "", 10),
                ("b.rs", "", 10),
                ("image.d", &*listed, 11),
                ("image.sys", "", 11),
            ] {
                fs::write(build.path(name), text).unwrap();
                build.set_time(name, second);
            }
            build
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn set_time(&self, name: &str, second: u64) {
            let file = File::options().append(true).open(self.path(name)).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(second))
                .unwrap();
        }

        fn check(&self) -> Result<(), String> {
            check(&self.path("image.sys"), self.folder.path())
        }
    }

    #[test]
    fn an_image_newer_than_its_sources_is_used() {
        assert_eq!(Build::new().check(), Ok(()));
    }

    #[test]
    fn a_newer_source_is_named() {
        let build = Build::new();
        build.set_time("b.rs", 12);
        assert_eq!(build.check().unwrap_err(), "is older than b.rs");
    }

    #[test]
    fn a_source_that_is_gone_is_named() {
        let build = Build::new();
        fs::remove_file(build.path("a.rs")).unwrap();
        let reason = build.check().unwrap_err();
        assert_eq!(reason, "was built from a.rs, which is gone");
    }

    #[test]
    fn an_image_of_another_copy_of_the_repository_is_refused() {
        let build = Build::new();
        let reason = check(&build.path("image.sys"), Path::new("/elsewhere")).unwrap_err();
        let expected = format!("was built from {}", build.path("a.rs").display());
        assert_eq!(reason, expected);
    }

    #[test]
    fn an_image_whose_age_is_unknown_is_refused() {
        let build = Build::new();
        fs::write(build.path("image.d"), "").unwrap();
        assert!(build.check().unwrap_err().starts_with("has no sources in "));
        fs::remove_file(build.path("image.d")).unwrap();
        assert!(build.check().unwrap_err().ends_with("image.d beside it"));
        fs::remove_file(build.path("image.sys")).unwrap();
        assert_eq!(build.check().unwrap_err(), "is not there");
    }

    #[test]
    fn names_may_have_spaces_and_lines_may_go_on() {
        let listed = "a.obj: /one/a\\ b.c \\\n  /one/driver.h\n";
        let expected = ["/one/a b.c", "/one/driver.h"].map(PathBuf::from);
        assert_eq!(sources(listed), expected);
    }
}
