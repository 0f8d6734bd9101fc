//! The fields of an event, and how they are shown.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{InType, OutType};
use crate::Guid;
use crate::bytes::{Bytes, Truncated};
use crate::time::file_time_text;

/// A field of an event. Shown, it is its value as its types say.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// How it was encoded.
    pub in_type: InType,
    /// How it is shown.
    pub out_type: OutType,
    /// Its tag, which the provider defines.
    pub tag: u32,
    /// Its value.
    pub value: Value,
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// Nothing.
    Null,
    /// A number that has a sign.
    Signed(i64),
    /// A number that has none.
    Unsigned(u64),
    /// A number of 32 bits that may have a fraction.
    Float(f32),
    /// A number of 64 bits that may have a fraction.
    Double(f64),
    /// A `BOOL`.
    Bool(bool),
    /// Text in UTF-16, exactly as it was written.
    Utf16(Vec<u16>),
    /// Text in 8-bit characters, of code page 1252 unless the type says UTF-8.
    Ansi(Vec<u8>),
    /// Bytes.
    Binary(Vec<u8>),
    /// An identifier.
    Guid(Guid),
    /// A system time, in units of 100 nanoseconds since 1601.
    FileTime(i64),
    /// A `SYSTEMTIME`: year, month, day of the week, day, hour, minute, second,
    /// milliseconds.
    SystemTime([u16; 8]),
    /// A security identifier: its revision, its authority and its subauthorities.
    Sid {
        /// Its revision, 1.
        revision: u8,
        /// Who issued it.
        authority: u64,
        /// What it identifies there.
        subauthorities: Vec<u32>,
    },
    /// The fields of a structure.
    Struct(Vec<Field>),
    /// Values of one type.
    Array(Vec<Value>),
}

impl Value {
    /// Takes a value from a payload.
    pub(crate) fn take(in_type: InType, payload: &mut Bytes<'_>) -> Result<Self, Truncated> {
        Ok(match in_type {
            InType::Null | InType::Struct => Self::Null,
            InType::UnicodeString => Self::Utf16(until_nul(payload)?),
            InType::AnsiString => Self::Ansi(payload.until_nul()?.into()),
            InType::Int8 => Self::Signed(i8::from_le_bytes(payload.array()?).into()),
            InType::UInt8 => Self::Unsigned(payload.u8()?.into()),
            InType::Int16 => Self::Signed(i16::from_le_bytes(payload.array()?).into()),
            InType::UInt16 => Self::Unsigned(payload.u16()?.into()),
            InType::Int32 => Self::Signed(i32::from_le_bytes(payload.array()?).into()),
            InType::UInt32 | InType::HexInt32 => Self::Unsigned(payload.u32()?.into()),
            InType::Int64 => Self::Signed(payload.i64()?),
            InType::UInt64 | InType::HexInt64 => Self::Unsigned(payload.u64()?),
            InType::Float => Self::Float(f32::from_le_bytes(payload.array()?)),
            InType::Double => Self::Double(f64::from_le_bytes(payload.array()?)),
            InType::Bool32 => Self::Bool(payload.u32()? != 0),
            InType::Binary | InType::CountedBinary => Self::Binary(counted(payload)?.into()),
            InType::Guid => Self::Guid(Guid::from_bytes_le(payload.array()?)),
            InType::FileTime => Self::FileTime(payload.i64()?),
            InType::SystemTime => {
                let mut parts = [0; 8];
                for part in &mut parts {
                    *part = payload.u16()?;
                }
                Self::SystemTime(parts)
            }
            InType::Sid => Self::take_sid(payload)?,
            InType::CountedString => Self::Utf16(units(counted(payload)?)),
            InType::CountedAnsiString => Self::Ansi(counted(payload)?.into()),
        })
    }

    fn take_sid(payload: &mut Bytes<'_>) -> Result<Self, Truncated> {
        let revision = payload.u8()?;
        let count = payload.u8()?;
        let authority: [u8; 6] = payload.array()?;
        let subauthorities = (0..count).map(|_| payload.u32());
        Ok(Self::Sid {
            revision,
            authority: authority
                .iter()
                .fold(0, |all, byte| all << 8 | u64::from(*byte)),
            subauthorities: subauthorities.collect::<Result<_, _>>()?,
        })
    }

    /// Its text, if it is text: exact where it is well-formed.
    #[must_use]
    pub fn text(&self, out_type: OutType) -> Option<String> {
        match self {
            Self::Utf16(units) => Some(String::from_utf16_lossy(units)),
            Self::Ansi(bytes) => Some(match out_type {
                OutType::Utf8 | OutType::Xml | OutType::Json => {
                    String::from_utf8_lossy(bytes).into_owned()
                }
                // Code page 1252, but for what it has between 0x80 and 0x9f.
                _ => bytes.iter().map(|byte| char::from(*byte)).collect(),
            }),
            _ => None,
        }
    }

