//! A driver that calls the routines that Wine lacks.

use anyhow::Result;

use super::fixtures::Fixtures;
use super::prefix::Prefix;
use super::service::Service;

/// Runs the case.
pub fn check(prefix: &Prefix, fixtures: &Fixtures) -> Result<()> {
    prefix.install(&fixtures.provider, "provider.sys")?;
    let machine = prefix.boot("provider")?;
    let service = Service::named(&machine, "provider");
    service.create()?;
    service.start()
}
