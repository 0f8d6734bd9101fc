//! Run-time library: strings, memory and security identifiers.

use std::cmp::Ordering;

use windows_sys::Win32::Foundation::{
    STATUS_BUFFER_OVERFLOW, STATUS_BUFFER_TOO_SMALL, STATUS_INVALID_PARAMETER_2,
    STATUS_INVALID_SID, STATUS_NO_MEMORY, STATUS_SUCCESS,
};

use crate::arch;
use crate::intercept::Failure;
use crate::mm::guest::{self, BadAddress, CountedString};
use crate::mm::pages::PAGE;
use crate::nt::{Irql, Sid};
use crate::report::Rule;
use crate::routine::{Call, CallError, Outcome, Routine, status};

/// The routines of the run-time library.
pub const ROUTINES: &[Routine] = &[
    Routine::new("RtlInitUnicodeString", Irql::DISPATCH, init_unicode_string),
    Routine::new("RtlInitAnsiString", Irql::DISPATCH, init_ansi_string),
    Routine::new("RtlInitString", Irql::DISPATCH, init_ansi_string),
    Routine::new(
        "RtlCompareUnicodeString",
        Irql::PASSIVE,
        compare_unicode_string,
    ),
    Routine::new("RtlEqualUnicodeString", Irql::PASSIVE, equal_unicode_string),
    Routine::new("RtlCopyUnicodeString", Irql::DISPATCH, copy_unicode_string),
    Routine::new(
        "RtlUnicodeStringToAnsiString",
        Irql::PASSIVE,
        unicode_string_to_ansi_string,
    )
    .fails_with(Failure::Status),
    Routine::new("RtlFreeUnicodeString", Irql::APC, free_unicode_string),
    Routine::new("RtlValidSid", Irql::APC, valid_sid),
    Routine::new("RtlLengthSid", Irql::APC, length_sid),
    Routine::new("RtlEqualSid", Irql::HIGH, equal_sid),
    Routine::new("RtlCopySid", Irql::APC, copy_sid)
        .fails_with(Failure::Status)
        .except(has_room_for_sid),
    Routine::new("RtlSubAuthoritySid", Irql::APC, sub_authority_sid),
    // The level is not documented: that of RtlSubAuthoritySid.
    Routine::new(
        "RtlSubAuthorityCountSid",
        Irql::APC,
        sub_authority_count_sid,
    ),
    Routine::new(
        "RtlConvertSidToUnicodeString",
        Irql::APC,
        convert_sid_to_unicode_string,
    )
    .fails_with(Failure::Status),
    Routine::new("memcpy", Irql::HIGH, move_memory),
    Routine::new("memmove", Irql::HIGH, move_memory),
    Routine::new("memset", Irql::HIGH, fill_memory),
    Routine::new("memcmp", Irql::HIGH, compare_memory),
    Routine::new("RtlCompareMemory", Irql::HIGH, matching_memory),
    Routine::new("__C_specific_handler", Irql::HIGH, handle_exception),
    Routine::code("__chkstk", arch::probe_stack),
];

/// The longest text that a `UNICODE_STRING` can be initialised with, without
/// its NUL.
const LONGEST: usize = 65532;

fn init_unicode_string(call: &Call<'_>) -> Outcome {
    let [string, source, ..] = call.registers();
    let length = if source == 0 {
        0
    } else {
        2 * guest::read_c_string::<u16>(source, LONGEST / 2)?.len()
    };
    init(string, source, length, 2)
}

fn init_ansi_string(call: &Call<'_>) -> Outcome {
    let [string, source, ..] = call.registers();
    let length = if source == 0 {
        0
    } else {
        guest::read_c_string::<u8>(source, LONGEST)?.len()
    };
    init(string, source, length, 1)
}

fn init(string: u64, source: u64, length: usize, unit: u16) -> Outcome {
    let length = u16::try_from(length).expect("limited");
    let maximum_length = if source == 0 { 0 } else { length + unit };
    guest::write(
        string,
        CountedString {
            length,
            maximum_length,
            padding: 0,
            buffer: source,
        },
    )?;
    Ok(0)
}

/// Upper-cases as the kernel does: one unit stays one unit.
fn upcase(unit: u16) -> u16 {
    let Some(character) = char::from_u32(unit.into()) else {
        return unit;
    };
    let mut upper = character.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(upper), None) => u16::try_from(u32::from(upper)).unwrap_or(unit),
        _ => unit,
    }
}

fn compare(call: &Call<'_>) -> Result<Ordering, CallError> {
    let [one, other, ignore_case, _] = call.registers();
    let mut one = guest::read_unicode_string(one)?;
    let mut other = guest::read_unicode_string(other)?;
    if ignore_case as u8 != 0 {
        for unit in one.iter_mut().chain(&mut other) {
            *unit = upcase(*unit);
        }
    }
    Ok(one.cmp(&other))
}

fn compare_unicode_string(call: &Call<'_>) -> Outcome {
    status(compare(call)? as i32)
}

fn equal_unicode_string(call: &Call<'_>) -> Outcome {
    Ok(compare(call)?.is_eq().into())
}

