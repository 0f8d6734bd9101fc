//! What `BufferOverflowFastFailK.lib` brings into a driver that is compiled
//! with control-flow guard: the load configuration, and the functions that
//! guarded calls go through until the kernel puts its own in their place.
//!
//! Layout and names are those that Microsoft documents for
//! [`IMAGE_LOAD_CONFIG_DIRECTORY64`] and that linkers look for.
//!
//! [`IMAGE_LOAD_CONFIG_DIRECTORY64`]: https://learn.microsoft.com/windows/win32/api/winnt/ns-winnt-image_load_config_directory64

use object::write::{
    Object, Relocation, SectionId, StandardSegment, Symbol, SymbolId, SymbolSection,
};
use object::{
    Architecture, BinaryFormat, Endianness, RelocationFlags, SectionKind, SymbolFlags, SymbolKind,
    SymbolScope, pe,
};

use crate::CpuArchitecture;

/// Of the structure in Windows 10 2004 and later.
const SIZE: u32 = 320;

/// Where fields of the structure lie.
mod offset {
    pub const SECURITY_COOKIE: u64 = 88;
    pub const GUARD_CF_CHECK_FUNCTION_POINTER: u64 = 112;
    pub const GUARD_CF_DISPATCH_FUNCTION_POINTER: u64 = 120;
    pub const GUARD_CF_FUNCTION_TABLE: u64 = 128;
    pub const GUARD_CF_FUNCTION_COUNT: u64 = 136;
    pub const GUARD_FLAGS: u64 = 144;
    pub const GUARD_ADDRESS_TAKEN_IAT_ENTRY_TABLE: u64 = 160;
    pub const GUARD_ADDRESS_TAKEN_IAT_ENTRY_COUNT: u64 = 168;
    pub const GUARD_LONG_JUMP_TARGET_TABLE: u64 = 176;
    pub const GUARD_LONG_JUMP_TARGET_COUNT: u64 = 184;
}

/// The value by which the kernel knows a cookie that it has yet to choose.
const DEFAULT_SECURITY_COOKIE: u64 = 0x0000_2b99_2ddf_a232;

/// The object file, as a linker reads it.
pub fn object_file(architecture: CpuArchitecture) -> Vec<u8> {
    let mut unit = Unit::new(architecture);

    let check = unit.define(
        b".text",
        SectionKind::Text,
        "_guard_check_icall_nop",
        unit.returns(),
    );
    let dispatch = unit.define(
        b".text",
        SectionKind::Text,
        "_guard_dispatch_icall_nop",
        unit.jumps_to_target(),
    );
    let check_pointer = unit.pointer("__guard_check_icall_fptr", check);
    let dispatch_pointer = unit.pointer("__guard_dispatch_icall_fptr", dispatch);
    let cookie = unit.define(
        b".data",
        SectionKind::Data,
        "__security_cookie",
        &DEFAULT_SECURITY_COOKIE.to_le_bytes(),
    );

    let mut structure = [0; SIZE as usize];
    structure[..4].copy_from_slice(&SIZE.to_le_bytes());
    let load_config = unit.define(
        b".rdata",
        SectionKind::ReadOnlyData,
        "_load_config_used",
        &structure,
    );
    for (at, symbol) in [
        (offset::SECURITY_COOKIE, cookie),
        (offset::GUARD_CF_CHECK_FUNCTION_POINTER, check_pointer),
        (offset::GUARD_CF_DISPATCH_FUNCTION_POINTER, dispatch_pointer),
    ] {
        unit.relocate(load_config, at, symbol.symbol, unit.address64());
    }
    for (at, name) in [
        (offset::GUARD_CF_FUNCTION_TABLE, "__guard_fids_table"),
        (offset::GUARD_CF_FUNCTION_COUNT, "__guard_fids_count"),
        (
            offset::GUARD_ADDRESS_TAKEN_IAT_ENTRY_TABLE,
            "__guard_iat_table",
        ),
        (
            offset::GUARD_ADDRESS_TAKEN_IAT_ENTRY_COUNT,
            "__guard_iat_count",
        ),
        (
            offset::GUARD_LONG_JUMP_TARGET_TABLE,
            "__guard_longjmp_table",
        ),
        (
            offset::GUARD_LONG_JUMP_TARGET_COUNT,
            "__guard_longjmp_count",
        ),
    ] {
        let symbol = unit.made_by_the_linker(name);
        unit.relocate(load_config, at, symbol, unit.address64());
    }
    let flags = unit.made_by_the_linker("__guard_flags");
    unit.relocate(load_config, offset::GUARD_FLAGS, flags, unit.address32());

    unit.object
        .write()
        .expect("an object with these few symbols can be written")
}

