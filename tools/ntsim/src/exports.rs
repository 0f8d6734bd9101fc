//! What the kernel exports to drivers: every component's routines, each behind
//! a thunk, and a few data. The machine's builder fills the machine's table of
//! exports from here.

use std::collections::HashMap;
use std::iter;
use std::sync::OnceLock;

use crate::gate;
use crate::kernel::Export;
use crate::mm::pages;
use crate::routine::{Body, Routine};

/// Every component's routines.
const COMPONENTS: &[&[Routine]] = &[
    crate::dbg::ROUTINES,
    crate::etw::ROUTINES,
    crate::ex::ROUTINES,
    crate::io::ROUTINES,
    crate::ke::ROUTINES,
    crate::mm::ROUTINES,
    crate::ob::ROUTINES,
    crate::ps::ROUTINES,
    crate::rtl::ROUTINES,
    crate::se::ROUTINES,
    crate::zw::ROUTINES,
];

/// Data that the kernel exports to drivers, one pointer each.
const DATA: [&str; 4] = [
    "PsProcessType",
    "PsThreadType",
    "SeTokenObjectType",
    "PsInitialSystemProcess",
];

/// What drivers find under each name. The pointers of [`DATA`] are at `data`.
pub fn table(data: u64) -> HashMap<&'static str, Export> {
    let routines = all().zip(addresses()).map(|(routine, address)| {
        let export = Export {
            address: *address,
            failure: Some(routine.failure),
        };
        (routine.name, export)
    });
    let pointers = iter::successors(Some(data), |pointer| Some(pointer + 8));
    let data = DATA.iter().zip(pointers).map(|(name, address)| {
        let export = Export {
            address,
            failure: None,
        };
        (*name, export)
    });
    routines.chain(data).collect()
}

/// All routines, in one order.
fn all() -> impl Iterator<Item = &'static Routine> {
    COMPONENTS.iter().copied().flatten()
}

/// Where drivers call each of the routines; all machines share them.
fn addresses() -> &'static [u64] {
    static ADDRESSES: OnceLock<Vec<u64>> = OnceLock::new();
    ADDRESSES.get_or_init(build_thunks)
}

/// Makes the thunks of all routines, in executable memory that is never
/// writable at the same time and that lives as long as the process.
fn build_thunks() -> Vec<u64> {
    let code: Vec<u8> = all()
        .flat_map(|routine| gate::thunk(&raw const *routine))
        .collect();
    let base = pages::make_code(&code);
    let thunks = (base..).step_by(gate::THUNK_SIZE);
    all()
        .zip(thunks)
        .map(|(routine, thunk)| match routine.body {
            Body::Call(_) => thunk,
            Body::Code(code) => code as *const () as u64,
        })
        .collect()
}
