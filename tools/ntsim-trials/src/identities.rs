//! Tokens and start keys as no people have them: every number of
//! sub-authorities, levels that have no name, and the values at the ends.

use arbitrary::Arbitrary;
use ntsim::{Sid, Token};

/// A token that means harm, and the start key of its process.
#[derive(Arbitrary, Clone, Debug)]
pub struct Identity {
    authority: Number,
    /// How many sub-authorities, less one.
    count: u8,
    sub_authorities: [Number; Sid::MAX_SUB_AUTHORITIES],
    integrity: Level,
    logon_id: Number,
    start_key: Number,
}

/// A number: mostly small, as most are, else one at an end, or any.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Number {
    Small(u8),
    Zero,
    Most,
    /// The highest bit, which a sign would be.
    High,
    Any(u64),
}

/// The RID of a mandatory label.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Level {
    /// From untrusted, 0, in the steps that Windows has names for, and above.
    Named(u8),
    Any(u32),
}

impl Number {
    /// Its value in so many bits.
    const fn value(self, bits: u32) -> u64 {
        let most = u64::MAX >> (u64::BITS - bits);
        match self {
            Self::Small(value) => value as u64,
            Self::Zero => 0,
            Self::Most => most,
            Self::High => 1 << (bits - 1),
            Self::Any(value) => value & most,
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "it has 32 bits")]
    const fn value32(self) -> u32 {
        self.value(32) as u32
    }
}

impl Identity {
    /// The token.
    pub fn token(&self) -> Token {
        let sub_authorities = self.sub_authorities.map(Number::value32);
        let count = 1 + usize::from(self.count) % Sid::MAX_SUB_AUTHORITIES;
        Token {
            user: Sid::new(self.authority.value(48), &sub_authorities[..count]),
            integrity: match self.integrity {
                Level::Named(step) => 0x1000 * u32::from(step % 8),
                Level::Any(level) => level,
            },
            logon_id: self.logon_id.value(64),
        }
    }

    /// The start key, which is none of the boot that ntsim numbers processes in:
    /// no two processes that run at once have the same.
    pub const fn start_key(&self) -> u64 {
        const BOOT: u64 = 2;
        let key = self.start_key.value(64);
        if key >> 48 == BOOT { !key } else { key }
    }
}

/// The token of a process of a load: each differs from the next one in all of
/// its parts.
pub fn of_load(index: usize, serial: u64) -> Token {
    #[expect(clippy::cast_possible_truncation, reason = "any bits do")]
    let low = serial as u32;
    let levels = [
        0,
        0x1000,
        0x2000,
        0x2100,
        0x3000,
        0x4000,
        0x5000,
        low,
        u32::MAX,
    ];
    let mut sub_authorities = [u32::MAX; Sid::MAX_SUB_AUTHORITIES];
    let count = 1 + index % Sid::MAX_SUB_AUTHORITIES;
    sub_authorities[count - 1] = low;
    Token {
        user: Sid::new((serial << 5) % (1 << 48), &sub_authorities[..count]),
        integrity: levels[index % levels.len()],
        logon_id: !serial,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use arbitrary::Unstructured;

    use super::*;
    use crate::hostile::Generator;

    /// As many identities as a short run has.
    fn identities() -> Vec<Identity> {
        let mut generator = Generator::new(1);
        std::iter::repeat_with(|| {
            let bytes: Vec<u8> = (0..4).flat_map(|_| generator.next_bytes()).collect();
            Identity::arbitrary_take_rest(Unstructured::new(&bytes)).unwrap()
        })
        .take(2000)
        .collect()
    }

    #[test]
    fn every_number_of_sub_authorities_is_met_and_the_ends_of_each_value() {
        let identities = identities();
        let tokens: Vec<Token> = identities.iter().map(Identity::token).collect();
        let counts: HashSet<usize> = tokens
            .iter()
            .map(|token| token.user.sub_authorities().len())
            .collect();
        assert_eq!(counts, (1..=15).collect());
        let meets = |what: &str, is_met: &dyn Fn(&Token) -> bool| {
            assert!(tokens.iter().any(is_met), "{what}");
        };
        meets("authority", &|token| {
            token.user.authority() == (1 << 48) - 1
        });
        meets("RID", &|token| {
            token.user.sub_authorities().contains(&u32::MAX)
        });
        meets("unknown level", &|token| {
            !token.integrity.is_multiple_of(0x100)
        });
        meets("untrusted", &|token| token.integrity == 0);
        meets("logon", &|token| token.logon_id == u64::MAX);
        meets("no logon", &|token| token.logon_id == 0);
        let keys: HashSet<u64> = identities.iter().map(Identity::start_key).collect();
        assert!(keys.contains(&0) && keys.contains(&u64::MAX));
        assert!(keys.iter().all(|key| key >> 48 != 2));
    }
}
