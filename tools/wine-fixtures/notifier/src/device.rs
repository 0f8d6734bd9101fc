//! The device that processes are announced to.

use core::ptr;

use announcement::{ANNOUNCE, Announcement, DEVICE_NAME, DEVICE_TYPE, LINK_NAME, wide};
use windows_sys::Wdk::Foundation::{DEVICE_OBJECT, DRIVER_OBJECT, IO_STACK_LOCATION, IRP};
use windows_sys::Wdk::System::SystemServices::{
    IRP_MJ_CLOSE, IRP_MJ_CREATE, IRP_MJ_DEVICE_CONTROL, IoCreateDevice, IoCreateSymbolicLink,
    IoDeleteDevice, IoDeleteSymbolicLink, IofCompleteRequest, PS_CREATE_NOTIFY_INFO,
    PsGetCurrentProcessId, PsGetCurrentThreadId,
};
use windows_sys::Wdk::System::Threading::ProcessImageFileName;
use windows_sys::Win32::Foundation::{
    NTSTATUS, STATUS_DEVICE_NOT_READY, STATUS_INVALID_DEVICE_REQUEST, STATUS_INVALID_PARAMETER,
    STATUS_SUCCESS, UNICODE_STRING,
};
use windows_sys::Win32::System::WindowsProgramming::CLIENT_ID;

use crate::notify;
use crate::nt::string;
use crate::process::Process;

static DEVICE: [u16; DEVICE_NAME.len() + 1] = wide(DEVICE_NAME);
static LINK: [u16; LINK_NAME.len() + 1] = wide(LINK_NAME);

/// Creates the device, and answers for it.
pub fn create(driver: &mut DRIVER_OBJECT) -> NTSTATUS {
    let mut device = ptr::null_mut();
    // SAFETY: The name and the driver's object are valid.
    let status = unsafe {
        IoCreateDevice(
            driver,
            0,
            &string(&DEVICE),
            DEVICE_TYPE,
            0,
            false,
            &raw mut device,
        )
    };
    if status != STATUS_SUCCESS {
        return status;
    }
    // SAFETY: Both names are valid.
    let status = unsafe { IoCreateSymbolicLink(&string(&LINK), &string(&DEVICE)) };
    if status != STATUS_SUCCESS {
        // SAFETY: The device was created above.
        unsafe { IoDeleteDevice(device) };
        return status;
    }
    for function in [IRP_MJ_CREATE, IRP_MJ_CLOSE, IRP_MJ_DEVICE_CONTROL] {
        driver.MajorFunction[function as usize] = Some(dispatch);
    }
    STATUS_SUCCESS
}

/// Deletes the device.
pub fn delete(driver: &DRIVER_OBJECT) {
    // SAFETY: `create` made the link.
    unsafe { IoDeleteSymbolicLink(&string(&LINK)) };
    // SAFETY: `create` made the driver's only device.
    unsafe { IoDeleteDevice(driver.DeviceObject) };
}

unsafe extern "system" fn dispatch(_device: *const DEVICE_OBJECT, irp: *mut IRP) -> NTSTATUS {
    // SAFETY: The request is the driver's until it completes it.
    let request = unsafe { &mut *irp };
    // SAFETY: A request that is dispatched has a current stack location.
    let location = unsafe {
        &*request
            .Tail
            .Overlay
            .Anonymous2
            .Anonymous
            .CurrentStackLocation
    };
    let status = if u32::from(location.MajorFunction) == IRP_MJ_DEVICE_CONTROL {
        // SAFETY: The location is that of a device control request.
        unsafe { control(request, location) }
    } else {
        STATUS_SUCCESS
    };
    request.IoStatus.Anonymous.Status = status;
    request.IoStatus.Information = 0;
    // SAFETY: The request is not touched afterwards.
    unsafe { IofCompleteRequest(irp, 0) };
    status
}

