//! Token objects, and what a query returns of one.

use crate::nt::{Sid, Token};

/// A `TOKEN`: the primary token of a process.
pub struct TokenObject {
    /// Whose it is.
    pub process_id: u32,
    /// What it says of its user.
    pub token: Token,
    /// The session that its process runs in.
    pub session_id: u32,
    /// Its own LUID, `TokenId`.
    pub id: u64,
}

impl TokenObject {
    /// Whether the local administrators are among its groups, and enabled.
    /// Groups are not modelled: a token above medium integrity is theirs, as
    /// those that elevation makes and those of services.
    pub const fn is_administrators(&self) -> bool {
        self.token.integrity >= Token::HIGH_INTEGRITY
    }
}

/// What can be asked of a token: the values of `TOKEN_INFORMATION_CLASS` that
/// are modelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Information {
    /// `TokenUser`: a `TOKEN_USER`.
    User,
    /// `TokenType`: a `TOKEN_TYPE`.
    Type,
    /// `TokenStatistics`: a `TOKEN_STATISTICS`.
    Statistics,
    /// `TokenSessionId`: a `ULONG`.
    SessionId,
    /// `TokenElevation`: a `TOKEN_ELEVATION`.
    Elevation,
    /// `TokenIntegrityLevel`: a `TOKEN_MANDATORY_LABEL`.
    IntegrityLevel,
}

/// Why nothing is known of a value of `TOKEN_INFORMATION_CLASS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownClass {
    /// It is none, or none of a primary token.
    Invalid,
    /// It is not modelled.
    Unsupported,
}

/// `MaxTokenInfoClass` of the newest headers.
const MAX_CLASS: u32 = 51;

/// `TokenImpersonationLevel`, which primary tokens do not have.
const IMPERSONATION_LEVEL: u32 = 9;

/// `TokenPrimary`.
const PRIMARY: u32 = 1;

/// `SE_GROUP_INTEGRITY | SE_GROUP_INTEGRITY_ENABLED`, the attributes of a label.
const LABEL_ATTRIBUTES: u32 = 0x60;

/// The authority of labels, `SECURITY_MANDATORY_LABEL_AUTHORITY`.
const LABEL_AUTHORITY: u64 = 16;

/// `SID_AND_ATTRIBUTES`, which is all of a `TOKEN_USER` and a
/// `TOKEN_MANDATORY_LABEL`.
const SID_AND_ATTRIBUTES: usize = 16;

/// `ExpirationTime` of tokens that never expire.
const NEVER: u64 = i64::MAX.cast_unsigned();

impl Information {
    /// What the value `class` of `TOKEN_INFORMATION_CLASS` asks for.
    ///
    /// # Errors
    /// Why it asks for nothing.
    pub const fn of(class: u32) -> Result<Self, UnknownClass> {
        match class {
            1 => Ok(Self::User),
            8 => Ok(Self::Type),
            10 => Ok(Self::Statistics),
            12 => Ok(Self::SessionId),
            20 => Ok(Self::Elevation),
            25 => Ok(Self::IntegrityLevel),
            0 | IMPERSONATION_LEVEL | MAX_CLASS.. => Err(UnknownClass::Invalid),
            _ => Err(UnknownClass::Unsupported),
        }
    }

    /// What it is of `token`, laid out for the address `place`: a SID stands
    /// behind the structure that points to it.
    pub fn bytes(self, token: &TokenObject, place: u64) -> Vec<u8> {
        match self {
            Self::User => with_sid(&token.token.user, 0, place),
            Self::Type => PRIMARY.to_le_bytes().to_vec(),
            Self::Statistics => statistics(token),
            Self::SessionId => token.session_id.to_le_bytes().to_vec(),
            Self::Elevation => u32::from(token.is_administrators()).to_le_bytes().to_vec(),
            Self::IntegrityLevel => {
                let label = Sid::new(LABEL_AUTHORITY, &[token.token.integrity]);
                with_sid(&label, LABEL_ATTRIBUTES, place)
            }
        }
    }
}

/// A `SID_AND_ATTRIBUTES` for the address `place`, and the SID behind it.
fn with_sid(sid: &Sid, attributes: u32, place: u64) -> Vec<u8> {
    let address = place.wrapping_add(SID_AND_ATTRIBUTES as u64);
    let mut bytes = address.to_le_bytes().to_vec();
    bytes.extend(attributes.to_le_bytes());
    bytes.resize(SID_AND_ATTRIBUTES, 0);
    bytes.extend(sid.to_bytes());
    bytes
}

/// `TOKEN_STATISTICS`. Groups, privileges and default access are not modelled.
fn statistics(token: &TokenObject) -> Vec<u8> {
    let longs = [token.id, token.token.logon_id, NEVER];
    // TokenType and ImpersonationLevel, then four sizes and counts.
    let ints = [PRIMARY, 0, 0, 0, 0, 0];
    let mut bytes: Vec<u8> = longs.iter().flat_map(|long| long.to_le_bytes()).collect();
    bytes.extend(ints.iter().flat_map(|int| int.to_le_bytes()));
    // Nothing modifies a token after it is made.
    bytes.extend(token.id.to_le_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_the_structures() {
        let widest = Sid::new(5, &[u32::MAX; Sid::MAX_SUB_AUTHORITIES]);
        let token = TokenObject {
            process_id: 8,
            token: Token {
                user: widest,
                ..Token::USER
            },
            session_id: 1,
            id: 0x1_0001,
        };
        let size = |information: Information| information.bytes(&token, 0).len();
        assert_eq!(size(Information::User), 16 + Sid::MAX_SIZE);
        assert_eq!(size(Information::Type), 4);
        assert_eq!(size(Information::Statistics), 56);
        assert_eq!(size(Information::SessionId), 4);
        assert_eq!(size(Information::Elevation), 4);
        assert_eq!(size(Information::IntegrityLevel), 28);
    }

    #[test]
    fn a_class_is_modelled_or_refused() {
        assert_eq!(Information::of(0), Err(UnknownClass::Invalid));
        assert_eq!(Information::of(1), Ok(Information::User));
        assert_eq!(Information::of(2), Err(UnknownClass::Unsupported));
        assert_eq!(Information::of(9), Err(UnknownClass::Invalid));
        assert_eq!(Information::of(50), Err(UnknownClass::Unsupported));
        assert_eq!(Information::of(51), Err(UnknownClass::Invalid));
        assert_eq!(Information::of(u32::MAX), Err(UnknownClass::Invalid));
    }
}
