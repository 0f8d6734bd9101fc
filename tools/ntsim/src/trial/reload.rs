//! A driver that is loaded and unloaded while events arrive.
//!
//! The image is unmapped as soon as `DriverUnload` has returned, so anything of
//! the driver that runs afterwards faults.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use super::ledger::Ledger;
use super::load::{self, Error, Processors};
use super::{Target, describe};

/// Loads and unloads the driver so many times, with `threads`
/// processors delivering events and routines that take random time. Gives what
/// was wrong, if anything.
///
/// # Errors
/// Where there is no memory for a machine.
///
/// # Panics
/// Where there are no processors.
pub fn reload(
    target: &Target<'_>,
    cycles: u32,
    threads: usize,
    progress: impl Fn(u64),
) -> Result<Vec<String>, Error> {
    assert!(threads > 0, "no processors");
    let ledger = Arc::new(Ledger::new(
        load::places(threads),
        target.oracle.is_procmon(),
        false,
    ));
    let kernel = load::machine(target, &ledger, true)?;
    let processors = Processors::new(&kernel, &ledger, threads);
    let is_over = AtomicBool::new(false);
    let heard = AtomicU32::new(0);
    let mut findings = Vec::new();
    thread::scope(|scope| {
        for index in 0..threads {
            let (processors, is_over) = (&processors, &is_over);
            scope.spawn(move || processors.run(index, || !is_over.load(Ordering::Relaxed)));
        }
        for cycle in 1..=cycles {
            let outcome = once(&kernel, target, &ledger, &heard);
            if let Err(finding) = outcome {
                findings.push(format!("cycle {cycle}: {finding}"));
                break;
            }
            progress(cycle.into());
        }
        is_over.store(true, Ordering::Relaxed);
    });
    findings.extend(ledger.findings());
    if cycles > 0 && heard.into_inner() == 0 && findings.is_empty() && target.oracle.is_procmon() {
        findings.push("no event was ever reported, so nothing was raced".into());
    }
    Ok(findings)
}

fn once(
    kernel: &crate::Kernel,
    target: &Target<'_>,
    ledger: &Ledger,
    heard: &AtomicU32,
) -> Result<(), String> {
    let (created, exited, _) = ledger.counts();
    ledger.open();
    let driver = kernel
        .load_driver(target.image, target.service)
        .map_err(|error| error.to_string())?;
    // Long enough for callbacks to be under way.
    thread::sleep(Duration::from_micros(200));
    let leftovers = kernel
        .unload_driver(driver)
        .map_err(|error| error.to_string())?;
    describe(kernel, &leftovers)?;
    if !target.oracle.is_procmon() {
        return Ok(());
    }
    let unloaded = ledger.close();
    let (created_after, exited_after, _) = ledger.counts();
    let told = (created_after - created, exited_after - exited);
    if told.0 + told.1 > 0 {
        heard.fetch_add(1, Ordering::Relaxed);
    }
    if unloaded == Some(told) {
        Ok(())
    } else {
        Err(format!(
            "its own count is {unloaded:?}, its lines are {told:?}"
        ))
    }
}