/// The parameters of a device control request. Microsoft's metadata leaves out
/// that each begins at a multiple of eight bytes.
#[repr(C)]
struct DeviceIoControl {
    _output_length: u32,
    input_length: Aligned,
    control_code: Aligned,
}

#[repr(C, align(8))]
struct Aligned(u32);

/// # Safety
///
/// `location` is that of `request`, which is a device control request.
unsafe fn control(request: &IRP, location: &IO_STACK_LOCATION) -> NTSTATUS {
    // SAFETY: The caller says that this is the request's kind.
    let parameters = unsafe { &*(&raw const location.Parameters).cast::<DeviceIoControl>() };
    if parameters.control_code.0 != ANNOUNCE {
        return STATUS_INVALID_DEVICE_REQUEST;
    }
    if parameters.input_length.0 as usize != size_of::<Announcement>() {
        return STATUS_INVALID_PARAMETER;
    }
    // SAFETY: A buffered request has its input there, aligned for anything and
    // of the length checked; it is the driver's until the request is completed.
    let announcement = unsafe { &*request.AssociatedIrp.SystemBuffer.cast::<Announcement>() };
    match announce(announcement) {
        Ok(true) => STATUS_SUCCESS,
        Ok(false) => STATUS_DEVICE_NOT_READY,
        Err(status) => status,
    }
}

/// Delivers a callback, in the context of the announcer's thread, and says
/// whether one is registered.
fn announce(announcement: &Announcement) -> Result<bool, NTSTATUS> {
    let process = Process::find(announcement.process_id)?;
    let id = ptr::without_provenance_mut(announcement.process_id as usize);
    match announcement.event {
        Announcement::CREATED => {
            let mut image = ImageName::new();
            let mut command_line = command_line(announcement)?;
            let mut creation = PS_CREATE_NOTIFY_INFO {
                Size: size_of::<PS_CREATE_NOTIFY_INFO>(),
                ParentProcessId: process.parent(),
                // SAFETY: The routines have no preconditions.
                CreatingThreadId: unsafe {
                    CLIENT_ID {
                        UniqueProcess: PsGetCurrentProcessId(),
                        UniqueThread: PsGetCurrentThreadId(),
                    }
                },
                ImageFileName: image.of(&process),
                CommandLine: &raw mut command_line,
                ..Default::default()
            };
            creation.Anonymous.Flags = FILE_OPEN_NAME_AVAILABLE;
            let delivered = notify::deliver(process.object(), id, &raw mut creation);
            // A driver that only watches does not refuse a process.
            match creation.CreationStatus {
                STATUS_SUCCESS => Ok(delivered),
                refusal => Err(refusal),
            }
        }
        Announcement::EXITED => Ok(notify::deliver(process.object(), id, ptr::null_mut())),
        _ => Err(STATUS_INVALID_PARAMETER),
    }
}

/// The command line as announced: Wine 8 does not give that of another process.
fn command_line(announcement: &Announcement) -> Result<UNICODE_STRING, NTSTATUS> {
    let units = announcement
        .command_line
        .get(..announcement.command_length as usize)
        .ok_or(STATUS_INVALID_PARAMETER)?;
    let bytes = u16::try_from(size_of_val(units)).map_err(|_| STATUS_INVALID_PARAMETER)?;
    Ok(UNICODE_STRING {
        Length: bytes,
        MaximumLength: bytes,
        Buffer: units.as_ptr().cast_mut(),
    })
}

/// The first bit of `PS_CREATE_NOTIFY_INFO`'s flags.
const FILE_OPEN_NAME_AVAILABLE: u32 = 1;

/// Room for an image's name, with the structure that describes it.
struct ImageName([u64; 160]);

impl ImageName {
    const fn new() -> Self {
        Self([0; 160])
    }

    /// What Wine says, or null where it does not.
    fn of(&mut self, process: &Process) -> *mut UNICODE_STRING {
        if process.query(ProcessImageFileName, &mut self.0) {
            self.0.as_mut_ptr().cast()
        } else {
            ptr::null_mut()
        }
    }
}
