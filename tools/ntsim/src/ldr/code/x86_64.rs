//! x64. The kernel does not save x87, MMX and AVX registers for drivers, so
//! using them without asking (`KeSaveExtendedProcessorState`) damages the state
//! of the program that was interrupted. And a driver has no business with
//! privileged instructions, but for the moves from and to `cr8` by which
//! compilers read and set the IRQL in line.

use iced_x86::{
    CpuidFeature, Decoder, DecoderOptions, EncodingKind, FlowControl, Mnemonic, OpKind, Register,
};

use super::instruction::Instruction;

/// The instruction that `code` begins with, which runs at `address`; `None`
/// where there is none.
pub fn decode(code: &[u8], address: u64) -> Option<Instruction> {
    let instruction = Decoder::with_ip(64, code, address, DecoderOptions::NONE).decode();
    if instruction.is_invalid() {
        return None;
    }
    let mnemonic = || format!("{:?}", instruction.mnemonic()).to_lowercase();
    let flow = instruction.flow_control();
    let takes_address =
        instruction.mnemonic() == Mnemonic::Lea && instruction.is_ip_rel_memory_operand();
    Some(Instruction {
        length: u32::try_from(instruction.len()).ok()?,
        forbidden: forbidden_kind(&instruction).map(|kind| (kind, mnemonic())),
        target: match flow {
            FlowControl::Call
            | FlowControl::ConditionalBranch
            | FlowControl::UnconditionalBranch => Some(instruction.near_branch_target()),
            _ => takes_address.then(|| instruction.ip_rel_memory_address()),
        },
        goes_on: !matches!(
            flow,
            FlowControl::Return | FlowControl::UnconditionalBranch | FlowControl::IndirectBranch
        ),
    })
}

fn forbidden_kind(instruction: &iced_x86::Instruction) -> Option<&'static str> {
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
fn uses_vectors(instruction: &iced_x86::Instruction) -> bool {
    let on_registers = (0..instruction.op_count())
        .filter(|operand| instruction.op_kind(*operand) == OpKind::Register)
        .all(|operand| instruction.op_register(operand).is_gpr());
    !on_registers || instruction.op_count() == 0
}

fn moves_irql(instruction: &iced_x86::Instruction) -> bool {
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
