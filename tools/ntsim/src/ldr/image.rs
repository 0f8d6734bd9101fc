//! A driver's image, once `check` has found it sound.

use crate::mm::pages::Protection;

/// Why an image is refused.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The file's structure is damaged.
    #[error("not a sound PE image: {0}")]
    Format(#[from] object::Error),
    /// The image is sound, but not one that runs here.
    #[error("{0}")]
    Unsuitable(String),
}

/// A section of an image.
#[derive(Debug)]
pub struct Section<'data> {
    /// Its name.
    pub name: String,
    /// Where it begins, from the image's base.
    pub address: u32,
    /// Bytes of address space, whole pages.
    pub size: u32,
    /// What the file holds of it; the rest is zero.
    pub data: &'data [u8],
    /// What its pages allow.
    pub protection: Protection,
    /// Whether it is thrown away once `DriverEntry` has returned.
    pub discardable: bool,
}

/// A routine that an image wants.
#[derive(Debug)]
pub struct ImportedName {
    /// The module that it is wanted from.
    pub module: String,
    /// The routine's name.
    pub name: String,
    /// Where its address goes, from the image's base.
    pub slot: u32,
}

/// An image that can be mapped.
#[derive(Debug)]
pub struct CheckedImage<'data> {
    /// Where it was linked to run.
    pub preferred_base: u64,
    /// Bytes of address space.
    pub size: u32,
    /// Its entry point, from its base.
    pub entry: u32,
    /// Its headers.
    pub headers: &'data [u8],
    /// Its sections, in order of address.
    pub sections: Vec<Section<'data>>,
    /// Where 64-bit addresses stand in it that depend on its base.
    pub relocations: Vec<u32>,
    /// What it imports.
    pub imports: Vec<ImportedName>,
    /// Whether it was linked /INTEGRITYCHECK.
    pub force_integrity: bool,
    /// Where its function table is, and how long.
    pub exceptions: Option<(u32, u32)>,
    /// Where its load configuration is.
    pub load_configuration: Option<u32>,
    /// The PDB that was written with it.
    pub pdb: Option<PdbReference>,
}

/// Names the PDB of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PdbReference {
    /// The path at link time.
    pub path: String,
    /// The identifier that the PDB repeats, as the image stores it.
    pub guid: [u8; 16],
}
