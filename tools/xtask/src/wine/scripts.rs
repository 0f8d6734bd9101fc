//! The package's own scripts, from a machine that refuses to one that is as it
//! was before.

use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};

use super::fixtures::Fixtures;
use super::prefix::{Machine, Outcome, Prefix};
use super::service::Service;
use crate::{package, repository};

const DRIVER: &str = "windows/system32/drivers/procmon.sys";

const ERROR_ACCESS_DENIED: i32 = 5;
const ERROR_INVALID_IMAGE_HASH: i32 = 577;
const ERROR_SERVICE_EXISTS: i32 = 1073;

/// Runs the case.
pub fn check(prefix: &Prefix, fixtures: &Fixtures) -> Result<()> {
    let package = repository::root().join("target/wine/package");
    package::with_certificate_of_its_own(&fixtures.procmon, &package)?;
    for file in fs::read_dir(&package)? {
        let file = file?;
        let name = file.file_name();
        prefix.install(&file.path(), &format!("package/{}", name.display()))?;
    }
    prefix.install(&fixtures.certutil, "windows/system32/certutil.exe")?;

    let machine = prefix.boot("scripts")?;
    refuses_without_elevation(&machine)?;
    // Any program that ends well says that there are an administrator's rights.
    machine
        .run(
            "cmd.exe",
            [
                "/c",
                r"copy C:\windows\system32\hostname.exe C:\windows\system32\fltmc.exe",
            ],
        )?
        .success()?;
    refuses_the_service_of_the_inf(&machine)?;
    refuses_without_test_signing(&machine)?;
    machine
        .run(
            "reg.exe",
            [
                "add",
                r"HKLM\SYSTEM\CurrentControlSet\Control",
                "/v",
                "SystemStartOptions",
                "/d",
                "NOEXECUTE=OPTIN TESTSIGNING",
                "/f",
            ],
        )?
        .success()?;

    let stores = Stores::of(&package)?;
    ensure!(
        stores.hold(&machine)? == [false, false],
        "a new machine has the certificate"
    );
    let procmon = Service::named(&machine, "procmon");
    for time in ["", " again"] {
        let said = script(&machine, "install")?.success()?;
        ensure!(
            said.contains("procmon is running"),
            "installed{time}: {said}"
        );
        procmon.expect_state("RUNNING")?;
        ensure!(prefix.holds(DRIVER), "installed{time}: no driver file");
        ensure!(
            stores.hold(&machine)? == [true, true],
            "installed{time}: no certificate"
        );
    }
    for time in ["", " again"] {
        let said = script(&machine, "uninstall")?.success()?;
        ensure!(
            said.contains("procmon is gone"),
            "uninstalled{time}: {said}"
        );
        ensure!(!procmon.exists()?, "uninstalled{time}: there is a service");
        ensure!(
            !prefix.holds(DRIVER),
            "uninstalled{time}: there is a driver file"
        );
        ensure!(
            stores.hold(&machine)? == [false, false],
            "uninstalled{time}: there is a certificate"
        );
    }
    Ok(())
}

fn refuses_without_elevation(machine: &Machine<'_>) -> Result<()> {
    for name in ["install", "uninstall"] {
        let outcome = script(machine, name)?;
        ensure!(
            outcome.code == Some(ERROR_ACCESS_DENIED) && outcome.output.contains("not elevated"),
            "without an administrator's rights, {outcome}"
        );
    }
    Ok(())
}

/// A service whose image is in the driver store belongs to the INF, and both
/// scripts leave it as it is.
fn refuses_the_service_of_the_inf(machine: &Machine<'_>) -> Result<()> {
    let procmon = Service::named(machine, "procmon");
    let image = r"C:\windows\System32\DriverStore\FileRepository\procmon.inf_amd64_0\procmon.sys";
    machine
        .run(
            "sc.exe",
            [
                "create", "procmon", "type=", "kernel", "start=", "demand", "binPath=", image,
            ],
        )?
        .success()?;
    for name in ["install", "uninstall"] {
        let outcome = script(machine, name)?;
        ensure!(
            outcome.code == Some(ERROR_SERVICE_EXISTS & 0xff)
                && outcome.output.contains("procmon.inf has installed"),
            "where the INF installed the service, {outcome}"
        );
        ensure!(procmon.exists()?, "{name} deleted the service of the INF");
    }
    procmon.delete()
}

fn refuses_without_test_signing(machine: &Machine<'_>) -> Result<()> {
    let outcome = script(machine, "install")?;
    // A program of this host gives the last eight bits of its exit code.
    ensure!(
        outcome.code == Some(ERROR_INVALID_IMAGE_HASH & 0xff)
            && outcome.output.contains("does not accept test signatures"),
        "without test signing, {outcome}"
    );
    Ok(())
}

fn script(machine: &Machine<'_>, name: &str) -> Result<Outcome> {
    machine.run("cmd.exe", ["/c", &format!(r"C:\package\{name}.cmd")])
}

/// The stores that Windows looks for the signer's certificate in.
struct Stores {
    thumbprint: String,
}

impl Stores {
    fn of(package: &Path) -> Result<Self> {
        Ok(Self {
            thumbprint: package::thumbprint(&fs::read(package.join("procmon.cer"))?),
        })
    }

    fn hold(&self, machine: &Machine<'_>) -> Result<[bool; 2]> {
        let holds = |store| -> Result<bool> {
            let outcome = machine.run("certutil.exe", ["-store", store, &self.thumbprint])?;
            Ok(outcome.code == Some(0))
        };
        Ok([holds("Root")?, holds("TrustedPublisher")?])
    }
}
