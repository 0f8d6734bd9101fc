//! Levels and critical regions.

#[cfg(target_arch = "x86_64")]
use core::arch::asm;
use core::ptr;

use wdk_sys::ntddk::{DbgPrint, KeEnterCriticalRegion, PsLookupProcessByProcessId};
use wdk_sys::{NTSTATUS, PEPROCESS, STATUS_SUCCESS, UNICODE_STRING};

use crate::misdeed::{Misdeed, Scene, When};

pub const MISDEEDS: &[Misdeed] = &[
    Misdeed::new("call-at-dispatch", When::Create, call_at_dispatch),
    #[cfg(target_arch = "x86_64")]
    Misdeed::new(
        "call-at-inline-dispatch",
        When::Create,
        call_at_inline_dispatch,
    ),
    Misdeed::new("load-raised", When::Loaded, load_raised),
    Misdeed::new("return-raised", When::Create, return_raised),
    Misdeed::new(
        "return-in-critical-region",
        When::Create,
        return_in_critical_region,
    ),
    Misdeed::new("leave-unentered-region", When::Load, leave_unentered_region),
    Misdeed::new("lower-upwards", When::Load, lower_upwards),
    Misdeed::new("raise-downwards", When::Create, raise_downwards),
    Misdeed::new(
        "print-wide-at-dispatch",
        When::Create,
        print_wide_at_dispatch,
    ),
];

const PASSIVE_LEVEL: u8 = 0;
const DISPATCH_LEVEL: u8 = 2;

// On x64 the headers have the first two in line; the kernel exports them too.
// On ARM64 they are routines.
unsafe extern "C" {
    fn KfRaiseIrql(new: u8) -> u8;
    fn KeLowerIrql(new: u8);
    fn KeLeaveCriticalRegion();
}

/// Raises the level to `DISPATCH_LEVEL`; gives the one that was.
pub fn raise() -> u8 {
    // SAFETY: the level is not above it.
    unsafe { KfRaiseIrql(DISPATCH_LEVEL) }
}

/// Lowers the level to `old`.
pub fn lower(old: u8) {
    // SAFETY: the level that was.
    unsafe { KeLowerIrql(old) };
}

fn call_at_dispatch(scene: &Scene) -> NTSTATUS {
    let mut process: PEPROCESS = ptr::null_mut();
    // SAFETY: the level is raised.
    let old = unsafe { KfRaiseIrql(DISPATCH_LEVEL) };
    // SAFETY: wrong on purpose: the routine may wait for memory.
    let status = unsafe { PsLookupProcessByProcessId(scene.process_id, &raw mut process) }; // caught: call-at-dispatch
    // SAFETY: the level that was.
    unsafe { KeLowerIrql(old) };
    status
}

#[cfg(target_arch = "x86_64")]
fn call_at_inline_dispatch(scene: &Scene) -> NTSTATUS {
    let mut process: PEPROCESS = ptr::null_mut();
    let old: u64;
    // SAFETY: as KeGetCurrentIrql is compiled.
    unsafe { asm!("mov {}, cr8", out(reg) old) };
    // SAFETY: as KeRaiseIrql is compiled.
    unsafe { asm!("mov cr8, {}", in(reg) u64::from(DISPATCH_LEVEL)) };
    // SAFETY: wrong on purpose: the routine may wait for memory.
    let status = unsafe { PsLookupProcessByProcessId(scene.process_id, &raw mut process) }; // caught: call-at-inline-dispatch
    // SAFETY: as KeLowerIrql is compiled.
    unsafe { asm!("mov cr8, {}", in(reg) old) };
    status
}

fn load_raised(_: &Scene) -> NTSTATUS {
    // SAFETY: wrong on purpose: DriverEntry returns at this level.
    let old = unsafe { KfRaiseIrql(DISPATCH_LEVEL) }; // caught: load-raised
    NTSTATUS::from(old)
}

fn return_raised(_: &Scene) -> NTSTATUS {
    // SAFETY: wrong on purpose: the level is not lowered again.
    let _old = unsafe { KfRaiseIrql(DISPATCH_LEVEL) }; // caught: return-raised
    STATUS_SUCCESS
}

fn return_in_critical_region(_: &Scene) -> NTSTATUS {
    // SAFETY: wrong on purpose: the region is not left again.
    unsafe { KeEnterCriticalRegion() }; // caught: return-in-critical-region
    STATUS_SUCCESS
}

fn leave_unentered_region(_: &Scene) -> NTSTATUS {
    // SAFETY: wrong on purpose: DriverEntry is in no critical region.
    unsafe { KeLeaveCriticalRegion() }; // caught: leave-unentered-region
    STATUS_SUCCESS
}

fn lower_upwards(_: &Scene) -> NTSTATUS {
    // SAFETY: wrong on purpose: DISPATCH_LEVEL is not lower.
    unsafe { KeLowerIrql(DISPATCH_LEVEL) }; // caught: lower-upwards
    STATUS_SUCCESS
}

fn raise_downwards(_: &Scene) -> NTSTATUS {
    // SAFETY: the level is raised.
    let _old = unsafe { KfRaiseIrql(DISPATCH_LEVEL) };
    // SAFETY: wrong on purpose: PASSIVE_LEVEL is not higher.
    let _old = unsafe { KfRaiseIrql(PASSIVE_LEVEL) }; // caught: raise-downwards
    STATUS_SUCCESS
}

fn print_wide_at_dispatch(scene: &Scene) -> NTSTATUS {
    // SAFETY: the structure is valid during the callback.
    let name: *const UNICODE_STRING = unsafe { (*scene.info).ImageFileName };
    // SAFETY: the level is raised.
    let old = unsafe { KfRaiseIrql(DISPATCH_LEVEL) };
    // SAFETY: wrong on purpose: the conversion needs paged tables.
    unsafe { DbgPrint(c"%wZ\n".as_ptr(), name) }; // caught: print-wide-at-dispatch
    // SAFETY: the level that was.
    unsafe { KeLowerIrql(old) };
    STATUS_SUCCESS
}
