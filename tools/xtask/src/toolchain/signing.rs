//! What makes certificates and signatures.

use std::path::PathBuf;

use super::Requirement;
use super::requirement::{Elsewhere, Packages};

/// OpenSSL's command.
pub const OPENSSL: Requirement<PathBuf> = Requirement {
    what: "openssl",
    why: "makes and reads certificates",
    find: |host| host.program("openssl"),
    rustup: None,
    debian: &[Packages::any(&["openssl"])],
    elsewhere: Elsewhere {
        fedora: &["openssl"],
        arch: &["openssl"],
        otherwise: "install OpenSSL 3 so that openssl is on the PATH",
    },
};

/// osslsigncode, what signtool is on Windows.
pub const OSSLSIGNCODE: Requirement<PathBuf> = Requirement {
    what: "osslsigncode",
    why: "signs the driver and its catalog",
    find: |host| host.program("osslsigncode"),
    rustup: None,
    debian: &[Packages::any(&["osslsigncode"])],
    elsewhere: Elsewhere {
        fedora: &["osslsigncode"],
        arch: &["osslsigncode"],
        otherwise: "install osslsigncode 2.5 or newer so that it is on the PATH",
    },
};
