//! A kernel whose routines do nothing, so that what is measured is the driver.
//!
//! The routines are a few instructions each. Those that a driver cannot do
//! without, because it uses what they give, give it: a routine's address, the
//! place for a notify routine, memory.

#![expect(non_snake_case, reason = "routines have the kernel's own names")]

use std::fs;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use ntsim::loader::{CheckedImage, MappedImage, Symbols};

use crate::event::Creation;

/// Declares routines by name and machine code.
macro_rules! routines {
    ($($name:ident: $($line:literal),+;)*) => {
        $(
            #[unsafe(naked)]
            unsafe extern "win64" fn $name() {
                std::arch::naked_asm!($($line),+)
            }
        )*

        /// All routines that do nothing.
        const ROUTINES: &[(&str, unsafe extern "win64" fn())] =
            &[$((stringify!($name), $name)),*];
    };
}

routines! {
    DbgPrint: "xor eax, eax", "ret";
    KeBugCheckEx: "ud2";
    EtwRegister: "mov qword ptr [r9], 4", "xor eax, eax", "ret";
    EtwSetInformation: "xor eax, eax", "ret";
    EtwUnregister: "xor eax, eax", "ret";
    EtwWrite: "xor eax, eax", "ret";
    // The place is the first argument.
    KeQuerySystemTimePrecise: "mov rax, 0x1dc000000000000", "mov [rcx], rax", "ret";
    // The handle's place is the seventh argument, the third on the stack.
    ObOpenObjectByPointer: "mov rax, [rsp + 56]", "mov qword ptr [rax], 4", "xor eax, eax", "ret";
    PsGetCurrentProcessId: "mov eax, 0x2f8", "ret";
    PsGetProcessCreateTimeQuadPart: "mov rax, 0x1dbffffff000000", "ret";
    PsGetProcessExitStatus: "xor eax, eax", "ret";
    PsGetProcessExitTime: "mov rax, 0x1dc000000000000", "ret";
    PsGetProcessStartKey: "mov rax, 0x2000000000a41", "ret";
    RtlCopySid: "xor eax, eax", "ret";
    ZwClose: "xor eax, eax", "ret";
    ZwOpenProcessTokenEx: "mov qword ptr [r9], 4", "xor eax, eax", "ret";
    ZwQueryInformationProcess: "xor eax, eax", "ret";
    ZwQueryInformationToken: "xor eax, eax", "ret";
    // Pool and locks: here to be counted.
    ExAcquireFastMutex: "ret";
    ExAllocatePool2: "xor eax, eax", "ret";
    ExFreePool: "ret";
    ExFreePoolWithTag: "ret";
    ExReleaseFastMutex: "ret";
    KeAcquireSpinLockRaiseToDpc: "xor eax, eax", "ret";
    KeReleaseSpinLock: "ret";
    memcpy: "mov rax, rcx", "push rdi", "push rsi", "mov rdi, rcx", "mov rsi, rdx", "mov rcx, r8",
        "rep movsb", "pop rsi", "pop rdi", "ret";
    memset: "mov r9, rcx", "push rdi", "mov rdi, rcx", "mov eax, edx", "mov rcx, r8",
        "rep stosb", "pop rdi", "mov rax, r9", "ret";
}

/// Routines that allocate.
pub const POOL: &[&str] = &["ExAllocatePool2"];
/// Routines that take a lock.
pub const LOCKS: &[&str] = &["ExAcquireFastMutex", "KeAcquireSpinLockRaiseToDpc"];

/// The name and the address of every routine that may be counted.
pub fn routines() -> impl Iterator<Item = (&'static str, u64)> {
    let event_enabled = ("EtwEventEnabled", event_enabled as *const () as u64);
    ROUTINES
        .iter()
        .map(|(name, routine)| (*name, *routine as *const () as u64))
        .chain([event_enabled])
}

/// Whether an ETW session records what drivers write.
static LISTENING: AtomicBool = AtomicBool::new(false);

/// Has an ETW session record what drivers write while `run` runs.
pub fn listening<T>(run: impl FnOnce() -> T) -> T {
    LISTENING.store(true, Ordering::Relaxed);
    let result = run();
    LISTENING.store(false, Ordering::Relaxed);
    result
}

unsafe extern "win64" fn event_enabled(_provider: u64, _event: u64) -> u8 {
    LISTENING.load(Ordering::Relaxed).into()
}

