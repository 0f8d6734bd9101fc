//! The kernel's core: levels, critical regions, stacks, traps, time.

pub mod stack;
pub mod time;
pub mod trap;
pub mod watchdog;

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use windows_sys::Win32::Foundation::STATUS_SUCCESS;

use crate::mm::guest;
use crate::nt::Irql;
use crate::report::Rule;
use crate::routine::{Call, CallError, Outcome, Routine, status};

/// The routines of the kernel's core.
pub const ROUTINES: &[Routine] = &[
    Routine::new("KeGetCurrentIrql", Irql::HIGH, current_irql),
    Routine::new("KfRaiseIrql", Irql::HIGH, raise_irql),
    Routine::new(
        "KeRaiseIrqlToDpcLevel",
        Irql::DISPATCH,
        raise_irql_to_dispatch,
    ),
    Routine::new("KeLowerIrql", Irql::HIGH, lower_irql),
    Routine::new("KeEnterCriticalRegion", Irql::APC, enter_critical_region),
    Routine::new("KeLeaveCriticalRegion", Irql::APC, leave_critical_region),
    Routine::new("KeAreApcsDisabled", Irql::DISPATCH, are_apcs_disabled),
    Routine::new("KeBugCheckEx", Irql::HIGH, bug_check),
    Routine::new("KeBugCheck", Irql::HIGH, bug_check_without_parameters),
    Routine::new("KeQuerySystemTimePrecise", Irql::HIGH, query_system_time),
    Routine::new(
        "KeQueryPerformanceCounter",
        Irql::HIGH,
        query_performance_counter,
    ),
    Routine::new("KeQueryInterruptTime", Irql::HIGH, query_interrupt_time),
    Routine::new("KeDelayExecutionThread", Irql::APC, delay_execution),
    Routine::new("KeStallExecutionProcessor", Irql::HIGH, stall_execution),
];

fn current_irql(call: &Call<'_>) -> Outcome {
    Ok(call.thread.irql().0.into())
}

/// Raising to a lower level is as wrong as lowering to a higher one.
fn raise_irql(call: &Call<'_>) -> Outcome {
    let new = Irql(call.registers()[0] as u8);
    raise(call, new)
}

fn raise_irql_to_dispatch(call: &Call<'_>) -> Outcome {
    raise(call, Irql::DISPATCH)
}

fn raise(call: &Call<'_>, new: Irql) -> Outcome {
    let old = call.thread.irql();
    if new < old || new > Irql::HIGH {
        return Err(CallError::violation(
            Rule::Irql,
            format!("raise from {old} to {new}, which is not higher"),
        ));
    }
    call.thread.change_irql(new);
    Ok(old.0.into())
}

fn lower_irql(call: &Call<'_>) -> Outcome {
    let new = Irql(call.registers()[0] as u8);
    let old = call.thread.irql();
    if new > old {
        return Err(CallError::violation(
            Rule::Irql,
            format!("lower from {old} to {new}, which is not lower"),
        ));
    }
    call.thread.change_irql(new);
    Ok(0)
}

fn enter_critical_region(call: &Call<'_>) -> Outcome {
    let regions = call.thread.critical_regions.get();
    call.thread.change_critical_regions(regions + 1);
    Ok(0)
}

fn leave_critical_region(call: &Call<'_>) -> Outcome {
    let regions = call.thread.critical_regions.get();
    let Some(left) = regions.checked_sub(1) else {
        return Err(CallError::violation(
            Rule::Irql,
            "a critical region is left that was not entered",
        ));
    };
    call.thread.change_critical_regions(left);
    Ok(0)
}

fn are_apcs_disabled(call: &Call<'_>) -> Outcome {
    let thread = call.thread;
    let disabled = thread.critical_regions.get() != 0 || thread.irql() >= Irql::APC;
    Ok(disabled.into())
}

fn bug_check(call: &Call<'_>) -> Outcome {
    let [code, first, second, third] = call.registers();
    let fourth = call.argument(4)?;
    Err(CallError::violation(
        Rule::BugCheck,
        format!(
            "bug check {:#x} ({first:#x}, {second:#x}, {third:#x}, {fourth:#x})",
            code as u32
        ),
    ))
}

fn bug_check_without_parameters(call: &Call<'_>) -> Outcome {
    let code = call.registers()[0] as u32;
    Err(CallError::violation(
        Rule::BugCheck,
        format!("bug check {code:#x}"),
    ))
}

fn query_system_time(call: &Call<'_>) -> Outcome {
    guest::write(call.registers()[0], time::now())?;
    Ok(0)
}

/// Time since the machine's start; all machines of a process share it.
fn uptime() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

fn uptime_units() -> u64 {
    u64::try_from(uptime().as_nanos() / 100).unwrap_or(u64::MAX)
}

fn query_performance_counter(call: &Call<'_>) -> Outcome {
    guest::write_optional(call.registers()[0], time::UNITS_PER_SECOND)?;
    Ok(uptime_units())
}

fn query_interrupt_time(_: &Call<'_>) -> Outcome {
    Ok(uptime_units())
}

fn delay_execution(call: &Call<'_>) -> Outcome {
    let [_mode, _alertable, interval, _] = call.registers();
    let interval: i64 = guest::read(interval)?;
    // Negative intervals are relative, others absolute.
    let units = if interval < 0 {
        interval.unsigned_abs()
    } else {
        u64::try_from(interval - time::now()).unwrap_or(0)
    };
    std::thread::sleep(Duration::from_nanos(units.saturating_mul(100)));
    status(STATUS_SUCCESS)
}

fn stall_execution(call: &Call<'_>) -> Outcome {
    let microseconds = call.registers()[0] as u32;
    let start = Instant::now();
    while start.elapsed() < Duration::from_micros(microseconds.into()) {
        std::hint::spin_loop();
    }
    Ok(0)
}
