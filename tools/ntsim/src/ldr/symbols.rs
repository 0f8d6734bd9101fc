//! Names and lines for addresses in an image, from its PDB.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use pdb_addr2line::ContextPdbData;
use pdb_addr2line::pdb::PDB;

use super::image::PdbReference;

type Pdb = ContextPdbData<'static, 'static, Cursor<Vec<u8>>>;

/// The symbols of one image; read when first asked for.
pub struct Symbols {
    candidates: Vec<PathBuf>,
    guid: Option<[u8; 16]>,
    pdb: OnceLock<Option<Pdb>>,
}

/// A place in the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourcePlace {
    /// The function.
    pub function: Option<String>,
    /// `file:line`.
    pub line: Option<String>,
}

impl Symbols {
    /// Looks for the PDB beside `image`: under the image's own name, and under
    /// the name that it had at link time.
    #[must_use]
    pub fn beside(image: &Path, reference: Option<&PdbReference>) -> Self {
        let mut candidates = vec![image.with_extension("pdb")];
        if let Some(reference) = reference {
            let name = reference.path.rsplit(['/', '\\']).next();
            candidates.extend(name.map(|name| image.with_file_name(name)));
        }
        Self {
            candidates,
            guid: reference.map(|reference| reference.guid),
            pdb: OnceLock::new(),
        }
    }

    /// The functions at `address`, from the image's base: the innermost
    /// inlined one first. Empty where the PDB is missing or says nothing.
    #[must_use]
    pub fn find(&self, address: u32) -> Vec<SourcePlace> {
        self.try_find(address).unwrap_or_default()
    }

    fn try_find(&self, address: u32) -> Option<Vec<SourcePlace>> {
        let context = self.pdb()?.make_context().ok()?;
        let found = context.find_frames(address).ok()??;
        let places = found.frames.into_iter().map(|frame| SourcePlace {
            function: frame.function,
            line: frame.file.map(|file| match frame.line {
                Some(line) => format!("{file}:{line}"),
                None => file.into_owned(),
            }),
        });
        Some(places.collect())
    }

    fn pdb(&self) -> Option<&Pdb> {
        self.pdb
            .get_or_init(|| self.candidates.iter().find_map(|path| self.open(path)))
            .as_ref()
    }

    /// A PDB of another build would give wrong names: none are better.
    fn open(&self, path: &Path) -> Option<Pdb> {
        let mut pdb = PDB::open(Cursor::new(fs::read(path).ok()?)).ok()?;
        let guid = pdb.pdb_information().ok()?.guid;
        if self
            .guid
            .is_some_and(|expected| expected != guid.to_bytes_le())
        {
            return None;
        }
        ContextPdbData::try_from_pdb(pdb).ok()
    }
}
