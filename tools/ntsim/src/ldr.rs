//! The loader: from a file to code that can be called, and back from an
//! address to a name.

pub mod backtrace;
mod check;
pub mod code;
pub mod image;
pub mod map;
pub mod symbols;
mod unwind;

use std::collections::VecDeque;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use crate::report::Frame;
use backtrace::{Backtrace, CodeAddress};
use code::Forbidden;
use image::{CheckedImage, ImageError};
use map::{MappedImage, Resolve};
use symbols::Symbols;
use unwind::Unwinder;

/// How many unloaded images stay known, so that a call into one is named.
const UNLOADED_LIMIT: usize = 50;

/// An image that is or was loaded.
pub struct Module {
    /// Its file name.
    pub name: String,
    /// Its entry point.
    pub entry: u64,
    /// Whether it was linked /INTEGRITYCHECK.
    pub force_integrity: bool,
    /// Its instructions that kernel code must not use.
    pub forbidden: Vec<Forbidden>,
    /// Its pages.
    pub mapped: MappedImage,
    symbols: Symbols,
}

impl Module {
    /// Its addresses.
    pub fn range(&self) -> Range<u64> {
        self.mapped.base()..self.mapped.base() + self.mapped.size() as u64
    }
}

/// All images that are or were loaded.
#[derive(Default)]
pub struct Modules {
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    loaded: Vec<Arc<Module>>,
    unloaded: VecDeque<Arc<Module>>,
    unwinder: Unwinder,
}

impl Modules {
    /// Maps the image `data`, which was read from `path`.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn load(
        &self,
        path: &Path,
        data: &[u8],
        resolve: Resolve<'_>,
    ) -> Result<Arc<Module>, ImageError> {
        let image = CheckedImage::parse(data)?;
        let mapped = MappedImage::new(&image, resolve)?;
        let name = path.file_name().map_or_else(
            || path.display().to_string(),
            |name| name.to_string_lossy().into_owned(),
        );
        let module = Arc::new(Module {
            entry: mapped.base() + u64::from(image.entry),
            force_integrity: image.force_integrity,
            forbidden: code::forbidden(&image),
            symbols: Symbols::beside(path, image.pdb.as_ref()),
            name: name.clone(),
            mapped,
        });
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.unwinder.add(name, module.range(), &image);
        state.loaded.push(Arc::clone(&module));
        Ok(module)
    }

    /// Takes `module`'s code away. Its addresses stay known for a while.
    pub fn unload(&self, module: &Arc<Module>) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.unwinder.remove(module.range().start);
        state.loaded.retain(|loaded| !Arc::ptr_eq(loaded, module));
        if module.mapped.unload().is_ok() {
            if state.unloaded.len() == UNLOADED_LIMIT {
                state.unloaded.pop_front();
            }
            state.unloaded.push_back(Arc::clone(module));
        }
    }

    /// The loaded image that holds `address`.
    pub fn find(&self, address: u64) -> Option<Arc<Module>> {
        find(&self.state().loaded, address)
    }

    /// The image that held `address` until it was unloaded.
    pub fn find_unloaded(&self, address: u64) -> Option<Arc<Module>> {
        find(&self.state().unloaded, address)
    }

    /// Names the addresses of `backtrace`.
    pub fn symbolize(&self, backtrace: &Backtrace) -> Vec<Frame> {
        backtrace
            .0
            .iter()
            .flat_map(|code| self.symbolize_address(*code))
            .collect()
    }

    fn symbolize_address(&self, code: CodeAddress) -> Vec<Frame> {
        let frame = |location| Frame {
            address: code.address,
            location,
            function: None,
            line: None,
        };
        let Some(module) = self.find(code.lookup()) else {
            let location = match self.find_unloaded(code.lookup()) {
                Some(module) => {
                    let offset = code.address - module.range().start;
                    format!("{}+{offset:#x} (unloaded)", module.name)
                }
                None => format!("{:#x}", code.address),
            };
            return vec![frame(location)];
        };
        let offset = code.address - module.range().start;
        let location = format!("{}+{offset:#x}", module.name);
        let lookup = u32::try_from(code.lookup() - module.range().start);
        let places = lookup.map_or_else(|_| Vec::new(), |lookup| module.symbols.find(lookup));
        if places.is_empty() {
            return vec![frame(location)];
        }
        places
            .into_iter()
            .map(|place| Frame {
                function: place.function,
                line: place.line,
                ..frame(location.clone())
            })
            .collect()
    }

    /// Access to the unwind data while no image comes or goes.
    pub fn unwinder(&self) -> UnwinderGuard<'_> {
        UnwinderGuard(self.state())
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }
}

fn find<'a>(
    modules: impl IntoIterator<Item = &'a Arc<Module>>,
    address: u64,
) -> Option<Arc<Module>> {
    modules
        .into_iter()
        .find(|module| module.range().contains(&address))
        .cloned()
}

/// Access to the unwinder while no image comes or goes.
pub struct UnwinderGuard<'a>(RwLockReadGuard<'a, State>);

impl UnwinderGuard<'_> {
    /// What walks the stacks of the loaded images.
    pub fn unwinder(&self) -> &Unwinder {
        &self.0.unwinder
    }

    /// Whether `address` is in a function that the unwinder can begin at.
    pub fn has_frame(&self, address: u64) -> bool {
        self.is_code(address) && self.0.unwinder.has_frame(address)
    }

    /// Whether a loaded image holds `address`.
    pub fn is_code(&self, address: u64) -> bool {
        find(&self.0.loaded, address).is_some()
    }
}

#[cfg(test)]
mod tests;
