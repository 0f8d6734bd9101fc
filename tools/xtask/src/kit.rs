//! `--wdk`: a real WDK, in place of mingw-w64's headers and of import libraries
//! made here.

use std::env;
use std::path::{Path, PathBuf, absolute};
use std::sync::OnceLock;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::exit::Usage;

/// Names the WDK for wdk-build, and is `--wdk`'s default.
pub const VARIABLE: &str = "WDKContentRoot";

static SELECTED: OnceLock<PathBuf> = OnceLock::new();

/// The option of the verbs that build the driver.
#[derive(Args)]
pub struct Kit {
    /// Build with the headers and libraries of the WDK in this folder, laid out
    /// as C:\Program Files (x86)\Windows Kits\10, by default the one that
    /// `WDKContentRoot` names, if any
    #[arg(long = "wdk", value_name = "DIR")]
    folder: Option<PathBuf>,
}

impl Kit {
    /// Has every build of this process use the WDK, if there is to be one.
    ///
    /// # Errors
    ///
    /// When the folder is not a WDK's.
    pub fn select(self) -> Result<()> {
        let named = || env::var_os(VARIABLE).filter(|name| !name.is_empty());
        let Some(folder) = self.folder.or_else(|| named().map(PathBuf::from)) else {
            return Ok(());
        };
        for part in ["Include", "Lib"] {
            if !folder.join(part).is_dir() {
                bail!(Usage(format!(
                    "--wdk: {} has no folder {part}; name (here, or by {VARIABLE}) a folder laid \
                     out as C:\\Program Files (x86)\\Windows Kits\\10",
                    folder.display()
                )));
            }
        }
        let folder = absolute(&folder)
            .with_context(|| format!("cannot find the full path of {}", folder.display()))?;
        SELECTED.set(folder).expect("a verb selects a WDK once");
        Ok(())
    }
}

/// The WDK that builds use, if it is not the stand-in's.
pub fn selected() -> Option<&'static Path> {
    SELECTED.get().map(PathBuf::as_path)
}

/// What keeps builds with a WDK apart from the others.
pub fn suffix() -> &'static str {
    if selected().is_some() { "-wdk" } else { "" }
}
