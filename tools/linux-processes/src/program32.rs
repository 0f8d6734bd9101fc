//! A 32-bit program of 93 bytes that exits at once, so that a 32-bit process
//! can be shown without a 32-bit toolchain.

const BASE: u32 = 0x0804_8000;
const HEADERS: u32 = 52 + 32;
const EM_386: u16 = 3;

/// `exit(0)` for i386: `mov eax, 1; xor ebx, ebx; int 0x80`.
const CODE: [u8; 9] = [0xb8, 1, 0, 0, 0, 0x31, 0xdb, 0xcd, 0x80];

/// The ELF file; `None` where this machine's processor is of another kind.
pub fn image() -> Option<Vec<u8>> {
    if !cfg!(any(target_arch = "x86_64", target_arch = "x86")) {
        return None;
    }
    let size = HEADERS + u32::try_from(CODE.len()).ok()?;
    let mut image = Vec::new();
    // Elf32_Ehdr
    image.extend(b"\x7fELF\x01\x01\x01");
    image.extend([0; 9]);
    extend16(&mut image, [2, EM_386]);
    extend32(&mut image, [1, BASE + HEADERS, 52, 0, 0]);
    extend16(&mut image, [52, 32, 1, 0, 0, 0]);
    // Elf32_Phdr: one segment to read and execute, the whole file.
    extend32(&mut image, [1, 0, BASE, BASE, size, size, 5, 0x1000]);
    image.extend(CODE);
    Some(image)
}

fn extend16<const N: usize>(image: &mut Vec<u8>, values: [u16; N]) {
    image.extend(values.into_iter().flat_map(u16::to_le_bytes));
}

fn extend32<const N: usize>(image: &mut Vec<u8>, values: [u32; N]) {
    image.extend(values.into_iter().flat_map(u32::to_le_bytes));
}
