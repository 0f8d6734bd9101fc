//! `TraceLogging`: events that carry the names and types of their fields.
//!
//! [`decode`] reads the schema of an event, the data of its item
//! [`SCHEMA`](crate::Item::SCHEMA), and takes the fields from its payload
//! accordingly. The encoding is that of Microsoft's `TraceLoggingProvider.h` and of
//! its crate `tracelogging`, against which the tests compare it.

mod schema;
mod types;
mod value;

use crate::bytes::{Bytes, Truncated};
use schema::{Count, FieldType, Schema};

pub use types::{InType, OutType};
pub use value::{Field, Value};

/// An event, decoded.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    /// The event's name.
    pub name: String,
    /// Its tag, which the provider defines.
    pub tag: u32,
    /// Its fields.
    pub fields: Vec<Field>,
    /// How many bytes of the payload belong to no field.
    pub trailing: usize,
}

impl Decoded {
    /// The field `name`.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

/// Why an event is not decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The schema or the payload ends too early.
    #[error(transparent)]
    Truncated(#[from] Truncated),
    /// The schema says that it has another size.
    #[error("the schema has {actual} bytes and says that it has {stated}")]
    Size {
        /// What it says.
        stated: usize,
        /// What it has.
        actual: usize,
    },
    /// A name in the schema is not UTF-8.
    #[error("a name in the schema is not UTF-8")]
    Name,
    /// A field is of a type that `TraceLogging` does not have.
    #[error("a field is of type {0}, which TraceLogging does not have")]
    Type(u8),
    /// A structure has more fields than there are, or lies too deep in others.
    #[error("a structure has more fields than there are, or lies too deep in others")]
    Structure,
    /// More values than an event can hold.
    #[error("more values than an event can hold")]
    TooMany,
}

/// Decodes an event.
///
/// # Errors
/// Where the schema is damaged, or does not fit the payload.
pub fn decode(schema: &[u8], payload: &[u8]) -> Result<Decoded, DecodeError> {
    /// Each value but NULL takes a byte of the 64 KiB that an event has.
    const MOST_VALUES: usize = 0x1_0000;
    let schema = Schema::parse(schema)?;
    let mut decoder = Decoder {
        payload: Bytes(payload),
        left: MOST_VALUES,
    };
    let fields = decoder.fields(&schema.fields)?;
    Ok(Decoded {
        name: schema.name,
        tag: schema.tag,
        fields,
        trailing: decoder.payload.0.len(),
    })
}

struct Decoder<'a> {
    payload: Bytes<'a>,
    /// How many values there may still be.
    left: usize,
}

impl Decoder<'_> {
    fn fields(&mut self, types: &[FieldType]) -> Result<Vec<Field>, DecodeError> {
        types.iter().map(|field| self.field(field)).collect()
    }

    fn field(&mut self, field: &FieldType) -> Result<Field, DecodeError> {
        let count = match field.count {
            Count::One => None,
            Count::Constant(count) => Some(count),
            Count::Variable => Some(self.payload.u16()?),
            // The provider's own encoding, in so many bytes.
            Count::Custom => {
                let size = self.payload.u16()?;
                let bytes = self.payload.take(size.into())?;
                return Ok(field.with(Value::Binary(bytes.into())));
            }
        };
        let value = match count {
            None => self.value(field)?,
            Some(count) => {
                let values = (0..count).map(|_| self.value(field));
                Value::Array(values.collect::<Result<_, _>>()?)
            }
        };
        Ok(field.with(value))
    }

    fn value(&mut self, field: &FieldType) -> Result<Value, DecodeError> {
        self.left = self.left.checked_sub(1).ok_or(DecodeError::TooMany)?;
        if field.in_type == InType::Struct {
            return Ok(Value::Struct(self.fields(&field.children)?));
        }
        Ok(Value::take(field.in_type, &mut self.payload)?)
    }
}