/// Where a driver finds the routine `name`.
fn address(name: &str) -> Option<u64> {
    match name {
        "MmGetSystemRoutineAddress" => Some(get_system_routine_address as *const () as u64),
        "PsSetCreateProcessNotifyRoutineEx" => Some(set_notify_routine as *const () as u64),
        _ => routines()
            .find(|(known, _)| *known == name)
            .map(|(_, address)| address),
    }
}

/// `UNICODE_STRING`.
#[repr(C)]
pub struct UnicodeString {
    /// Bytes.
    length: u16,
    maximum_length: u16,
    buffer: *const u16,
}

impl UnicodeString {
    /// Borrows `text`, which the caller keeps.
    pub fn of(text: &[u16]) -> Self {
        let length = u16::try_from(text.len() * 2).expect("at most 32,767 units");
        Self {
            length,
            maximum_length: length,
            buffer: text.as_ptr(),
        }
    }
}

unsafe extern "win64" fn get_system_routine_address(name: *const UnicodeString) -> u64 {
    // SAFETY: a driver passes a valid string.
    let name = unsafe { &*name };
    // SAFETY: its buffer holds the bytes that it counts.
    let units = unsafe { std::slice::from_raw_parts(name.buffer, usize::from(name.length / 2)) };
    String::from_utf16(units)
        .ok()
        .and_then(|name| address(&name))
        .unwrap_or(0)
}

/// What the driver that is being loaded has registered.
static REGISTERED: AtomicU64 = AtomicU64::new(0);

unsafe extern "win64" fn set_notify_routine(routine: u64, remove: u8) -> i32 {
    if remove == 0 {
        REGISTERED.store(routine, Ordering::Relaxed);
    }
    0
}

/// A process-notify routine. The object is opaque to drivers.
pub type Notify = unsafe extern "win64" fn(object: u64, id: u64, info: *const Creation);

/// A driver that is loaded, for the rest of this program's life.
pub struct Driver {
    /// Its notify routine.
    pub notify: Notify,
    /// Its code and data.
    pub range: Range<u64>,
    /// Size of the file, and of each section in it.
    pub sizes: Sizes,
    /// What its PDB says of its code.
    pub symbols: Symbols,
    /// The driver object, which the driver may keep the address of.
    _object: Box<[AtomicU64]>,
    _image: MappedImage,
}

/// Bytes of an image's file.
#[derive(Clone, Debug)]
pub struct Sizes {
    /// The whole file.
    pub file: u64,
    /// The sections, in order.
    pub sections: Vec<(String, u64)>,
}

type DriverEntry =
    unsafe extern "win64" fn(object: *const AtomicU64, path: *const UnicodeString) -> i32;

impl Driver {
    /// Loads the image at `path` and runs its `DriverEntry`.
    ///
    /// # Errors
    /// When the image cannot be loaded or the driver does not start.
    pub fn load(path: &Path) -> Result<Self> {
        /// Bytes of a `DRIVER_OBJECT`.
        const OBJECT: usize = 0x150;
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _loading = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);

        let data = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let refused = |error| anyhow!("{}: {error}", path.display());
        let image = CheckedImage::parse(&data).map_err(refused)?;
        let mapped = MappedImage::new(&image, &address).map_err(refused)?;
        let sections = image
            .sections
            .iter()
            .map(|section| (section.name.clone(), section.data.len() as u64))
            .collect();
        let object: Box<[AtomicU64]> = (0..OBJECT / 8).map(|_| AtomicU64::new(0)).collect();
        let registry_path = UnicodeString::of(&[]);
        let entry = mapped.base() + u64::from(image.entry);
        // SAFETY: the entry point of a native x64 image has this type.
        let entry: DriverEntry = unsafe { std::mem::transmute::<u64, DriverEntry>(entry) };
        REGISTERED.store(0, Ordering::Relaxed);
        // SAFETY: the image is mapped and bound, and the arguments are what a
        // driver's entry point is given.
        let status = unsafe { entry(object.as_ptr(), &raw const registry_path) };
        ensure!(
            status >= 0,
            "{}: DriverEntry returned {status:#010x}",
            path.display()
        );
        let notify = REGISTERED.load(Ordering::Relaxed);
        if notify == 0 {
            bail!("{}: registered no notify routine", path.display());
        }
        // SAFETY: what a driver registers is a notify routine, and the image
        // stays mapped as long as this value.
        let notify: Notify = unsafe { std::mem::transmute::<u64, Notify>(notify) };
        Ok(Self {
            notify,
            range: mapped.base()..mapped.base() + mapped.size() as u64,
            sizes: Sizes {
                file: data.len() as u64,
                sections,
            },
            symbols: Symbols::beside(path, image.pdb.as_ref()),
            _object: object,
            _image: mapped,
        })
    }
}
