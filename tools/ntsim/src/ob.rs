//! The object manager: references to objects, and handles to them.

pub mod handles;
pub mod object;

use std::sync::Arc;

use windows_sys::Win32::Foundation::{
    STATUS_ACCESS_DENIED, STATUS_INVALID_HANDLE, STATUS_INVALID_PARAMETER,
    STATUS_OBJECT_TYPE_MISMATCH, STATUS_SUCCESS,
};

use crate::intercept::Failure;
use crate::mm::guest;
use crate::nt::{Irql, NtStatus, SYSTEM_PROCESS};
use crate::ps::process::Process;
use crate::report::Rule;
use crate::routine::{Call, CallError, Outcome, Routine, status};
use crate::thread::Thread;
use handles::{CURRENT_PROCESS, CURRENT_THREAD, Handle, HandleTable, KERNEL_HANDLE_BITS};
use object::Object;

const OBJ_KERNEL_HANDLE: u32 = 0x200;
/// All attributes that a caller may give.
pub const OBJ_VALID_ATTRIBUTES: u32 = 0x1ff2;
const USER_MODE: u8 = 1;

/// The routines of the object manager.
pub const ROUTINES: &[Routine] = &[
    Routine::new("ObOpenObjectByPointer", Irql::APC, open_by_pointer).fails_with(Failure::Status),
    Routine::new(
        "ObReferenceObjectByHandle",
        Irql::PASSIVE,
        reference_by_handle,
    )
    .fails_with(Failure::Status),
    Routine::new(
        "ObReferenceObjectByPointer",
        Irql::DISPATCH,
        reference_by_pointer,
    )
    .fails_with(Failure::Status),
    Routine::new("ObfReferenceObject", Irql::DISPATCH, reference_object),
    Routine::new("ObfDereferenceObject", Irql::DISPATCH, dereference_object),
    Routine::new(
        "ObDereferenceObjectDeferDelete",
        Irql::DISPATCH,
        dereference_object,
    ),
];

impl Thread<'_> {
    /// The object that a driver means by `address`.
    pub fn object(&self, address: u64) -> Result<Arc<Object>, CallError> {
        self.kernel.objects.find(address).ok_or_else(|| {
            CallError::violation(
                Rule::Object,
                format!("{address:#x} is not an object, or no longer one"),
            )
        })
    }

    /// Checks `object` against an `OBJECT_TYPE` that a driver gave.
    fn is_of_type(&self, object: &Object, object_type: u64) -> bool {
        self.kernel.objects.type_address(object.object_type()) == object_type
    }

    /// Opens a handle for the driver in the table that `attributes` ask for.
    pub fn open_handle(&self, object: &Arc<Object>, attributes: u32, access: u32) -> u64 {
        object.reference();
        let handle = Handle {
            object: Arc::clone(object),
            attributes,
            access,
            opened: self.acquisition(),
        };
        if attributes & OBJ_KERNEL_HANDLE != 0 {
            self.kernel.kernel_handles().open(handle) | KERNEL_HANDLE_BITS
        } else {
            self.current_process().handles.open(handle)
        }
    }

    /// A handle to `object` that kernel-mode code opens must not be one that the
    /// current process can use.
    ///
    /// # Errors
    /// When it is one.
    pub fn check_kernel_handle(&self, object: &Object, attributes: u32) -> Result<(), CallError> {
        let current = self.current_process().id;
        if attributes & OBJ_KERNEL_HANDLE != 0 || current == SYSTEM_PROCESS {
            return Ok(());
        }
        Err(CallError::violation(
            Rule::Handle,
            format!(
                "a handle to {} is opened without OBJ_KERNEL_HANDLE in process {current:#x}, \
                 whose threads could use and close it",
                object.describe(),
            ),
        ))
    }

    /// Gives a reference of the driver's back.
    ///
    /// # Errors
    /// When it has none.
    pub fn dereference(&self, object: &Object) -> Result<(), CallError> {
        if self.kernel.objects.release(object, self.caller().as_ref()) {
            return Ok(());
        }
        Err(CallError::violation(
            Rule::Object,
            format!(
                "{} was dereferenced more often than a driver has referenced it",
                object.describe()
            ),
        ))
    }

    /// What a handle given by kernel-mode code leads to, and its access.
    ///
    /// # Errors
    /// When it is a kernel handle that is not open: only kernel-mode code has
    /// those, and it has lost track of them. Others may come from a user.
    pub fn resolve_handle(&self, value: u64) -> Result<Option<(Arc<Object>, u32)>, CallError> {
        match value {
            CURRENT_PROCESS => Ok(Some((Arc::clone(&self.process), u32::MAX))),
            CURRENT_THREAD => Ok(Some((self.thread_object(), u32::MAX))),
            _ => {
                let (table, index) = self.handle_table(value);
                match table.find(index) {
                    Some(handle) => Ok(Some((handle.object, handle.access))),
                    None if is_kernel_handle(value) => Err(self.not_open("used", value)),
                    None => Ok(None),
                }
            }
        }
    }

    /// Closes a handle for the driver.
    ///
    /// # Errors
    /// When it is not open, or another driver's.
    pub fn close_handle(&self, value: u64) -> Result<(), CallError> {
        let (table, index) = self.handle_table(value);
        let handle = table
            .find(index)
            .ok_or_else(|| self.not_open("closed", value))?;
        if let Some(owner) = handle.opened.module()
            && !self
                .caller()
                .is_some_and(|caller| Arc::ptr_eq(&caller, owner))
        {
            return Err(CallError::violation(
                Rule::Handle,
                format!("handle {value:#x} is closed, which {} opened", owner.name),
            ));
        }
        let handle = table
            .close(index)
            .ok_or_else(|| self.not_open("closed", value))?;
        self.kernel.objects.dereference(&handle.object);
        Ok(())
    }

    /// The table that the handle `value` is looked up in, and its value there.
    fn handle_table(&self, value: u64) -> (&HandleTable, u64) {
        if is_kernel_handle(value) {
            (self.kernel.kernel_handles(), value & !KERNEL_HANDLE_BITS)
        } else {
            (&self.current_process().handles, value)
        }
    }

    fn not_open(&self, verb: &str, value: u64) -> CallError {
        let (table, index) = self.handle_table(value);
        let what = if table.was_open(index) {
            "is closed already"
        } else if is_kernel_handle(value) {
            "was never open"
        } else {
            "is not open in the current process"
        };
        CallError::violation(
            Rule::Handle,
            format!("handle {value:#x} is {verb}, which {what}"),
        )
    }
}

