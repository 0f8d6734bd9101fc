//! Debug output: what `DbgPrint` and its relatives do with a driver's text.

pub mod code_page;
pub mod format;
pub mod output;
mod transcript;

use std::cell::RefCell;

use windows_sys::Win32::Foundation::STATUS_SUCCESS;

use crate::mm::guest::{self, BadAddress};
use crate::nt::Irql;
use crate::report::Rule;
use crate::routine::{Call, CallError, Outcome, Routine, status};
use crate::thread::Thread;
use format::{Arguments, Context, FormatError, Printed};
pub use output::{DebugMessage, DebugOutput, Discard, OUTPUT_LIMIT};
pub use transcript::Transcript;

/// The routines of debug output.
pub const ROUTINES: &[Routine] = &[
    Routine::new("DbgPrint", Irql::HIGH, debug_print),
    Routine::new("DbgPrintEx", Irql::HIGH, debug_print_ex),
    Routine::new("vDbgPrintEx", Irql::HIGH, v_debug_print_ex),
    Routine::new(
        "vDbgPrintExWithPrefix",
        Irql::HIGH,
        v_debug_print_ex_with_prefix,
    ),
];

/// What `DbgPrint` prints for.
const DEFAULT_COMPONENT: u32 = 101;
const INFO_LEVEL: u32 = 3;

/// Arguments that lie one after the other in the driver's memory: those of a
/// call, as its thunk stored them, or those of a `va_list`.
struct List(u64);

impl Arguments for List {
    fn next(&mut self) -> Result<u64, BadAddress> {
        let argument = guest::read(self.0)?;
        self.0 += 8;
        Ok(argument)
    }
}

fn debug_print(call: &Call<'_>) -> Outcome {
    let [format, ..] = call.registers();
    let list = List(call.argument_address(1));
    print(
        call.thread,
        None,
        (DEFAULT_COMPONENT, INFO_LEVEL),
        format,
        list,
    )
}

fn debug_print_ex(call: &Call<'_>) -> Outcome {
    let [component, level, format, _] = call.registers();
    let list = List(call.argument_address(3));
    print(
        call.thread,
        None,
        (component as u32, level as u32),
        format,
        list,
    )
}

fn v_debug_print_ex(call: &Call<'_>) -> Outcome {
    let [component, level, format, list] = call.registers();
    let filter = (component as u32, level as u32);
    print(call.thread, None, filter, format, List(list))
}

fn v_debug_print_ex_with_prefix(call: &Call<'_>) -> Outcome {
    let [prefix, component, level, format] = call.registers();
    let list = call.argument(4)?;
    let filter = (component as u32, level as u32);
    print(call.thread, Some(prefix), filter, format, List(list))
}

fn print(
    thread: &Thread<'_>,
    prefix: Option<u64>,
    (component, level): (u32, u32),
    format: u64,
    mut arguments: List,
) -> Outcome {
    thread_local! {
        /// Reused from call to call.
        static TEXT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }
    let context = Context {
        memory: &guest::Memory,
        code_page: thread.kernel.code_page(),
        irql: thread.irql(),
    };
    TEXT.with_borrow_mut(|text| {
        let mut printed =
            format::format(text, format, &mut arguments, &context).map_err(call_error)?;
        if let Some(prefix) = prefix {
            let prefix = guest::read_c_string::<u8>(prefix, OUTPUT_LIMIT)?;
            text.splice(..0, prefix);
            printed.is_cut |= text.len() > OUTPUT_LIMIT;
            text.truncate(OUTPUT_LIMIT);
        }
        check_output(thread, text, printed);
        thread.kernel.debug_output().print(&DebugMessage {
            component,
            level,
            text,
        });
        status(STATUS_SUCCESS)
    })
}

/// One call prints whole lines and loses none of them: calls of other
/// processors come in between, and what goes beyond the limit is gone.
fn check_output(thread: &Thread<'_>, text: &[u8], printed: Printed) {
    let shown = |text: &[u8]| {
        let start = &text[..text.len().min(40)];
        String::from_utf8_lossy(start).escape_debug().to_string()
    };
    if printed.is_cut || text.len() >= OUTPUT_LIMIT {
        thread.record(Rule::Output, "DbgPrint", || {
            format!(
                "a text of more than {} bytes, whose end is lost: \"{}...\"",
                OUTPUT_LIMIT - 1,
                shown(text)
            )
        });
    } else if !text.ends_with(b"\n") {
        thread.record(Rule::Output, "DbgPrint", || {
            format!(
                "a line without \\n at its end, to which the next one is joined: \"{}\"",
                shown(text)
            )
        });
    }
    if let Some(conversion) = printed.unsupported {
        thread.record(Rule::Output, "DbgPrint", || {
            format!("%{conversion}, which DbgPrint does not support")
        });
    }
}

fn call_error(error: FormatError) -> CallError {
    match error {
        FormatError::BadAddress(bad) => bad.into(),
        FormatError::UnicodeAbovePassive { .. } => {
            CallError::violation(Rule::Irql, error.to_string())
        }
    }
}
