//! The zip file of a package: the same bytes for the same files and date.

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use der::DateTime;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Packs the files of `folder` into `zip`.
pub fn pack(folder: &Path, zip: &Path, date: DateTime) -> Result<()> {
    let modified = zip::DateTime::from_date_and_time(
        date.year(),
        date.month(),
        date.day(),
        date.hour(),
        date.minutes(),
        date.seconds(),
    )
    .context("a zip file cannot hold a date before 1980")?;
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(modified)
        .unix_permissions(0o644);
    let out = File::create(zip).with_context(|| format!("cannot create {}", zip.display()))?;
    let mut writer = ZipWriter::new(BufWriter::new(out));
    for file in files(folder)? {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        writer.start_file(name, options)?;
        io::copy(&mut File::open(&file)?, &mut writer)?;
    }
    writer.finish()?;
    Ok(())
}

/// The files of a folder, sorted by name.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect())
        .with_context(|| format!("cannot list {}", folder.display()))?;
    files.sort();
    Ok(files)
}