    fn show(&self, types: &Field, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let out_type = types.out_type;
        match self {
            Self::Null => f.write_str("null"),
            Self::Unsigned(value) => unsigned(*value, types, f),
            Self::Signed(value) => match out_type {
                OutType::HResult | OutType::NtStatus | OutType::Win32Error => {
                    write!(f, "{:#010x}", value.cast_unsigned() as u32)
                }
                OutType::String => character(value.cast_unsigned(), f),
                _ => write!(f, "{value}"),
            },
            Self::Float(value) => write!(f, "{value}"),
            Self::Double(value) => write!(f, "{value}"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Utf16(_) | Self::Ansi(_) => {
                f.write_str(&self.text(out_type).expect("both are text"))
            }
            Self::Binary(bytes) => binary(bytes, out_type, f),
            Self::Guid(guid) => write!(f, "{}", guid.braced()),
            Self::FileTime(time) => f.write_str(&file_time_text(*time)),
            Self::SystemTime([year, month, _, day, hour, minute, second, milliseconds]) => write!(
                f,
                "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milliseconds:03}"
            ),
            Self::Sid {
                revision,
                authority,
                subauthorities,
            } => {
                write!(f, "S-{revision}-")?;
                // As ConvertSidToStringSid has it.
                if u32::try_from(*authority).is_ok() {
                    write!(f, "{authority}")?;
                } else {
                    write!(f, "{authority:#014x}")?;
                }
                subauthorities
                    .iter()
                    .try_for_each(|part| write!(f, "-{part}"))
            }
            Self::Struct(fields) => {
                f.write_str("{")?;
                for (index, field) in fields.iter().enumerate() {
                    let separator = if index == 0 { "" } else { ", " };
                    write!(f, "{separator}{}: {field}", field.name)?;
                }
                f.write_str("}")
            }
            Self::Array(values) => {
                f.write_str("[")?;
                for (index, value) in values.iter().enumerate() {
                    f.write_str(if index == 0 { "" } else { ", " })?;
                    value.show(types, f)?;
                }
                f.write_str("]")
            }
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.show(self, f)
    }
}

fn unsigned(value: u64, types: &Field, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match (types.out_type, types.in_type) {
        (OutType::Hex | OutType::CodePointer, _)
        | (OutType::Default, InType::HexInt32 | InType::HexInt64) => write!(f, "{value:#x}"),
        (OutType::NtStatus | OutType::HResult, _) => write!(f, "{value:#010x}"),
        (OutType::Boolean, _) => write!(f, "{}", value != 0),
        (OutType::String, _) => character(value, f),
        (OutType::Port, _) => write!(f, "{}", (value as u16).swap_bytes()),
        (OutType::IpV4, _) => write!(f, "{}", Ipv4Addr::from((value as u32).to_le_bytes())),
        _ => write!(f, "{value}"),
    }
}

fn character(value: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let character = char::from_u32(value as u32 & 0xffff);
    write!(f, "{}", character.unwrap_or(char::REPLACEMENT_CHARACTER))
}

fn binary(bytes: &[u8], out_type: OutType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if out_type == OutType::IpV6
        && let Ok(address) = <[u8; 16]>::try_from(bytes)
    {
        return write!(f, "{}", Ipv6Addr::from(address));
    }
    if out_type == OutType::SocketAddress
        && let Some(address) = socket_address(bytes)
    {
        return write!(f, "{address}");
    }
    f.write_str("0x")?;
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

/// The address in a `sockaddr`.
fn socket_address(bytes: &[u8]) -> Option<SocketAddr> {
    const IP_V4: u16 = 2;
    const IP_V6: u16 = 23;
    let mut rest = Bytes(bytes);
    let family = rest.u16().ok()?;
    let port = u16::from_be_bytes(rest.array().ok()?);
    match family {
        IP_V4 => Some((rest.array::<4>().ok()?, port).into()),
        IP_V6 => {
            // Its flow comes first.
            rest.u32().ok()?;
            Some((rest.array::<16>().ok()?, port).into())
        }
        _ => None,
    }
}

/// Bytes behind their count.
fn counted<'a>(payload: &mut Bytes<'a>) -> Result<&'a [u8], Truncated> {
    let count = payload.u16()?;
    payload.take(count.into())
}

fn units(bytes: &[u8]) -> Vec<u16> {
    let (units, _) = bytes.as_chunks();
    units.iter().map(|unit| u16::from_le_bytes(*unit)).collect()
}

/// The UTF-16 units before the first zero, which is taken as well.
fn until_nul(payload: &mut Bytes<'_>) -> Result<Vec<u16>, Truncated> {
    let mut units = Vec::new();
    loop {
        match payload.u16()? {
            0 => return Ok(units),
            unit => units.push(unit),
        }
    }
}
