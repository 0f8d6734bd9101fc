//! A driver's image and its symbols, opened.

use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context, Result};
use object::LittleEndian;
use object::pe::{ImageFileHeader, ImageOptionalHeader64};
use object::read::pe::PeFile64;
use pdb2::{FallibleIterator as _, PDB, SymbolData};

use crate::arch::Arch;

/// An image in the form in which the rules look at it.
#[derive(Clone)]
pub struct Image {
    /// The processor that it should be for.
    pub arch: Arch,
    /// The whole file.
    pub bytes: Vec<u8>,
    /// What the debugger would load for it.
    pub symbols: Symbols,
}

/// What a PDB file says of the image that it was made with.
#[derive(Clone)]
pub struct Symbols {
    /// Identifies the image, as its debug directory stores it.
    pub guid: [u8; 16],
    /// Counts how often the file was written for it.
    pub age: u32,
    /// Names that the linker knows, and where they are.
    pub public: Vec<(String, u32)>,
    /// The functions, by their names in the source, and where they are.
    pub functions: Vec<(String, u32)>,
}

impl Image {
    /// Reads an image for a processor, and the PDB file beside it.
    ///
    /// # Errors
    ///
    /// When one of them cannot be read, or is no such file.
    pub fn open(file: &Path, arch: Arch) -> Result<Self> {
        let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        let pdb = file.with_extension("pdb");
        let symbols = Symbols::open(&pdb)
            .with_context(|| format!("cannot read the symbols in {}", pdb.display()))?;
        let image = Self {
            arch,
            bytes,
            symbols,
        };
        image
            .pe()
            .with_context(|| format!("{} is no 64-bit image", file.display()))?;
        Ok(image)
    }

    /// The parsed headers.
    ///
    /// # Errors
    ///
    /// When the file is no 64-bit PE image.
    pub fn pe(&self) -> object::Result<PeFile64<'_>> {
        PeFile64::parse(self.bytes.as_slice())
    }

    /// The header that every object file has.
    pub fn file_header(&self) -> object::Result<ImageFileHeader> {
        Ok(self.pe()?.nt_headers().file_header)
    }

    /// The header that only images have.
    pub fn optional_header(&self) -> object::Result<ImageOptionalHeader64> {
        Ok(self.pe()?.nt_headers().optional_header)
    }

    /// The checksum that the image should have.
    pub fn computed_checksum(&self) -> object::Result<u32> {
        computed_checksum(&self.bytes)
    }
}

/// Where in the file the checksum of an image is.
///
/// # Errors
///
/// When the bytes are no 64-bit PE image.
pub fn checksum_offset(image: &[u8]) -> object::Result<usize> {
    // After the PE signature and the file header.
    const IN_NT_HEADERS: usize = 4 + 20 + 64;
    let nt_headers = PeFile64::parse(image)?.dos_header().e_lfanew;
    Ok(nt_headers.get(LittleEndian) as usize + IN_NT_HEADERS)
}

/// The checksum that an image should have: its 16-bit words added up with their
/// carries, without the checksum itself, plus the file's length.
///
/// # Errors
///
/// When the bytes are no 64-bit PE image.
pub fn computed_checksum(image: &[u8]) -> object::Result<u32> {
    let checksum = checksum_offset(image)?;
    let sum = image
        .chunks(2)
        .enumerate()
        .filter(|(index, _)| !(checksum..checksum + 4).contains(&(index * 2)))
        .fold(0u32, |sum, (_, word)| {
            let high = word.get(1).copied().unwrap_or(0);
            let sum = sum + u32::from(u16::from_le_bytes([word[0], high]));
            (sum & 0xffff) + (sum >> 16)
        });
    let length = u32::try_from(image.len()).unwrap_or(u32::MAX);
    Ok(sum.wrapping_add(length))
}

impl Symbols {
    fn open(file: &Path) -> Result<Self> {
        let mut pdb = PDB::open(File::open(file)?)?;
        let guid = pdb.pdb_information()?.guid.to_bytes_le();
        let debug_information = pdb.debug_information()?;
        let addresses = pdb.address_map()?;

        let mut public = Vec::new();
        let globals = pdb.global_symbols()?;
        let mut symbols = globals.iter();
        while let Some(symbol) = symbols.next()? {
            if let Ok(SymbolData::Public(symbol)) = symbol.parse()
                && let Some(address) = symbol.offset.to_rva(&addresses)
            {
                public.push((symbol.name.to_string().into_owned(), address.0));
            }
        }

        let mut functions = Vec::new();
        let mut modules = debug_information.modules()?;
        while let Some(module) = modules.next()? {
            let Some(information) = pdb.module_info(&module)? else {
                continue;
            };
            let mut symbols = information.symbols()?;
            while let Some(symbol) = symbols.next()? {
                if let Ok(SymbolData::Procedure(procedure)) = symbol.parse()
                    && let Some(address) = procedure.offset.to_rva(&addresses)
                {
                    functions.push((procedure.name.to_string().into_owned(), address.0));
                }
            }
        }

        Ok(Self {
            guid,
            age: debug_information.age().unwrap_or_default(),
            public,
            functions,
        })
    }
}
