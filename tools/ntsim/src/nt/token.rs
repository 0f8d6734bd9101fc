//! Who a process is: the words of its primary token.

use std::fmt;

/// A security identifier: `SID`, revision 1.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sid {
    /// From the highest byte, `SID_IDENTIFIER_AUTHORITY`.
    authority: [u8; 6],
    count: u8,
    /// Zero behind the first `count`, so that equal identifiers compare equal.
    sub_authorities: [u32; Self::MAX_SUB_AUTHORITIES],
}

impl Sid {
    /// `SID_MAX_SUB_AUTHORITIES`.
    pub const MAX_SUB_AUTHORITIES: usize = 15;

    /// `SECURITY_MAX_SID_SIZE`.
    pub const MAX_SIZE: usize = Self::size_with(Self::MAX_SUB_AUTHORITIES);

    /// `SID_REVISION`.
    const REVISION: u8 = 1;

    /// Revision, number of sub-authorities, and authority.
    const HEADER: usize = 8;

    /// `LocalSystem`, S-1-5-18.
    pub const LOCAL_SYSTEM: Self = Self::new(5, &[18]);

    /// A user of a machine or domain, as those that people log on with.
    pub const USER: Self = Self::new(5, &[21, 1_004_336_348, 1_177_238_915, 682_003_330, 1001]);

    /// The identifier with this authority and these sub-authorities.
    ///
    /// # Panics
    /// When the authority takes more than 48 bits, or there are more than 15
    /// sub-authorities.
    #[must_use]
    pub const fn new(authority: u64, sub_authorities: &[u32]) -> Self {
        assert!(authority >> 48 == 0, "an authority has 48 bits");
        assert!(
            sub_authorities.len() <= Self::MAX_SUB_AUTHORITIES,
            "a SID has 15 sub-authorities at most"
        );
        let mut all = [0; Self::MAX_SUB_AUTHORITIES];
        let (used, _) = all.split_at_mut(sub_authorities.len());
        used.copy_from_slice(sub_authorities);
        let [_, _, authority @ ..] = authority.to_be_bytes();
        Self {
            authority,
            count: sub_authorities.len() as u8,
            sub_authorities: all,
        }
    }

    /// Its identifier authority.
    #[must_use]
    pub fn authority(&self) -> u64 {
        let mut bytes = [0; 8];
        bytes[2..].copy_from_slice(&self.authority);
        u64::from_be_bytes(bytes)
    }

    /// Its sub-authorities; the last one is the RID.
    #[must_use]
    pub fn sub_authorities(&self) -> &[u32] {
        &self.sub_authorities[..usize::from(self.count)]
    }

    /// The length of its bytes, as `RtlLengthSid` returns it.
    #[must_use]
    pub const fn size(&self) -> usize {
        Self::size_with(self.count as usize)
    }

    /// Its bytes, as `SID` lays them out.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![Self::REVISION, self.count];
        bytes.extend_from_slice(&self.authority);
        for sub_authority in self.sub_authorities() {
            bytes.extend_from_slice(&sub_authority.to_le_bytes());
        }
        bytes
    }

    /// Reads the identifier at the start of `bytes`. None where they are too
    /// few, the revision is another, or there are more than 15 sub-authorities.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let header: &[u8; Self::HEADER] = bytes.first_chunk()?;
        let [revision, count, authority @ ..] = *header;
        if revision != Self::REVISION || usize::from(count) > Self::MAX_SUB_AUTHORITIES {
            return None;
        }
        let (words, _) = bytes
            .get(Self::HEADER..Self::size_with(count.into()))?
            .as_chunks();
        let mut sub_authorities = [0; Self::MAX_SUB_AUTHORITIES];
        for (target, word) in sub_authorities.iter_mut().zip(words) {
            *target = u32::from_le_bytes(*word);
        }
        Some(Self {
            authority,
            count,
            sub_authorities,
        })
    }

    /// The length of an identifier with `count` sub-authorities.
    const fn size_with(count: usize) -> usize {
        Self::HEADER + 4 * count
    }
}

/// `S-1-5-18`, as `RtlConvertSidToUnicodeString` writes it: an authority that
/// takes more than 32 bits is in hexadecimal.
impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S-{}-", Self::REVISION)?;
        let authority = self.authority();
        if authority >> 32 == 0 {
            write!(f, "{authority}")?;
        } else {
            write!(f, "{authority:#014x}")?;
        }
        for sub_authority in self.sub_authorities() {
            write!(f, "-{sub_authority}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The primary token of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Token {
    /// The user's identifier.
    pub user: Sid,
    /// The RID of its mandatory label, such as `SECURITY_MANDATORY_MEDIUM_RID`.
    pub integrity: u32,
    /// The LUID of its logon session, `AuthenticationId`.
    pub logon_id: u64,
}

impl Token {
    /// `SECURITY_MANDATORY_MEDIUM_RID`.
    pub const MEDIUM_INTEGRITY: u32 = 0x2000;
    /// `SECURITY_MANDATORY_HIGH_RID`.
    pub const HIGH_INTEGRITY: u32 = 0x3000;
    /// `SECURITY_MANDATORY_SYSTEM_RID`.
    pub const SYSTEM_INTEGRITY: u32 = 0x4000;
    /// `SYSTEM_LUID`, the logon session of the system itself.
    pub const SYSTEM_LUID: u64 = 0x3e7;

    /// The token of the System process and of services that run as
    /// `LocalSystem`.
    pub const SYSTEM: Self = Self {
        user: Sid::LOCAL_SYSTEM,
        integrity: Self::SYSTEM_INTEGRITY,
        logon_id: Self::SYSTEM_LUID,
    };

    /// The token of a process that an ordinary user starts.
    pub const USER: Self = Self {
        user: Sid::USER,
        integrity: Self::MEDIUM_INTEGRITY,
        logon_id: 0x5_f3a1,
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDEST: Sid = Sid::new((1 << 48) - 1, &[u32::MAX; Sid::MAX_SUB_AUTHORITIES]);

    #[test]
    fn texts_are_those_of_the_documentation() {
        assert_eq!(Sid::LOCAL_SYSTEM.to_string(), "S-1-5-18");
        assert_eq!(
            Sid::USER.to_string(),
            "S-1-5-21-1004336348-1177238915-682003330-1001"
        );
        assert_eq!(Sid::new(0, &[]).to_string(), "S-1-0");
        assert_eq!(Sid::new(0xffff_ffff, &[0]).to_string(), "S-1-4294967295-0");
        assert_eq!(Sid::new(1 << 32, &[7]).to_string(), "S-1-0x000100000000-7");
        assert_eq!(
            WIDEST.to_string(),
            format!("S-1-0xffffffffffff{}", "-4294967295".repeat(15))
        );
    }

    #[test]
    fn bytes_are_those_of_the_structure() {
        assert_eq!(
            Sid::new(5, &[32, 0x220]).to_bytes(),
            [1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0]
        );
        for sid in [Sid::LOCAL_SYSTEM, Sid::USER, Sid::new(0, &[]), WIDEST] {
            let bytes = sid.to_bytes();
            assert_eq!(bytes.len(), sid.size());
            assert!(bytes.len() <= Sid::MAX_SIZE);
            assert_eq!(Sid::from_bytes(&bytes), Some(sid));
            assert_eq!(Sid::from_bytes(&bytes[..bytes.len() - 1]), None);
        }
        assert_eq!(Sid::from_bytes(&[2, 0, 0, 0, 0, 0, 0, 5]), None);
        assert_eq!(
            Sid::from_bytes(&[[1, 16], [0; 2]].concat().repeat(40)),
            None
        );
    }
}
