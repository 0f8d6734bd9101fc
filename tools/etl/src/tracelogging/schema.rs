//! The schema of an event: names and types of its fields, as a tree.

use super::value::{Field, Value};
use super::{DecodeError, InType, OutType};
use crate::bytes::{Bytes, Truncated};

/// The schema of an event.
#[derive(Debug)]
pub struct Schema {
    pub name: String,
    pub tag: u32,
    pub fields: Vec<FieldType>,
}

/// The type of a field.
#[derive(Clone, Debug)]
pub struct FieldType {
    pub name: String,
    pub in_type: InType,
    pub out_type: OutType,
    pub tag: u32,
    pub count: Count,
    /// Of a structure.
    pub children: Vec<FieldType>,
    /// How many of the fields that follow belong to it.
    child_count: u8,
}

/// How many values a field has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    One,
    Constant(u16),
    /// The payload says how many.
    Variable,
    /// The provider encodes them itself.
    Custom,
}

/// A structure in so many others is damage.
const DEEPEST: usize = 16;

/// In a byte of a tag, or of a type: another byte follows.
const CHAIN: u8 = 0x80;

impl Schema {
    pub fn parse(schema: &[u8]) -> Result<Self, DecodeError> {
        let mut rest = Bytes(schema);
        let stated = usize::from(rest.u16()?);
        if stated != schema.len() {
            return Err(DecodeError::Size {
                stated,
                actual: schema.len(),
            });
        }
        let tag = tag(&mut rest)?;
        let name = name(&mut rest)?;
        let mut flat = Vec::new();
        while !rest.0.is_empty() {
            flat.push(FieldType::parse(&mut rest)?);
        }
        let mut flat = flat.into_iter();
        let mut fields = Vec::new();
        while let Some(field) = flat.next() {
            fields.push(with_children(field, &mut flat, DEEPEST)?);
        }
        Ok(Self { name, tag, fields })
    }
}

/// Gives a structure its fields, which follow it.
fn with_children(
    mut field: FieldType,
    flat: &mut impl Iterator<Item = FieldType>,
    depth: usize,
) -> Result<FieldType, DecodeError> {
    let depth = depth.checked_sub(1).ok_or(DecodeError::Structure)?;
    for _ in 0..field.child_count {
        let child = flat.next().ok_or(DecodeError::Structure)?;
        field.children.push(with_children(child, flat, depth)?);
    }
    Ok(field)
}

impl FieldType {
    fn parse(rest: &mut Bytes<'_>) -> Result<Self, DecodeError> {
        const TYPE: u8 = 0x1f;
        const COUNT: u8 = 0x60;
        const CONSTANT: u8 = 0x20;
        const VARIABLE: u8 = 0x40;
        let name = name(rest)?;
        let first = rest.u8()?;
        let mut second = 0;
        let mut tagged = 0;
        if first & CHAIN != 0 {
            second = rest.u8()?;
            if second & CHAIN != 0 {
                tagged = tag(rest)?;
            }
        }
        let count = match first & COUNT {
            0 => Count::One,
            CONSTANT => Count::Constant(rest.u16()?),
            VARIABLE => Count::Variable,
            _ => {
                let size = rest.u16()?;
                rest.take(size.into())?;
                Count::Custom
            }
        };
        let in_type = InType::of(first & TYPE).ok_or(DecodeError::Type(first & TYPE))?;
        let second = second & !CHAIN;
        // The number of a structure's fields stands where others are told how to
        // be shown.
        let (out_type, child_count) = if in_type == InType::Struct {
            (OutType::Default, second)
        } else {
            // One of a later version is shown as its encoding suggests.
            (OutType::of(second).unwrap_or(OutType::Default), 0)
        };
        Ok(Self {
            name,
            in_type,
            out_type,
            tag: tagged,
            count,
            children: Vec::new(),
            child_count,
        })
    }

    /// A field of this type.
    pub fn with(&self, value: Value) -> Field {
        Field {
            name: self.name.clone(),
            in_type: self.in_type,
            out_type: self.out_type,
            tag: self.tag,
            value,
        }
    }
}

fn name(rest: &mut Bytes<'_>) -> Result<String, DecodeError> {
    let name = rest.until_nul()?;
    let name = str::from_utf8(name).map_err(|_| DecodeError::Name)?;
    Ok(name.to_owned())
}

/// A tag of up to 28 bits, seven a byte.
fn tag(rest: &mut Bytes<'_>) -> Result<u32, Truncated> {
    let mut tag = 0;
    loop {
        let byte = rest.u8()?;
        tag = tag << 7 | u32::from(byte & !CHAIN);
        if byte & CHAIN == 0 {
            return Ok(tag);
        }
    }
}