/// Copies as much as fits, and a NUL where there is room for one.
fn copy_unicode_string(call: &Call<'_>) -> Outcome {
    let [target, source, ..] = call.registers();
    let mut string: CountedString = guest::read(target)?;
    let text = if source == 0 {
        Vec::new()
    } else {
        guest::read_unicode_string(source)?
    };
    let units = text.len().min(usize::from(string.maximum_length) / 2);
    guest::write_bytes(string.buffer, bytemuck::cast_slice(&text[..units]))?;
    string.length = u16::try_from(2 * units).expect("limited");
    if string.length + 2 <= string.maximum_length {
        guest::write(string.buffer + u64::from(string.length), 0u16)?;
    }
    guest::write(target, string)?;
    Ok(0)
}

fn unicode_string_to_ansi_string(call: &Call<'_>) -> Outcome {
    let [target, source, allocate, _] = call.registers();
    if allocate as u8 != 0 {
        // The string would have to come from pool of the kernel's own.
        return status(STATUS_NO_MEMORY);
    }
    let text = guest::read_unicode_string(source)?;
    let mut bytes = Vec::new();
    call.thread.kernel.code_page().encode(&text, &mut bytes);
    bytes.push(0);
    let Ok(length) = u16::try_from(bytes.len() - 1) else {
        return status(STATUS_INVALID_PARAMETER_2);
    };
    let mut string: CountedString = guest::read(target)?;
    let fits = bytes.len() <= usize::from(string.maximum_length);
    if !fits {
        let Some(room) = usize::from(string.maximum_length).checked_sub(1) else {
            return status(STATUS_BUFFER_OVERFLOW);
        };
        bytes.truncate(room);
        bytes.push(0);
    }
    guest::write_bytes(string.buffer, &bytes)?;
    string.length = length.min(u16::try_from(bytes.len() - 1).expect("shorter than length"));
    guest::write(target, string)?;
    status(if fits {
        STATUS_SUCCESS
    } else {
        STATUS_BUFFER_OVERFLOW
    })
}

/// Frees what a routine allocated for the string, if anything.
fn free_unicode_string(call: &Call<'_>) -> Outcome {
    let [string, ..] = call.registers();
    let CountedString { buffer, .. } = guest::read(string)?;
    if buffer == 0 {
        return Ok(0);
    }
    let freed = call.thread.kernel.pool.free(buffer, STRING_TAG);
    freed.map_err(|bad| CallError::violation(Rule::Pool, bad.to_string()))?;
    guest::write(string, CountedString::default())?;
    Ok(0)
}

/// The tag of strings that a routine allocates.
const STRING_TAG: u32 = u32::from_le_bytes(*b"Strg");

/// Where the fields of a `SID` are.
const SUB_AUTHORITY_COUNT: u64 = 1;
const SUB_AUTHORITIES: u64 = 8;

/// How long the SID at `sid` says that it is.
fn size_of_sid(sid: u64) -> Result<usize, BadAddress> {
    let count: u8 = guest::read(sid.wrapping_add(SUB_AUTHORITY_COUNT))?;
    Ok(SUB_AUTHORITIES as usize + 4 * usize::from(count))
}

/// The bytes of the SID at `sid`.
fn read_sid(sid: u64) -> Result<Vec<u8>, BadAddress> {
    let mut bytes = vec![0; size_of_sid(sid)?];
    guest::read_bytes(sid, &mut bytes)?;
    Ok(bytes)
}

/// NULL is not valid. The documentation leaves that open; Wine refuses it, and
/// `ReactOS` takes it.
fn is_valid_sid(sid: u64) -> Result<bool, BadAddress> {
    const REVISION_MASK: u8 = 0xf;
    if sid == 0 {
        return Ok(false);
    }
    let [revision, count]: [u8; 2] = guest::read(sid)?;
    Ok(revision & REVISION_MASK == 1 && usize::from(count) <= Sid::MAX_SUB_AUTHORITIES)
}

fn valid_sid(call: &Call<'_>) -> Outcome {
    let [sid, ..] = call.registers();
    Ok(is_valid_sid(sid)?.into())
}

fn length_sid(call: &Call<'_>) -> Outcome {
    let [sid, ..] = call.registers();
    Ok(size_of_sid(sid)? as u64)
}

fn equal_sid(call: &Call<'_>) -> Outcome {
    let [one, other, ..] = call.registers();
    Ok((read_sid(one)? == read_sid(other)?).into())
}

fn copy_sid(call: &Call<'_>) -> Outcome {
    let [length, target, source, _] = call.registers();
    let bytes = read_sid(source)?;
    if (length as u32 as usize) < bytes.len() {
        return status(STATUS_BUFFER_TOO_SMALL);
    }
    guest::write_bytes(target, &bytes)?;
    status(STATUS_SUCCESS)
}

