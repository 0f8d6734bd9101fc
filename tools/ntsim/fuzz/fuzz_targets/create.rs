//! A process whose name, command line and creation are what libFuzzer makes of
//! them. `PROCMON_SYS` names the driver's image, unless it is where `cargo
//! xtask build` puts it.

#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::{Corpus, fuzz_target};
use ntsim::trial::Procmon;
use ntsim::trial::hostile::{Case, Subject};

thread_local! {
    static SUBJECT: RefCell<Subject> = RefCell::new(load());
}

fn load() -> Subject {
    Subject::load(&driver_images::procmon(), "procmon", Box::new(Procmon))
        .unwrap_or_else(|error| panic!("{error}"))
}

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Some(case) = Case::of(bytes) else {
        return Corpus::Reject;
    };
    SUBJECT.with_borrow_mut(|subject| {
        if let Err(finding) = subject.announce(&case) {
            panic!("{finding}");
        }
    });
    Corpus::Keep
});
