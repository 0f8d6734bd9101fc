//! The security reference monitor: what tokens say.

pub mod token;

use std::sync::Arc;

use windows_sys::Win32::Foundation::{
    STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_INFO_CLASS, STATUS_SUCCESS,
};

use crate::intercept::Failure;
use crate::mm::guest;
use crate::nt::{Irql, NtStatus};
use crate::ob::object::Object;
use crate::report::Rule;
use crate::routine::{Call, CallError, Outcome, Routine, status};
use crate::thread::Thread;
use token::{Information, TokenObject, UnknownClass};

/// The routines of the security reference monitor.
pub const ROUTINES: &[Routine] = &[
    Routine::new(
        "SeQueryInformationToken",
        Irql::PASSIVE,
        query_information_token,
    )
    .fails_with(Failure::Status),
    // STATUS_SUCCESS is the only value that is documented.
    Routine::new(
        "SeQueryAuthenticationIdToken",
        Irql::PASSIVE,
        query_authentication_id_token,
    ),
    Routine::new("SeTokenIsAdmin", Irql::PASSIVE, token_is_admin),
];

/// The tag of what is allocated for the caller.
const TAG: u32 = u32::from_le_bytes(*b"Se  ");

impl Thread<'_> {
    /// The token that a driver means by `address`.
    pub fn token(&self, address: u64) -> Result<Arc<Object>, CallError> {
        let object = self.object(address)?;
        if object.token().is_some() {
            return Ok(object);
        }
        Err(CallError::violation(
            Rule::Object,
            format!("{} was passed where a token is expected", object.describe()),
        ))
    }

    /// Calls `answer` with the token at `address`.
    fn with_token<T>(
        &self,
        address: u64,
        answer: impl FnOnce(&TokenObject) -> T,
    ) -> Result<T, CallError> {
        let object = self.token(address)?;
        Ok(answer(object.token().expect("just checked")))
    }
}

/// What the value `class` of `TOKEN_INFORMATION_CLASS` asks for, or the status
/// with which it is refused.
pub fn information(class: u64) -> Result<Result<Information, NtStatus>, CallError> {
    let class = class as u32;
    match Information::of(class) {
        Ok(information) => Ok(Ok(information)),
        Err(UnknownClass::Invalid) => Ok(Err(STATUS_INVALID_INFO_CLASS)),
        Err(UnknownClass::Unsupported) => Err(CallError::violation(
            Rule::Unsupported,
            format!("the class {class} of TOKEN_INFORMATION_CLASS is not modelled"),
        )),
    }
}

/// The session and the integrity level take the place of the pointer, as is
/// documented. Everything else is in paged pool that is the caller's to free;
/// of `TokenElevation` the documentation says nothing, and drivers free it.
fn query_information_token(call: &Call<'_>) -> Outcome {
    let thread = call.thread;
    let [token, class, result, _] = call.registers();
    let information = match information(class)? {
        Ok(information) => information,
        Err(refused) => return status(refused),
    };
    let object = thread.token(token)?;
    let token = object.token().expect("just checked");
    match information {
        Information::SessionId => guest::write(result, token.session_id)?,
        Information::IntegrityLevel => guest::write(result, token.token.integrity)?,
        Information::User
        | Information::Type
        | Information::Statistics
        | Information::Elevation => {
            // Nothing is left allocated where there is nowhere to say so.
            guest::write(result, 0u64)?;
            let size = information.bytes(token, 0).len();
            let acquisition = thread.acquisition();
            let block = thread
                .kernel
                .pool
                .allocate(true, size, TAG, None, acquisition);
            let Some(block) = block else {
                return status(STATUS_INSUFFICIENT_RESOURCES);
            };
            guest::write_bytes(block, &information.bytes(token, block))?;
            guest::write(result, block)?;
        }
    }
    status(STATUS_SUCCESS)
}

fn query_authentication_id_token(call: &Call<'_>) -> Outcome {
    let [token, result, ..] = call.registers();
    let logon_id = call
        .thread
        .with_token(token, |token| token.token.logon_id)?;
    guest::write(result, logon_id)?;
    status(STATUS_SUCCESS)
}

fn token_is_admin(call: &Call<'_>) -> Outcome {
    let [token, ..] = call.registers();
    call.thread
        .with_token(token, |token| token.is_administrators().into())
}
