//! Access tokens: whom a process acts for.

use core::ptr;

use wdk_sys::_TOKEN_INFORMATION_CLASS::{TokenIntegrityLevel, TokenStatistics, TokenUser};
use wdk_sys::ntddk::{RtlCopySid, ZwQueryInformationToken};
use wdk_sys::{
    SID_AND_ATTRIBUTES, SID_MAX_SUB_AUTHORITIES, TOKEN_INFORMATION_CLASS, TOKEN_STATISTICS, ULONG,
};

use crate::nt::handle::Handle;

/// The bytes of a SID in front of its sub-authorities: the revision, the number of
/// sub-authorities, and the authority.
const SID_HEADER: usize = 2 + AUTHORITY_SIZE;

/// The bytes of an authority, of which the highest is the first.
const AUTHORITY_SIZE: usize = 6;

/// The bytes of the longest SID (`SECURITY_MAX_SID_SIZE`).
const SID_SIZE: usize = SID_HEADER + 4 * SID_MAX_SUB_AUTHORITIES as usize;

/// A security identifier.
///
/// [SID](https://learn.microsoft.com/windows-hardware/drivers/ddi/ntifs/ns-ntifs-_sid)
#[derive(Debug, Clone, Copy)]
#[repr(C, align(4))]
pub struct Sid([u8; SID_SIZE]);

impl Sid {
    /// The bytes of S-1-0-0, which is nobody.
    pub const NOBODY: [u8; 12] = [1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

    /// Room for an identifier.
    const EMPTY: Self = Self([0; SID_SIZE]);

    /// The identifier's own bytes, without the room behind them.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        let [_revision, count, ..] = self.0;
        let length = SID_HEADER + 4 * usize::from(count);
        self.0.get(..length).unwrap_or(&self.0)
    }

    /// Who issued it.
    #[must_use]
    pub fn authority(&self) -> u64 {
        let [_revision, _count, authority @ ..] = &self.0;
        let bytes = authority.iter().take(AUTHORITY_SIZE);
        bytes.fold(0, |value, &byte| value << 8 | u64::from(byte))
    }

    /// What it identifies, from the widest to the narrowest.
    pub fn sub_authorities(&self) -> impl Iterator<Item = u32> {
        let (_header, numbers) = self
            .as_bytes()
            .split_at_checked(SID_HEADER)
            .unwrap_or_default();
        numbers
            .as_chunks()
            .0
            .iter()
            .map(|&bytes| u32::from_le_bytes(bytes))
    }
}

/// The token of a process.
#[derive(Debug)]
pub struct Token(Handle);

/// The structures that are a SID, `TOKEN_USER` and `TOKEN_MANDATORY_LABEL`, and
/// the SID that they point to.
#[repr(C)]
struct SidInformation {
    pointer: SID_AND_ATTRIBUTES,
    _pointee: Sid,
}

impl Token {
    pub(super) const fn new(handle: Handle) -> Self {
        Self(handle)
    }

    /// The user; `None` where it cannot be had.
    ///
    /// IRQL: `PASSIVE_LEVEL`.
    #[must_use]
    pub fn user(&self) -> Option<Sid> {
        self.sid(TokenUser)
    }

    /// How far the system trusts the process: the last sub-authority of its
    /// mandatory label, such as `SECURITY_MANDATORY_MEDIUM_RID`; `None`
    /// where it cannot be had.
    ///
    /// IRQL: `PASSIVE_LEVEL`.
    #[must_use]
    pub fn integrity_level(&self) -> Option<u32> {
        self.sid(TokenIntegrityLevel)?.sub_authorities().last()
    }

    /// The logon session (`AuthenticationId`); `None` where it cannot be had.
    ///
    /// IRQL: `PASSIVE_LEVEL`.
    #[must_use]
    pub fn logon_id(&self) -> Option<u64> {
        let mut statistics = TOKEN_STATISTICS::default();
        self.query(TokenStatistics, &mut statistics)?;
        let id = statistics.AuthenticationId;
        Some(u64::from(id.HighPart.cast_unsigned()) << 32 | u64::from(id.LowPart))
    }

    /// The SID of a class.
    #[inline(never)]
    #[expect(clippy::cast_possible_truncation, reason = "68")]
    fn sid(&self, class: TOKEN_INFORMATION_CLASS) -> Option<Sid> {
        let mut information = SidInformation {
            pointer: SID_AND_ATTRIBUTES::default(),
            _pointee: Sid::EMPTY,
        };
        self.query(class, &mut information)?;
        let mut sid = Sid::EMPTY;
        // SAFETY: The query has succeeded, so that the pointer leads to a SID
        // in `information`; the copy is no longer than its room.
        let status = unsafe {
            RtlCopySid(
                SID_SIZE as ULONG,
                (&raw mut sid).cast(),
                information.pointer.Sid,
            )
        };
        wdk::nt_success(status).then_some(sid)
    }

    /// Asks for the information of a class whose structure is a `T`.
    ///
    /// [ZwQueryInformationToken](https://learn.microsoft.com/windows-hardware/drivers/ddi/ntifs/nf-ntifs-zwqueryinformationtoken)
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the structures are of a few bytes"
    )]
    fn query<T>(&self, class: TOKEN_INFORMATION_CLASS, information: &mut T) -> Option<()> {
        let mut length: ULONG = 0;
        // SAFETY: The handle is open, and `information` can be written and is
        // as long as is said.
        let status = unsafe {
            ZwQueryInformationToken(
                self.0.as_raw(),
                class,
                ptr::from_mut(information).cast(),
                size_of::<T>() as ULONG,
                &raw mut length,
            )
        };
        wdk::nt_success(status).then_some(())
    }
}
