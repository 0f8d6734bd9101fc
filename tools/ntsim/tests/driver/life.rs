//! Drivers that are loaded, hear of processes, and are unloaded.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use crate::code;
use crate::shipped::{Image, machine, notepad};
use ntsim::dbg::Transcript;
use ntsim::intercept::{DriverCall, Interception, Interceptor, Phase};
use ntsim::{Kernel, LoadError, ProcessCreation, ProcessExit, UnloadError};

const STATUS_ACCESS_DENIED: i32 = 0xc000_0022_u32.cast_signed();
const STATUS_INVALID_PARAMETER: i32 = 0xc000_000d_u32.cast_signed();

fn exit(process_id: u32) -> ProcessExit {
    ProcessExit {
        process_id,
        thread_id: process_id + 4,
        exit_status: 0,
    }
}

#[test]
fn a_life_from_load_to_unload() {
    let image = Image::shipped();
    let (kernel, lines) = machine();
    let driver = kernel.load_driver(&image.path(), "procmon").unwrap();
    assert_eq!(lines.take_text(), ["[procmon] loaded\n"]);

    let creation = kernel.create_process(&notepad(0x1a2c)).unwrap();
    assert_eq!((creation.status, creation.vetoed_by), (0, None));
    let created = lines.take_text();
    assert_eq!(
        created[0],
        "[Create] [PID = 0x1a2c, Name=\\??\\C:\\Windows\\notepad.exe] [CurrentPID = 0x2f8] [PPID = 0x2f8]\n"
    );
    assert!(
        created[1].starts_with("[Detail 0x1a2c] 64bit"),
        "{created:?}"
    );

    kernel.exit_process(exit(0x1a2c)).unwrap();
    let exited = lines.take_text().concat();
    assert!(
        exited.starts_with("[Destroy] [PID = 0x1a2c] [CurrentPID = 0x1a2c] [ExitStatus = 0x0]"),
        "{exited}"
    );

    let leftovers = kernel.unload_driver(driver).unwrap();
    assert!(leftovers.is_empty(), "{leftovers:?}");
    assert_eq!(
        lines.take_text(),
        ["[procmon] unloaded: 1 created, 1 exited\n"]
    );
    assert_eq!(kernel.violations(), []);
    let held = kernel.held();
    assert_eq!(
        (held.notify_routines, held.kernel_handles, held.pool_blocks),
        (0, 0, 0)
    );
    assert!(matches!(
        kernel.unload_driver(driver),
        Err(UnloadError::NotLoaded)
    ));

    kernel.create_process(&notepad(0x2000)).unwrap();
    assert_eq!(lines.take_text(), [""; 0], "nobody listens any more");
}

#[test]
fn a_32_bit_process_is_one() {
    let image = Image::shipped();
    let (kernel, lines) = machine();
    kernel.load_driver(&image.path(), "procmon").unwrap();
    lines.take_text();
    let process = ProcessCreation {
        is_wow64: true,
        ..notepad(0x1a2c)
    };
    kernel.create_process(&process).unwrap();
    let detail = lines.take_text().swap_remove(1);
    assert!(detail.starts_with("[Detail 0x1a2c] 32bit"), "{detail}");
}

#[test]
fn two_drivers_hear_the_same_events() {
    let (one, other) = (Image::shipped(), Image::shipped());
    let (kernel, lines) = machine();
    let first = kernel.load_driver(&one.path(), "one").unwrap();
    let second = kernel.load_driver(&other.path(), "other").unwrap();
    let again = kernel.load_driver(&one.path(), "ONE");
    assert!(
        matches!(again, Err(LoadError::AlreadyLoaded(_))),
        "{again:?}"
    );
    lines.take_text();
    kernel.create_process(&notepad(0x1a2c)).unwrap();
    let count = |lines: &[String]| {
        lines
            .iter()
            .filter(|line| line.starts_with("[Create]"))
            .count()
    };
    assert_eq!(count(&lines.take_text()), 2);
    assert!(kernel.unload_driver(first).unwrap().is_empty());
    lines.take_text();
    kernel.create_process(&notepad(0x1a30)).unwrap();
    assert_eq!(count(&lines.take_text()), 1);
    assert!(kernel.unload_driver(second).unwrap().is_empty());
}