fn has_room_for_sid(call: &Call<'_>) -> Option<&'static str> {
    let [length, _, source, _] = call.registers();
    (size_of_sid(source).ok()? <= length as u32 as usize)
        .then_some("copying a SID to a buffer that holds it does not fail")
}

/// Says nothing of whether the SID has so many.
fn sub_authority_sid(call: &Call<'_>) -> Outcome {
    let [sid, index, ..] = call.registers();
    Ok(sid.wrapping_add(SUB_AUTHORITIES + 4 * u64::from(index as u32)))
}

fn sub_authority_count_sid(call: &Call<'_>) -> Outcome {
    let [sid, ..] = call.registers();
    Ok(sid.wrapping_add(SUB_AUTHORITY_COUNT))
}

/// A buffer of the caller's that holds the text without a NUL is long enough, as
/// in `ReactOS`; the documentation leaves it open.
fn convert_sid_to_unicode_string(call: &Call<'_>) -> Outcome {
    let [target, sid, allocate, _] = call.registers();
    if !is_valid_sid(sid)? {
        return status(STATUS_INVALID_SID);
    }
    let Some(sid) = Sid::from_bytes(&read_sid(sid)?) else {
        return status(STATUS_INVALID_SID);
    };
    let mut text: Vec<u16> = sid.to_string().encode_utf16().collect();
    let length = u16::try_from(2 * text.len()).expect("15 numbers");
    text.push(0);
    let mut string: CountedString = guest::read(target)?;
    if allocate as u8 != 0 {
        let size = usize::from(length) + 2;
        let (pool, acquisition) = (&call.thread.kernel.pool, call.thread.acquisition());
        let Some(block) = pool.allocate(true, size, STRING_TAG, None, acquisition) else {
            return status(STATUS_NO_MEMORY);
        };
        string.maximum_length = length + 2;
        string.buffer = block;
    } else if string.maximum_length < length {
        return status(STATUS_BUFFER_OVERFLOW);
    }
    string.length = length;
    let units = text.len().min(usize::from(string.maximum_length) / 2);
    guest::write_bytes(string.buffer, bytemuck::cast_slice(&text[..units]))?;
    guest::write(target, string)?;
    status(STATUS_SUCCESS)
}

/// Calls `step` with offset and size of the pieces that `length` bytes are
/// worked through in.
fn in_pieces(
    length: u64,
    mut step: impl FnMut(u64, usize) -> Result<(), CallError>,
) -> Result<(), CallError> {
    let mut done = 0;
    while done < length {
        let size = (length - done).min(PAGE as u64);
        step(done, usize::try_from(size).expect("at most a page"))?;
        done += size;
    }
    Ok(())
}

/// `memcpy` too: copying overlapping memory the right way is allowed.
fn move_memory(call: &Call<'_>) -> Outcome {
    let [target, source, length, _] = call.registers();
    let mut buffer = [0; PAGE];
    let backwards = target.wrapping_sub(source) < length;
    in_pieces(length, |done, size| {
        let offset = if backwards {
            length - done - size as u64
        } else {
            done
        };
        guest::read_bytes(source.wrapping_add(offset), &mut buffer[..size])?;
        guest::write_bytes(target.wrapping_add(offset), &buffer[..size])?;
        Ok(())
    })?;
    Ok(target)
}

fn fill_memory(call: &Call<'_>) -> Outcome {
    let [target, value, length, _] = call.registers();
    let buffer = [value as u8; PAGE];
    in_pieces(length, |done, size| {
        guest::write_bytes(target.wrapping_add(done), &buffer[..size])?;
        Ok(())
    })?;
    Ok(target)
}

/// How many bytes at the start are equal, and how the first others compare.
fn match_memory(call: &Call<'_>) -> Result<(u64, Ordering), CallError> {
    let [one, other, length, _] = call.registers();
    let mut buffers = [[0; PAGE]; 2];
    let mut result = None;
    in_pieces(length, |done, size| {
        if result.is_some() {
            return Ok(());
        }
        let [left, right] = &mut buffers;
        guest::read_bytes(one.wrapping_add(done), &mut left[..size])?;
        guest::read_bytes(other.wrapping_add(done), &mut right[..size])?;
        let pairs = left[..size].iter().zip(&right[..size]);
        if let Some(index) = pairs.clone().position(|(left, right)| left != right) {
            result = Some((done + index as u64, left[index].cmp(&right[index])));
        }
        Ok(())
    })?;
    Ok(result.unwrap_or((length, Ordering::Equal)))
}

fn compare_memory(call: &Call<'_>) -> Outcome {
    let (_, ordering) = match_memory(call)?;
    status(ordering as i32)
}

fn matching_memory(call: &Call<'_>) -> Outcome {
    let (matching, _) = match_memory(call)?;
    Ok(matching)
}

/// Images name this routine in their unwind data. It would be called for an
/// exception in guarded code; here an exception stops the kernel instead.
fn handle_exception(_: &Call<'_>) -> Outcome {
    Err(CallError::violation(
        Rule::Unsupported,
        "structured exception handling is not modelled: the exception would be fatal here",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upper_case_keeps_the_length() {
        assert_eq!(upcase(u16::from(b'a')), u16::from(b'A'));
        assert_eq!(upcase(0xe4), 0xc4);
        assert_eq!(upcase(0xdf), 0xdf, "sharp s has no single upper-case unit");
        assert_eq!(upcase(0xd800), 0xd800, "half a surrogate pair");
    }
}
