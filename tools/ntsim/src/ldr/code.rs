//! Looks through an image's code for instructions that kernel code must not
//! use.
//!
//! The kernel does not save x87, MMX and AVX registers for drivers, so using
//! them without asking (`KeSaveExtendedProcessorState`) damages the state of
//! the program that was interrupted; and a driver has no business with
//! privileged instructions, but for the moves from and to `cr8` by which x64
//! compilers read and set the IRQL in line.
//!
//! Data between functions is not taken for code: what is decoded are the
//! functions of the unwind data, and whatever else is reached from them, from
//! the entry point, or from an address that code or data holds.

use std::collections::{BTreeMap, HashSet};

use iced_x86::{CpuidFeature, Decoder, DecoderOptions, EncodingKind, FlowControl, Instruction};
use iced_x86::{Mnemonic, OpKind, Register};

use super::image::{CheckedImage, Section};
use super::unwind;
use crate::mm::pages::Protection;

/// An instruction that kernel code must not use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forbidden {
    /// Where it is, from the image's base.
    pub address: u32,
    /// What kind it is.
    pub kind: &'static str,
    /// Its name.
    pub mnemonic: String,
}

/// The forbidden instructions of `image`, in order of address.
pub fn forbidden(image: &CheckedImage<'_>) -> Vec<Forbidden> {
    let mut sweep = Sweep {
        image,
        seen: HashSet::new(),
        roots: Vec::new(),
        found: BTreeMap::new(),
    };
    for function in unwind::functions(image) {
        sweep.decode(function.start, Some(function.end));
    }
    sweep.roots.push(image.entry);
    sweep.roots.extend(pointers(image));
    while let Some(root) = sweep.roots.pop() {
        sweep.decode(root, None);
    }
    sweep.found.into_values().collect()
}

struct Sweep<'a, 'data> {
    image: &'a CheckedImage<'data>,
    /// Where instructions begin that have been looked at.
    seen: HashSet<u32>,
    /// Where others may begin.
    roots: Vec<u32>,
    found: BTreeMap<u32, Forbidden>,
}

impl Sweep<'_, '_> {
    /// Decodes from `start` to `end`, or to where the code does not go on.
    fn decode(&mut self, start: u32, end: Option<u32>) {
        let Some(section) = executable(self.image, start) else {
            return;
        };
        let offset = (start - section.address) as usize;
        let Some(code) = section.data.get(offset..) else {
            return;
        };
        let base = self.image.preferred_base;
        let address = base + u64::from(start);
        let mut decoder = Decoder::with_ip(64, code, address, DecoderOptions::NONE);
        while decoder.can_decode() {
            let instruction = decoder.decode();
            let here = (instruction.ip() - base) as u32;
            if end.is_some_and(|end| here >= end)
                || instruction.is_invalid()
                || !self.seen.insert(here)
            {
                return;
            }
            if let Some(kind) = forbidden_kind(&instruction) {
                let mnemonic = format!("{:?}", instruction.mnemonic()).to_lowercase();
                self.found.insert(
                    here,
                    Forbidden {
                        address: here,
                        kind,
                        mnemonic,
                    },
                );
            }
            self.follow(&instruction);
            let goes_on = !matches!(
                instruction.flow_control(),
                FlowControl::Return
                    | FlowControl::UnconditionalBranch
                    | FlowControl::IndirectBranch
            );
            if end.is_none() && !goes_on {
                return;
            }
        }
    }

    /// Notes where an instruction may go, or what code it takes the address of.
    fn follow(&mut self, instruction: &Instruction) {
        let target = match instruction.flow_control() {
            FlowControl::Call
            | FlowControl::ConditionalBranch
            | FlowControl::UnconditionalBranch => instruction.near_branch_target(),
            _ if instruction.mnemonic() == Mnemonic::Lea
                && instruction.is_ip_rel_memory_operand() =>
            {
                instruction.ip_rel_memory_address()
            }
            _ => return,
        };
        let offset = target.wrapping_sub(self.image.preferred_base);
        if let Ok(offset) = u32::try_from(offset)
            && !self.seen.contains(&offset)
        {
            self.roots.push(offset);
        }
    }
}

