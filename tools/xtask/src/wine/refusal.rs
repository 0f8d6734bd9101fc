//! A start that must fail: it shows that those of the other cases could.

use anyhow::{Result, ensure};

use super::fixtures::Fixtures;
use super::prefix::Prefix;
use super::service::Service;

/// What Windows makes of `STATUS_DEVICE_NOT_CONNECTED`, which the driver's
/// `DriverEntry` returns.
const ERROR_DEVICE_NOT_CONNECTED: u32 = 1167;

/// Runs the case.
pub fn check(prefix: &Prefix, fixtures: &Fixtures) -> Result<()> {
    prefix.install(&fixtures.refuser, "refuser.sys")?;
    let machine = prefix.boot("refusal")?;
    let service = Service::named(&machine, "refuser");
    service.create()?;
    let error = service.start_error()?;
    ensure!(
        error == Some(ERROR_DEVICE_NOT_CONNECTED),
        "starting it gave {error:?} and not error {ERROR_DEVICE_NOT_CONNECTED}"
    );
    service.expect_state("STOPPED")?;
    service.delete()
}
