//! Starts a program under Wine and announces it to the notifier driver: when it
//! is created and has not run yet, and when it has exited.
//!
//! `launcher.exe [/adopted] PROGRAM [ARGUMENTS]` passes everything after its own
//! name, as it stands, to `CreateProcessW`. With `/adopted` the program inherits
//! from another process than the one that creates it. Prints
//! `process parent creator creator-thread exit-code`, in decimal.

#![no_std]
#![no_main]

extern crate no_crt;

use core::fmt::{self, Write};
use core::mem::MaybeUninit;
use core::panic::PanicInfo;
use core::ptr;

use announcement::{ANNOUNCE, Announcement, COMMAND_UNITS, OPEN_NAME, wide};
use windows_sys::Win32::Foundation::{
    CloseHandle, ERROR_BUFFER_OVERFLOW, GetLastError, HANDLE, INVALID_HANDLE_VALUE,
};
use windows_sys::Win32::Storage::FileSystem::{CreateFileW, OPEN_EXISTING, WriteFile};
use windows_sys::Win32::System::Console::{
    GetStdHandle, STD_ERROR_HANDLE, STD_HANDLE, STD_OUTPUT_HANDLE,
};
use windows_sys::Win32::System::Environment::GetCommandLineW;
use windows_sys::Win32::System::IO::DeviceIoControl;
use windows_sys::Win32::System::Threading::{
    CREATE_SUSPENDED, CreateProcessW, DeleteProcThreadAttributeList, EXTENDED_STARTUPINFO_PRESENT,
    ExitProcess, GetCurrentProcessId, GetCurrentThreadId, GetExitCodeProcess, INFINITE,
    InitializeProcThreadAttributeList, PROC_THREAD_ATTRIBUTE_PARENT_PROCESS, PROCESS_INFORMATION,
    ResumeThread, STARTUPINFOEXW, TerminateProcess, UpdateProcThreadAttribute, WaitForSingleObject,
};

/// A call that failed.
struct Failure {
    call: &'static str,
    error: u32,
}

/// The program's entry point.
// SAFETY: The linker is told to start here, and nothing else has this name.
#[unsafe(no_mangle)]
pub extern "system" fn start() -> ! {
    // SAFETY: The system ends the command line with a NUL, and it stays.
    let code = match run(unsafe { arguments() }) {
        Ok(()) => 0,
        Err(Failure { call, error }) => {
            let _ = writeln!(Stream(STD_ERROR_HANDLE), "launcher: {call} failed: {error}");
            1
        }
    };
    // SAFETY: Nothing has to be cleaned up.
    unsafe { ExitProcess(code) }
}

fn run(mut command_line: *mut u16) -> Result<(), Failure> {
    const SWITCH: [u16; 9] = wide("/adopted");
    // SAFETY: The command line ends with a NUL, which the comparison stops at.
    let adopted = (0..SWITCH.len() - 1).all(|i| unsafe { *command_line.add(i) } == SWITCH[i]);
    if !adopted {
        return launch(command_line, None);
    }
    // SAFETY: The switch was there.
    command_line = unsafe { command_line.add(SWITCH.len()) };
    // Any process will do for a parent; this one never runs.
    let mut parent_command: [u16; 8] = wide("cmd.exe");
    let parent = Child::create(parent_command.as_mut_ptr(), None)?;
    let outcome = launch(command_line, Some(&parent));
    // SAFETY: The handle is open.
    unsafe { TerminateProcess(parent.0.hProcess, 0) };
    outcome
}

fn launch(command_line: *mut u16, parent: Option<&Child>) -> Result<(), Failure> {
    let device = open_device()?;
    let mut announcement = Announcement {
        event: Announcement::CREATED,
        process_id: 0,
        command_length: 0,
        command_line: [0; COMMAND_UNITS],
    };
    // Before the call, which may write to it.
    copy(command_line, &mut announcement)?;
    let child = Child::create(command_line, parent)?;
    announcement.process_id = child.0.dwProcessId;
    announce(device, &announcement)?;
    let exit_code = child.run()?;
    announcement.event = Announcement::EXITED;
    announce(device, &announcement)?;
    // SAFETY: The routine has no preconditions.
    let own_id = unsafe { GetCurrentProcessId() };
    let parent = parent.map_or(own_id, |parent| parent.0.dwProcessId);
    let _ = writeln!(
        Stream(STD_OUTPUT_HANDLE),
        "{} {parent} {own_id} {} {exit_code}",
        child.0.dwProcessId,
        // SAFETY: The routine has no preconditions.
        unsafe { GetCurrentThreadId() },
    );
    Ok(())
}

/// Copies a command line, which ends with a NUL.
fn copy(command_line: *const u16, announcement: &mut Announcement) -> Result<(), Failure> {
    for (length, unit) in (0..).zip(&mut announcement.command_line) {
        // SAFETY: The loop ends at the NUL.
        *unit = unsafe { *command_line.add(length as usize) };
        if *unit == 0 {
            announcement.command_length = length;
            return Ok(());
        }
    }
    Err(Failure {
        call: "announcing so long a command line",
        error: ERROR_BUFFER_OVERFLOW,
    })
}