/// What an image's data holds of the addresses of its code.
fn pointers(image: &CheckedImage<'_>) -> Vec<u32> {
    image
        .relocations
        .iter()
        .filter_map(|place| {
            let section = section_at(image, *place)?;
            let offset = (place - section.address) as usize;
            let bytes = section.data.get(offset..offset + 8)?;
            let address = u64::from_le_bytes(bytes.try_into().ok()?);
            u32::try_from(address.wrapping_sub(image.preferred_base)).ok()
        })
        .collect()
}

fn section_at<'a, 'data>(
    image: &'a CheckedImage<'data>,
    address: u32,
) -> Option<&'a Section<'data>> {
    image
        .sections
        .iter()
        .find(|section| address.wrapping_sub(section.address) < section.size)
}

fn executable<'a, 'data>(
    image: &'a CheckedImage<'data>,
    address: u32,
) -> Option<&'a Section<'data>> {
    section_at(image, address).filter(|section| section.protection == Protection::ReadExecute)
}

fn forbidden_kind(instruction: &Instruction) -> Option<&'static str> {
    use CpuidFeature::{D3NOW, FPU, FPU287, FPU287XL_ONLY, FPU387, FPU387SL_ONLY, MMX};
    if instruction.encoding() != EncodingKind::Legacy
        && instruction.encoding() != EncodingKind::D3NOW
        && uses_vectors(instruction)
    {
        return Some("AVX");
    }
    let features = instruction.cpuid_features();
    let any = |kinds: &[CpuidFeature]| features.iter().any(|feature| kinds.contains(feature));
    if any(&[FPU, FPU287, FPU287XL_ONLY, FPU387, FPU387SL_ONLY]) {
        return Some("x87");
    }
    if any(&[MMX, D3NOW]) {
        return Some("MMX");
    }
    (instruction.is_privileged() && !moves_irql(instruction)).then_some("privileged")
}

/// VEX encodings have instructions on general registers too, such as `andn`.
fn uses_vectors(instruction: &Instruction) -> bool {
    let on_registers = (0..instruction.op_count())
        .filter(|operand| instruction.op_kind(*operand) == OpKind::Register)
        .all(|operand| instruction.op_register(operand).is_gpr());
    !on_registers || instruction.op_count() == 0
}

fn moves_irql(instruction: &Instruction) -> bool {
    instruction.mnemonic() == Mnemonic::Mov
        && (instruction.op0_register() == Register::CR8
            || instruction.op1_register() == Register::CR8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(code: &[u8]) -> Option<&'static str> {
        let instruction = Decoder::new(64, code, DecoderOptions::NONE).decode();
        assert!(!instruction.is_invalid() && instruction.len() == code.len());
        forbidden_kind(&instruction)
    }

    #[test]
    fn the_kinds_are_told_apart() {
        assert_eq!(kind(&[0xd9, 0xe8]), Some("x87"), "fld1");
        assert_eq!(kind(&[0x0f, 0x77]), Some("MMX"), "emms");
        assert_eq!(kind(&[0x0f, 0xef, 0xc0]), Some("MMX"), "pxor mm0, mm0");
        assert_eq!(kind(&[0xc5, 0xf8, 0x77]), Some("AVX"), "vzeroupper");
        assert_eq!(kind(&[0xc5, 0xfc, 0x57, 0xc0]), Some("AVX"), "vxorps ymm0");
        assert_eq!(kind(&[0xfa]), Some("privileged"), "cli");
        assert_eq!(kind(&[0x0f, 0x32]), Some("privileged"), "rdmsr");
        assert_eq!(
            kind(&[0x0f, 0x20, 0xc0]),
            Some("privileged"),
            "mov rax, cr0"
        );
    }

    #[test]
    fn what_kernel_code_may_use_is_let_be() {
        assert_eq!(kind(&[0x44, 0x0f, 0x20, 0xc0]), None, "mov rax, cr8");
        assert_eq!(kind(&[0x44, 0x0f, 0x22, 0xc1]), None, "mov cr8, rcx");
        assert_eq!(kind(&[0x0f, 0x57, 0xc0]), None, "xorps xmm0, xmm0");
        assert_eq!(kind(&[0x66, 0x0f, 0xef, 0xc0]), None, "pxor xmm0, xmm0");
        assert_eq!(kind(&[0xc4, 0xe2, 0x78, 0xf2, 0xc1]), None, "andn");
        assert_eq!(kind(&[0xcd, 0x29]), None, "int 29h");
        assert_eq!(kind(&[0x0f, 0x0b]), None, "ud2");
    }
}
