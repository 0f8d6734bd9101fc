//! A process whose name, command line and creation are what libFuzzer makes of
//! them. `PROCMON_SYS` names the driver's image, unless it is where `cargo
//! xtask build` puts it; `CODE_PAGE` the machine's code page, unless it is UTF-8.

#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::{Corpus, fuzz_target};
use ntsim::CodePage;
use ntsim_trials::hostile::{Case, Subject};
use ntsim_trials::{Listen, Target};
use procmon_oracle::Procmon;

thread_local! {
    static SUBJECT: RefCell<Subject<'static>> = RefCell::new(load());
}

fn load() -> Subject<'static> {
    let code_page = std::env::var("CODE_PAGE").map_or(CodePage::UTF_8, |number| {
        number.parse().unwrap_or_else(|error| panic!("{error}"))
    });
    Subject::load(Target {
        image: Box::leak(driver_images::procmon().into_boxed_path()),
        service: "procmon",
        code_page,
        listen: Listen::Always,
        oracle: Box::leak(Box::new(Procmon::on(code_page))),
    })
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