/// What follows the program's own name in its command line.
///
/// # Safety
///
/// The command line ends with a NUL.
unsafe fn arguments() -> *mut u16 {
    const QUOTE: u16 = b'"' as u16;
    const SPACE: u16 = b' ' as u16;
    // SAFETY: The routine has no preconditions.
    let mut rest = unsafe { GetCommandLineW() }.cast_mut();
    let mut quoted = false;
    loop {
        // SAFETY: The loop ends at the NUL at the latest.
        match unsafe { *rest } {
            QUOTE => quoted = !quoted,
            0 => return rest,
            SPACE if !quoted => break,
            _ => {}
        }
        // SAFETY: This was not the NUL.
        rest = unsafe { rest.add(1) };
    }
    // SAFETY: As above.
    while unsafe { *rest } == SPACE {
        // SAFETY: A space is not the NUL.
        rest = unsafe { rest.add(1) };
    }
    rest
}

/// A process that was created suspended.
struct Child(PROCESS_INFORMATION);

impl Child {
    fn create(command_line: *mut u16, parent: Option<&Self>) -> Result<Self, Failure> {
        let mut startup = STARTUPINFOEXW::default();
        startup.StartupInfo.cb = size_in_bytes::<STARTUPINFOEXW>();
        let mut attributes = MaybeUninit::<[u64; 32]>::zeroed();
        let parent_handle;
        if let Some(parent) = parent {
            parent_handle = parent.0.hProcess;
            startup.lpAttributeList = attributes.as_mut_ptr().cast();
            let mut size = size_of_val(&attributes);
            // SAFETY: The list has that size.
            check("InitializeProcThreadAttributeList", unsafe {
                InitializeProcThreadAttributeList(startup.lpAttributeList, 1, 0, &raw mut size)
            })?;
            // SAFETY: The handle outlives the list.
            check("UpdateProcThreadAttribute", unsafe {
                UpdateProcThreadAttribute(
                    startup.lpAttributeList,
                    0,
                    PROC_THREAD_ATTRIBUTE_PARENT_PROCESS as usize,
                    (&raw const parent_handle).cast(),
                    size_of::<HANDLE>(),
                    ptr::null_mut(),
                    ptr::null(),
                )
            })?;
        }
        let mut information = PROCESS_INFORMATION::default();
        // SAFETY: The command line can be written and ends with a NUL.
        let created = check("CreateProcessW", unsafe {
            CreateProcessW(
                ptr::null(),
                command_line,
                ptr::null(),
                ptr::null(),
                0,
                CREATE_SUSPENDED | EXTENDED_STARTUPINFO_PRESENT,
                ptr::null(),
                ptr::null(),
                &raw const startup.StartupInfo,
                &raw mut information,
            )
        });
        if !startup.lpAttributeList.is_null() {
            // SAFETY: The list was initialised.
            unsafe { DeleteProcThreadAttributeList(startup.lpAttributeList) };
        }
        created?;
        Ok(Self(information))
    }

    /// Lets the process run, and gives its exit code.
    fn run(&self) -> Result<u32, Failure> {
        // SAFETY: The handle is open.
        let resumed = unsafe { ResumeThread(self.0.hThread) };
        check("ResumeThread", i32::from(resumed != u32::MAX))?;
        // SAFETY: The handle is open.
        unsafe { WaitForSingleObject(self.0.hProcess, INFINITE) };
        let mut code = 0;
        // SAFETY: The handle is open.
        check("GetExitCodeProcess", unsafe {
            GetExitCodeProcess(self.0.hProcess, &raw mut code)
        })?;
        Ok(code)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        for handle in [self.0.hThread, self.0.hProcess] {
            // SAFETY: The handle is this value's own.
            unsafe { CloseHandle(handle) };
        }
    }
}

fn open_device() -> Result<HANDLE, Failure> {
    const NAME: [u16; OPEN_NAME.len() + 1] = wide(OPEN_NAME);
    let name = NAME;
    // SAFETY: The name ends with a NUL.
    let device = unsafe {
        CreateFileW(
            name.as_ptr(),
            0,
            0,
            ptr::null(),
            OPEN_EXISTING,
            0,
            ptr::null_mut(),
        )
    };
    check(
        "opening the notifier's device",
        i32::from(device != INVALID_HANDLE_VALUE),
    )?;
    Ok(device)
}

fn announce(device: HANDLE, announcement: &Announcement) -> Result<(), Failure> {
    let mut returned = 0;
    // SAFETY: The input has the length given.
    check("the announcement", unsafe {
        DeviceIoControl(
            device,
            ANNOUNCE,
            ptr::from_ref(announcement).cast(),
            size_in_bytes::<Announcement>(),
            ptr::null_mut(),
            0,
            &raw mut returned,
            ptr::null_mut(),
        )
    })
}

/// The size of a structure, as the system's calls take it.
#[expect(clippy::cast_possible_truncation, reason = "asserted")]
const fn size_in_bytes<T>() -> u32 {
    const { assert!(size_of::<T>() < 1 << 16) };
    size_of::<T>() as u32
}

fn check(call: &'static str, succeeded: i32) -> Result<(), Failure> {
    if succeeded == 0 {
        // SAFETY: The routine has no preconditions.
        let error = unsafe { GetLastError() };
        return Err(Failure { call, error });
    }
    Ok(())
}

/// Standard output or standard error.
struct Stream(STD_HANDLE);

impl Write for Stream {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let length = u32::try_from(text.len()).map_err(|_| fmt::Error)?;
        let mut written = 0;
        // SAFETY: The text has that length.
        let succeeded = unsafe {
            WriteFile(
                GetStdHandle(self.0),
                text.as_ptr(),
                length,
                &raw mut written,
                ptr::null_mut(),
            )
        };
        if succeeded == 0 {
            Err(fmt::Error)
        } else {
            Ok(())
        }
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    // SAFETY: Nothing has to be cleaned up.
    unsafe { ExitProcess(2) }
}