/// Something defined in a section of the object.
#[derive(Clone, Copy)]
struct Placed {
    symbol: SymbolId,
    section: SectionId,
    offset: u64,
}

struct Unit {
    object: Object<'static>,
    architecture: CpuArchitecture,
}

impl Unit {
    fn new(architecture: CpuArchitecture) -> Self {
        let machine = match architecture {
            CpuArchitecture::Amd64 => Architecture::X86_64,
            CpuArchitecture::Arm64 => Architecture::Aarch64,
        };
        Self {
            object: Object::new(BinaryFormat::Coff, machine, Endianness::Little),
            architecture,
        }
    }

    /// A function that does nothing.
    const fn returns(&self) -> &'static [u8] {
        match self.architecture {
            CpuArchitecture::Amd64 => &[0xc3],                   // ret
            CpuArchitecture::Arm64 => &[0xc0, 0x03, 0x5f, 0xd6], // ret
        }
    }

    /// A function that goes on to the one that the caller wants.
    const fn jumps_to_target(&self) -> &'static [u8] {
        match self.architecture {
            CpuArchitecture::Amd64 => &[0xff, 0xe0], // jmp rax
            CpuArchitecture::Arm64 => &[0x20, 0x01, 0x1f, 0xd6], // br x9
        }
    }

    const fn address64(&self) -> u16 {
        match self.architecture {
            CpuArchitecture::Amd64 => pe::IMAGE_REL_AMD64_ADDR64,
            CpuArchitecture::Arm64 => pe::IMAGE_REL_ARM64_ADDR64,
        }
    }

    const fn address32(&self) -> u16 {
        match self.architecture {
            CpuArchitecture::Amd64 => pe::IMAGE_REL_AMD64_ADDR32,
            CpuArchitecture::Arm64 => pe::IMAGE_REL_ARM64_ADDR32,
        }
    }

    fn define(&mut self, section: &[u8], kind: SectionKind, name: &str, data: &[u8]) -> Placed {
        let segment = self.object.segment_name(StandardSegment::Data).to_vec();
        let section = self.object.add_section(segment, section.to_vec(), kind);
        let symbol = self.object.add_symbol(Symbol {
            name: name.as_bytes().to_vec(),
            value: 0,
            size: data.len() as u64,
            kind: match kind {
                SectionKind::Text => SymbolKind::Text,
                _ => SymbolKind::Data,
            },
            scope: SymbolScope::Linkage,
            weak: false,
            section: SymbolSection::Undefined,
            flags: SymbolFlags::None,
        });
        let offset = self.object.add_symbol_data(symbol, section, data, 16);
        Placed {
            symbol,
            section,
            offset,
        }
    }

    /// A pointer to a function, where the kernel looks for those that it may
    /// replace.
    fn pointer(&mut self, name: &str, function: Placed) -> Placed {
        let pointer = self.define(b".00cfg", SectionKind::ReadOnlyData, name, &[0; 8]);
        self.relocate(pointer, 0, function.symbol, self.address64());
        pointer
    }

    fn made_by_the_linker(&mut self, name: &str) -> SymbolId {
        self.object.add_symbol(Symbol {
            name: name.as_bytes().to_vec(),
            value: 0,
            size: 0,
            kind: SymbolKind::Data,
            scope: SymbolScope::Unknown,
            weak: false,
            section: SymbolSection::Undefined,
            flags: SymbolFlags::None,
        })
    }

    fn relocate(&mut self, within: Placed, at: u64, symbol: SymbolId, typ: u16) {
        let relocation = Relocation {
            offset: within.offset + at,
            symbol,
            addend: 0,
            flags: RelocationFlags::Coff { typ },
        };
        self.object
            .add_relocation(within.section, relocation)
            .expect("COFF has these relocations");
    }
}
