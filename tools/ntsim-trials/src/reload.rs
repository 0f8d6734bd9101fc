//! A driver that is loaded and unloaded while events arrive.
//!
//! The image is unmapped as soon as `DriverUnload` has returned, so anything of
//! the driver that runs afterwards faults.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::listener::Listener;
use crate::load::{self, Error, Processors};
use crate::oracle::Finding;
use crate::recorder::Recorder;
use crate::{Listen, Target, describe};
use ntsim::Kernel;

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
    let recorder = Arc::new(Recorder::new(target.oracle.monitor(false)));
    let kernel = load::machine(target, &recorder, true)?;
    let listener = Listener::new(Arc::clone(&recorder) as _);
    let processors = Processors::new(&kernel, &recorder, &listener, threads);
    let is_over = AtomicBool::new(false);
    let mut findings = Vec::new();
    if target.listen == Listen::Always {
        findings.extend(listener.toggle(&kernel).err());
    }
    thread::scope(|scope| {
        if target.listen == Listen::Sometimes {
            // Why the kernel has stopped, if it has, the cycle says too.
            scope.spawn(|| listener.come_and_go(&kernel, &is_over));
        }
        for index in 0..threads {
            let (processors, is_over) = (&processors, &is_over);
            scope.spawn(move || processors.run(index, || !is_over.load(Ordering::Relaxed)));
        }
        for cycle in 1..=cycles {
            if let Err(finding) = once(&kernel, target, &recorder) {
                findings.push(format!("cycle {cycle}: {finding}"));
                break;
            }
            progress(cycle.into());
        }
        is_over.store(true, Ordering::Relaxed);
    });
    findings.extend(listener.end(&kernel).err());
    findings.extend(recorder.findings());
    let is_silent = recorder
        .monitor()
        .is_some_and(|monitor| monitor.reported() == 0);
    if cycles > 0 && is_silent && findings.is_empty() {
        findings.push("no event was ever reported, so nothing was raced".into());
    }
    Ok(findings)
}

fn once(kernel: &Kernel, target: &Target<'_>, recorder: &Recorder) -> Finding {
    if let Some(monitor) = recorder.monitor() {
        monitor.loading();
    }
    let driver = kernel
        .load_driver(target.image, target.service)
        .map_err(|error| error.to_string())?;
    // Long enough for callbacks to be under way.
    thread::sleep(Duration::from_micros(200));
    let leftovers = kernel
        .unload_driver(driver)
        .map_err(|error| error.to_string())?;
    describe(kernel, &leftovers)?;
    match recorder.monitor() {
        Some(monitor) => monitor.unloaded(),
        None => Ok(()),
    }
}