const fn is_kernel_handle(value: u64) -> bool {
    value & KERNEL_HANDLE_BITS == KERNEL_HANDLE_BITS
}

fn open_by_pointer(call: &Call<'_>) -> Outcome {
    let thread = call.thread;
    let [object, attributes, _access_state, desired] = call.registers();
    let (attributes, desired) = (attributes as u32, desired as u32);
    let object_type = call.argument(4)?;
    let access_mode = call.argument(5)? as u8;
    let result = call.argument(6)?;
    let object = thread.object(object)?;
    if attributes & !OBJ_VALID_ATTRIBUTES != 0 {
        return status(STATUS_INVALID_PARAMETER);
    }
    if let Err(failure) = check_type(call, &object, object_type, access_mode) {
        return status(failure);
    }
    let attributes = if access_mode == USER_MODE {
        // User mode cannot ask for a handle that it could not use.
        attributes & !OBJ_KERNEL_HANDLE
    } else {
        attributes
    };
    if access_mode == USER_MODE {
        if !may_open(thread.current_process(), &object) {
            return status(STATUS_ACCESS_DENIED);
        }
    } else {
        thread.check_kernel_handle(&object, attributes)?;
    }
    // Nothing is left open where there is nowhere to say so.
    guest::write(result, 0u64)?;
    let handle = thread.open_handle(&object, attributes, desired);
    guest::write(result, handle)?;
    status(STATUS_SUCCESS)
}

/// A type may be left out where kernel mode asks, and only a user may be wrong
/// about it.
fn check_type(
    call: &Call<'_>,
    object: &Object,
    object_type: u64,
    access_mode: u8,
) -> Result<(), NtStatus> {
    let unchecked = object_type == 0 && access_mode != USER_MODE;
    if unchecked || call.thread.is_of_type(object, object_type) {
        return Ok(());
    }
    if access_mode != USER_MODE {
        call.thread.record(Rule::ObjectType, call.routine.name, || {
            format!(
                "{} was taken for an object of another type",
                object.describe()
            )
        });
    }
    Err(STATUS_OBJECT_TYPE_MISMATCH)
}

/// What the access check comes to for a caller in user mode. Security
/// descriptors are not modelled; processes run as the user of their session,
/// and only those of the system's session may open the others'.
fn may_open(caller: &Process, object: &Object) -> bool {
    const SYSTEM_SESSION: u32 = 0;
    let Some(process) = object.process() else {
        return true;
    };
    caller.session_id == SYSTEM_SESSION || caller.session_id == process.session_id
}

fn reference_by_handle(call: &Call<'_>) -> Outcome {
    let thread = call.thread;
    let [handle, desired, object_type, access_mode] = call.registers();
    let result = call.argument(4)?;
    let information = call.argument(5)?;
    guest::write(result, 0u64)?;
    let Some((object, access)) = thread.resolve_handle(handle)? else {
        return status(STATUS_INVALID_HANDLE);
    };
    if object_type != 0
        && let Err(failure) = check_type(call, &object, object_type, access_mode as u8)
    {
        return status(failure);
    }
    if access_mode as u8 == USER_MODE && desired as u32 & !access != 0 {
        return status(STATUS_ACCESS_DENIED);
    }
    object.hold(thread.acquisition());
    guest::write(result, object.address)?;
    // OBJECT_HANDLE_INFORMATION: attributes and granted access.
    guest::write_optional(information, [0u32, access])?;
    status(STATUS_SUCCESS)
}

fn reference_by_pointer(call: &Call<'_>) -> Outcome {
    let thread = call.thread;
    let [object, _desired, object_type, access_mode] = call.registers();
    let object = thread.object(object)?;
    if let Err(failure) = check_type(call, &object, object_type, access_mode as u8) {
        return status(failure);
    }
    object.hold(thread.acquisition());
    status(STATUS_SUCCESS)
}

/// Returns the new count, as the documentation has it for reports only.
fn reference_object(call: &Call<'_>) -> Outcome {
    let object = call.thread.object(call.registers()[0])?;
    object.hold(call.thread.acquisition());
    Ok(object.references())
}

fn dereference_object(call: &Call<'_>) -> Outcome {
    let thread = call.thread;
    let object = thread.object(call.registers()[0])?;
    thread.dereference(&object)?;
    Ok(object.references())
}
