//! The `DRIVER_OBJECT` that a driver is given, and what hangs on it.

use std::io;

use bytemuck::{AnyBitPattern, NoUninit};

use crate::ldr::Module;
use crate::mm::guest::{self, CountedString};
use crate::mm::pages::Guarded;

const IO_TYPE_DRIVER: i16 = 4;
const MAJOR_FUNCTIONS: usize = 28;

/// `DRVO_LEGACY_DRIVER`.
const FLAG_LEGACY_DRIVER: u32 = 2;

const DRIVER_OBJECT_SIZE: i16 = 0x150;

/// `DRIVER_OBJECT` on 64-bit Windows.
#[derive(Clone, Copy, Debug, AnyBitPattern, NoUninit)]
#[repr(C)]
struct DriverObject {
    object_type: i16,
    size: i16,
    padding: u32,
    device_object: u64,
    flags: u32,
    padding_after_flags: u32,
    driver_start: u64,
    driver_size: u32,
    padding_after_size: u32,
    driver_section: u64,
    driver_extension: u64,
    driver_name: CountedString,
    hardware_database: u64,
    fast_io_dispatch: u64,
    driver_init: u64,
    driver_start_io: u64,
    driver_unload: u64,
    major_function: [u64; MAJOR_FUNCTIONS],
}

/// `DRIVER_EXTENSION`, the documented part.
#[derive(Clone, Copy, Debug, AnyBitPattern, NoUninit)]
#[repr(C)]
struct DriverExtension {
    driver_object: u64,
    add_device: u64,
    count: u32,
    padding: u32,
    service_key_name: CountedString,
}

/// `KLDR_DATA_TABLE_ENTRY`, to which `DriverSection` points.
#[derive(Clone, Copy, Debug, AnyBitPattern, NoUninit)]
#[repr(C)]
struct LoaderEntry {
    in_load_order_links: [u64; 2],
    exception_table: u64,
    exception_table_size: u32,
    padding: u32,
    gp_value: u64,
    non_paged_debug_info: u64,
    dll_base: u64,
    entry_point: u64,
    size_of_image: u32,
    padding_after_size: u32,
    full_dll_name: CountedString,
    base_dll_name: CountedString,
    flags: u32,
    load_count: u16,
    signature: u16,
}

/// `LDRP_IMAGE_INTEGRITY_FORCED`.
const IMAGE_INTEGRITY_FORCED: u32 = 0x20;

/// The memory of a driver object and of what it points to.
pub struct DriverObjectMemory {
    object: Guarded,
    loader_entry: Guarded,
    /// Held for as long as the driver may follow a pointer to it.
    _rest: Vec<Guarded>,
}

impl DriverObjectMemory {
    /// Makes the driver object of `module`, loaded as `service`. Every entry of
    /// `MajorFunction` is `invalid_request`.
    pub fn new(module: &Module, service: &str, invalid_request: u64) -> io::Result<Self> {
        let mut rest = Vec::new();
        let mut string = |text: &str| -> io::Result<CountedString> {
            let units: Vec<u16> = text.encode_utf16().collect();
            let memory = Guarded::holding(bytemuck::cast_slice(&units), 2)?.read_only()?;
            let length = u16::try_from(2 * units.len()).map_err(io::Error::other)?;
            let string = CountedString::new(memory.address(), length);
            rest.push(memory);
            Ok(string)
        };
        let range = module.range();
        let size = (range.end - range.start) as u32;
        let loader_entry = LoaderEntry {
            dll_base: range.start,
            entry_point: module.entry,
            size_of_image: size,
            full_dll_name: string(&format!(r"\SystemRoot\System32\drivers\{}", module.name))?,
            base_dll_name: string(&module.name)?,
            flags: if module.force_integrity {
                IMAGE_INTEGRITY_FORCED
            } else {
                0
            },
            load_count: 1,
            ..bytemuck::Zeroable::zeroed()
        };
        let driver_name = string(&format!(r"\Driver\{service}"))?;
        let service_key_name = string(service)?;
        let hardware_database = string(r"\REGISTRY\MACHINE\HARDWARE\DESCRIPTION\SYSTEM")?;
        let hardware_database =
            Guarded::holding(bytemuck::bytes_of(&hardware_database), 8)?.read_only()?;
        let loader_entry = Guarded::holding(bytemuck::bytes_of(&loader_entry), 8)?;
        let object = Guarded::new(size_of::<DriverObject>(), 16)?;
        let extension = DriverExtension {
            driver_object: object.address(),
            add_device: 0,
            count: 0,
            padding: 0,
            service_key_name,
        };
        let extension = Guarded::holding(bytemuck::bytes_of(&extension), 8)?;
        let contents = DriverObject {
            object_type: IO_TYPE_DRIVER,
            size: DRIVER_OBJECT_SIZE,
            flags: FLAG_LEGACY_DRIVER,
            driver_start: range.start,
            driver_size: size,
            driver_section: loader_entry.address(),
            driver_extension: extension.address(),
            driver_name,
            hardware_database: hardware_database.address(),
            driver_init: module.entry,
            major_function: [invalid_request; MAJOR_FUNCTIONS],
            ..bytemuck::Zeroable::zeroed()
        };
        object.write(0, bytemuck::bytes_of(&contents));
        rest.extend([hardware_database, extension]);
        Ok(Self {
            object,
            loader_entry,
            _rest: rest,
        })
    }

    /// The address of the `DRIVER_OBJECT`.
    pub const fn address(&self) -> u64 {
        self.object.address()
    }

    /// `DriverUnload`, if the driver has set it.
    pub fn unload_routine(&self) -> Option<u64> {
        let object: DriverObject = guest::read(self.address()).expect("own memory");
        (object.driver_unload != 0).then_some(object.driver_unload)
    }

    /// Whether its loader entry says that its integrity was checked.
    pub fn integrity_forced(&self) -> bool {
        let entry: LoaderEntry = guest::read(self.loader_entry.address()).expect("own memory");
        entry.flags & IMAGE_INTEGRITY_FORCED != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::offset_of;

    #[test]
    fn laid_out_as_in_wdm_h() {
        assert_eq!(size_of::<DriverObject>(), DRIVER_OBJECT_SIZE as usize);
        assert_eq!(offset_of!(DriverObject, flags), 0x10);
        assert_eq!(offset_of!(DriverObject, driver_start), 0x18);
        assert_eq!(offset_of!(DriverObject, driver_extension), 0x30);
        assert_eq!(offset_of!(DriverObject, driver_name), 0x38);
        assert_eq!(offset_of!(DriverObject, driver_unload), 0x68);
        assert_eq!(offset_of!(DriverObject, major_function), 0x70);
        assert_eq!(offset_of!(LoaderEntry, dll_base), 0x30);
        assert_eq!(offset_of!(LoaderEntry, base_dll_name), 0x58);
        assert_eq!(offset_of!(LoaderEntry, flags), 0x68);
    }
}
