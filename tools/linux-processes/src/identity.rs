//! Who a Linux process is, in NT's terms.

use std::io::Read;

use ntsim::{Sid, Token};
use procfs::process::Process;

/// The token of a process of which nothing can be read any more. `S-1-0-0`
/// stands for a SID that is not known.
pub const UNKNOWN: Token = Token {
    user: Sid::new(0, &[0]),
    integrity: 0,
    logon_id: 0,
};

/// The authority of `S-1-22`, and below it that of `Unix User`, under which
/// Samba has the users of Unix.
const UNIX: u64 = 22;
const UNIX_USER: u32 = 1;

/// The logon sessions: one for each of audit's, and one for each user outside
/// of those. Windows has no LUIDs as high as these, nor has it known ones there.
const AUDIT_SESSIONS: u64 = 1 << 32;
const USERS: u64 = 2 << 32;

/// What `/proc/PID/status` says of what a process may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Credentials {
    /// The effective user.
    user: u32,
    /// The effective capabilities, one bit each.
    capabilities: u64,
}

/// The token of `process`, in audit's session `session`.
pub fn of(process: &Process, session: Option<u32>) -> Token {
    let mut status = String::new();
    let read = process
        .open_relative("status")
        .ok()
        .and_then(|mut file| file.read_to_string(&mut status).ok());
    read.and_then(|_| Credentials::parse(&status))
        .map_or(UNKNOWN, |credentials| token(credentials, session))
}

impl Credentials {
    fn parse(status: &str) -> Option<Self> {
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name));
        Some(Self {
            // Real, effective, saved and file system user.
            user: field("Uid:")?.split_whitespace().nth(1)?.parse().ok()?,
            capabilities: u64::from_str_radix(field("CapEff:")?.trim(), 16).ok()?,
        })
    }
}

fn token(credentials: Credentials, session: Option<u32>) -> Token {
    let Credentials { user, capabilities } = credentials;
    let is_root = user == 0;
    Token {
        user: if is_root {
            Sid::LOCAL_SYSTEM
        } else {
            Sid::new(UNIX, &[UNIX_USER, user])
        },
        integrity: if is_root {
            Token::SYSTEM_INTEGRITY
        } else if capabilities != 0 {
            Token::HIGH_INTEGRITY
        } else {
            Token::MEDIUM_INTEGRITY
        },
        logon_id: match session {
            Some(session) => AUDIT_SESSIONS | u64::from(session),
            None if is_root => Token::SYSTEM_LUID,
            None => USERS | u64::from(user),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    fn token_of(user: u32, capabilities: u64, session: Option<u32>) -> (String, u32, u64) {
        let token = token(Credentials { user, capabilities }, session);
        (token.user.to_string(), token.integrity, token.logon_id)
    }

    #[test]
    fn users_are_named_as_samba_names_them() {
        assert_eq!(
            token_of(1000, 0, Some(3)),
            ("S-1-22-1-1000".into(), 0x2000, 0x1_0000_0003)
        );
        assert_eq!(
            token_of(1000, 1 << 13, None),
            ("S-1-22-1-1000".into(), 0x3000, 0x2_0000_03e8)
        );
        assert_eq!(
            token_of(u32::MAX - 1, 0, None),
            ("S-1-22-1-4294967294".into(), 0x2000, 0x2_ffff_fffe)
        );
    }

    #[test]
    fn root_is_the_system() {
        assert_eq!(
            token_of(0, u64::MAX, None),
            ("S-1-5-18".into(), 0x4000, 0x3e7)
        );
        // A session of audit's with the number of the system's own.
        assert_eq!(
            token_of(0, 0, Some(0x3e7)),
            ("S-1-5-18".into(), 0x4000, 0x1_0000_03e7)
        );
    }

    #[test]
    fn the_effective_user_counts() {
        let status = "Name:\tUid: x\nUid:\t1000\t33\t33\t33\nCapEff:\t0000000000002000\n";
        assert_eq!(
            Credentials::parse(status),
            Some(Credentials {
                user: 33,
                capabilities: 0x2000
            })
        );
        assert_eq!(Credentials::parse("Uid:\t1000\n"), None);
    }

    #[test]
    fn this_process_is_its_user() {
        let process = Process::myself().unwrap();
        // The folder of a process belongs to its effective user.
        let expected = match std::fs::metadata("/proc/self").unwrap().uid() {
            0 => "S-1-5-18".to_owned(),
            user => format!("S-1-22-1-{user}"),
        };
        assert_eq!(of(&process, None).user.to_string(), expected);
    }
}