#[test]
fn loads_and_unloads_a_hundred_times() {
    let image = Image::shipped();
    let path = image.path();
    let (kernel, _) = machine();
    for _ in 0..100 {
        let driver = kernel.load_driver(&path, "procmon").unwrap();
        assert!(kernel.unload_driver(driver).unwrap().is_empty());
    }
}

/// Lets the other threads end, even where an assertion fails.
struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn unloads_while_events_arrive() {
    let image = Image::shipped();
    let path = image.path();
    let (kernel, _) = machine();
    let done = AtomicBool::new(false);
    let next = AtomicU32::new(0x1000);
    thread::scope(|scope| {
        let _end = SetOnDrop(&done);
        for _ in 0..4 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let id = next.fetch_add(4, Ordering::Relaxed);
                    kernel.create_process(&notepad(id)).unwrap();
                    kernel.exit_process(exit(id)).unwrap();
                }
            });
        }
        for _ in 0..50 {
            let driver = kernel.load_driver(&path, "procmon").unwrap();
            thread::sleep(Duration::from_millis(1));
            assert!(kernel.unload_driver(driver).unwrap().is_empty());
        }
    });
    assert_eq!(kernel.held().kernel_handles, 0);
}

#[test]
fn an_image_without_integrity_check_cannot_register() {
    let image = Image::shipped();
    let characteristics = image.optional_header() + 70;
    let flags = u16::from_le_bytes(image.data[characteristics..][..2].try_into().unwrap());
    assert_ne!(flags & 0x80, 0, "FORCE_INTEGRITY");
    let image = image.patch(characteristics, &(flags & !0x80).to_le_bytes());
    let LoadError::DriverEntry { status, leftovers } = image.load_error() else {
        panic!("DriverEntry ran");
    };
    assert_eq!(status, STATUS_ACCESS_DENIED);
    assert!(leftovers.is_empty());
}

#[test]
fn the_sixty_fifth_driver_cannot_register() {
    let image = Image::shipped();
    let path = image.path();
    let (kernel, _) = machine();
    for index in 0..64 {
        kernel
            .load_driver(&path, &format!("procmon{index}"))
            .unwrap();
    }
    match kernel.load_driver(&path, "procmon64") {
        Err(LoadError::DriverEntry { status, leftovers }) => {
            assert_eq!(status, STATUS_INVALID_PARAMETER);
            assert!(leftovers.is_empty());
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_driver_without_unload_routine_stays() {
    let image = Image::shipped().patch_entry(code::RETURN_SUCCESS);
    let (kernel, _) = machine();
    let driver = kernel.load_driver(&image.path(), "procmon").unwrap();
    let unloaded = kernel.unload_driver(driver);
    assert!(matches!(unloaded, Err(UnloadError::NoUnloadRoutine)));
}

#[test]
fn the_status_of_driver_entry_comes_back() {
    let image = Image::shipped().patch_entry(code::RETURN_UNSUCCESSFUL);
    let LoadError::DriverEntry { status, .. } = image.load_error() else {
        panic!("DriverEntry ran");
    };
    assert_eq!(status.cast_unsigned(), 0xc000_0001);
}

/// Lets the removal of a notify routine fail, as no documented kernel does for
/// one that is registered.
struct RemovalFails;

impl Interceptor for RemovalFails {
    fn called(&self, call: &DriverCall) -> Interception {
        if call.phase == Phase::Unload && call.routine == "PsSetCreateProcessNotifyRoutineEx" {
            Interception::Fail(0xc000_007a_u32.cast_signed())
        } else {
            Interception::Proceed
        }
    }
}

#[test]
fn a_callback_that_cannot_be_removed_is_reported() {
    let lines = Arc::new(Transcript::default());
    let kernel = Kernel::builder()
        .debug_output(Arc::clone(&lines) as _)
        .interceptor(Arc::new(RemovalFails))
        .build()
        .unwrap();
    let driver = kernel
        .load_driver(&Image::shipped().path(), "procmon")
        .unwrap();
    lines.take();
    let unloaded = kernel.unload_driver(driver);
    assert!(!unloaded.is_ok_and(|leftovers| leftovers.is_empty()));
    assert_eq!(
        lines.take_text(),
        [
            "[procmon] callback not removed: PsSetCreateProcessNotifyRoutineEx 0xc000007a (the next process brings the system down)\n",
            "[procmon] unloaded: 0 created, 0 exited\n",
        ]
    );
}
