//! ARM64. The kernel saves the vector registers of NEON for drivers, but not
//! what SVE and SME add to them. And a driver has no business with system
//! registers and instructions that programs may not use, nor with calls of a
//! hypervisor or of the firmware.

use super::instruction::Instruction;

/// Bytes of every instruction.
const LENGTH: u32 = 4;

/// The instruction that `code` begins with, which runs at `address`; `None`
/// where there is none.
pub fn decode(code: &[u8], address: u64) -> Option<Instruction> {
    let word = word(code, 0)?;
    // Permanently undefined: what lies between functions.
    if word >> 16 == 0 {
        return None;
    }
    let forbidden = forbidden(word);
    let target = branch(word)
        .map(|distance| address.wrapping_add_signed(distance))
        .or_else(|| address_taken(word, code, address));
    Some(Instruction {
        length: LENGTH,
        forbidden: forbidden.map(|(kind, name)| (kind, name.to_owned())),
        target,
        goes_on: !ends(word),
    })
}

fn word(code: &[u8], index: usize) -> Option<u32> {
    let bytes = code.get(4 * index..4 * index + 4)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

/// The `width` bits of `word` from `low` on, as a number with a sign.
const fn signed(word: u32, low: u32, width: u32) -> i64 {
    ((word << (32 - low - width)).cast_signed() >> (32 - width)) as i64
}

/// How far a branch or call leads, if this is one to a fixed place.
const fn branch(word: u32) -> Option<i64> {
    if word & 0x7c00_0000 == 0x1400_0000 {
        Some(4 * signed(word, 0, 26)) // b, bl
    } else if word & 0xff00_0000 == 0x5400_0000 || word & 0x7e00_0000 == 0x3400_0000 {
        Some(4 * signed(word, 5, 19)) // b.cond, cbz, cbnz
    } else if word & 0x7e00_0000 == 0x3600_0000 {
        Some(4 * signed(word, 5, 14)) // tbz, tbnz
    } else {
        None
    }
}

/// The address that `adr` makes, or `adrp` with the `add` behind it.
fn address_taken(first: u32, code: &[u8], address: u64) -> Option<u64> {
    let distance = signed(first, 5, 19) << 2 | i64::from(first >> 29 & 3);
    match first & 0x9f00_0000 {
        0x1000_0000 => Some(address.wrapping_add_signed(distance)),
        0x9000_0000 => {
            let page = (address & !0xfff).wrapping_add_signed(distance << 12);
            let second = word(code, 1)?;
            let adds = second & 0xffc0_0000 == 0x9100_0000 && second >> 5 & 31 == first & 31;
            adds.then(|| page + u64::from(second >> 10 & 0xfff))
        }
        _ => None,
    }
}

/// Whether what lies behind is reached in another way, if at all.
const fn ends(word: u32) -> bool {
    let is_jump = word & 0xfc00_0000 == 0x1400_0000;
    // The same group calls (`blr`), which returns, by one bit.
    let to_register = word & 0xfe00_0000 == 0xd600_0000 && word & 0x00e0_0000 != 0x0020_0000;
    let breakpoint = word & 0xffe0_001f == 0xd420_0000;
    is_jump || to_register || breakpoint
}

/// Kind and name of an instruction that kernel code must not use.
const fn forbidden(word: u32) -> Option<(&'static str, &'static str)> {
    match word >> 25 & 0xf {
        0b0010 => return Some(("SVE", "of the scalable vectors")),
        0b0000 if word >> 31 != 0 => return Some(("SME", "of the scalable matrices")),
        _ => {}
    }
    let name = match word {
        0xd69f_03e0 => "eret",
        _ if word & 0xffe0_001f == 0xd400_0002 => "hvc",
        _ if word & 0xffe0_001f == 0xd400_0003 => "smc",
        _ if is_privileged(word) => match (word >> 19 & 3, word >> 21 & 1) {
            (1, _) => "sys",
            (0, _) | (_, 0) => "msr",
            _ => "mrs",
        },
        _ => return None,
    };
    Some(("privileged", name))
}

/// Whether this reads, writes or commands the system as programs may not.
pub const fn is_privileged(word: u32) -> bool {
    // Whom the register or command is for: 3 means programs too.
    const PROGRAMS: u32 = 3;
    if word & 0xffc0_0000 != 0xd500_0000 {
        return false;
    }
    let (level, field) = (word >> 16 & 7, word >> 5 & 7);
    if word >> 19 & 3 != 0 {
        return level != PROGRAMS;
    }
    // Hints, barriers, and moves to single bits of the processor's state: among
    // those, SPSel, PAN and UAO, and the masks of interrupts.
    let to_state = word >> 12 & 15 == 4;
    to_state && matches!((level, field), (0, 3..=5) | (PROGRAMS, 6..=7))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kinds_are_told_apart() {
        for (word, expected) in [
            (0xd538_1000, Some(("privileged", "mrs"))), // mrs x0, sctlr_el1
            (0xd518_1000, Some(("privileged", "msr"))), // msr sctlr_el1, x0
            (0xd503_42df, Some(("privileged", "msr"))), // msr daifset, #2
            (0xd508_871f, Some(("privileged", "sys"))), // tlbi vmalle1
            (0xd400_0002, Some(("privileged", "hvc"))),
            (0xd400_0003, Some(("privileged", "smc"))),
            (0xd69f_03e0, Some(("privileged", "eret"))),
            (0x04e0_e3e0, Some(("SVE", "of the scalable vectors"))), // cntd x0
        ] {
            assert_eq!(forbidden(word), expected, "{word:#x}");
        }
    }

    #[test]
    fn what_kernel_code_may_use_is_let_be() {
        for (word, name) in [
            (0xd53b_e040, "mrs x0, cntvct_el0"),
            (0xd503_201f, "nop"),
            (0xd503_3bbf, "dmb ish"),
            (0xd50b_7520, "ic ivau, x0"),
            (0x4e20_1c00, "and v0.16b, v0.16b, v0.16b"),
            (0xd43e_0060, "brk #0xf003"),
            (0xc85f_7c01, "ldxr x1, [x0]"),
        ] {
            assert_eq!(forbidden(word), None, "{name}");
        }
    }

    fn target(words: &[u32]) -> Option<u64> {
        let code: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        decode(&code, 0x1_2344).unwrap().target
    }

    #[test]
    fn code_is_followed() {
        assert_eq!(target(&[0x1400_0002]), Some(0x1_234c), "b");
        assert_eq!(target(&[0x97ff_ffff]), Some(0x1_2340), "bl");
        assert_eq!(target(&[0x5400_0040]), Some(0x1_234c), "b.eq");
        assert_eq!(target(&[0xb5ff_ffe0]), Some(0x1_2340), "cbnz");
        assert_eq!(target(&[0x3600_0040]), Some(0x1_234c), "tbz");
        assert_eq!(target(&[0x1000_0040]), Some(0x1_234c), "adr");
        assert_eq!(target(&[0xb000_0000, 0x9100_4000]), Some(0x1_3010), "adrp");
        assert_eq!(target(&[0xb000_0000, 0x9100_4020]), None, "another's add");
        assert_eq!(target(&[0xd65f_03c0]), None, "ret");
    }

    #[test]
    fn its_end_is_seen() {
        for (word, expected) in [
            (0x1400_0002, true),  // b
            (0xd65f_03c0, true),  // ret
            (0xd61f_0220, true),  // br x17
            (0xd43e_0060, true),  // brk
            (0xd63f_0100, false), // blr x8
            (0x9400_0002, false), // bl
            (0x5400_0040, false), // b.eq
        ] {
            assert_eq!(ends(word), expected, "{word:#x}");
        }
        assert!(decode(&[0; 4], 0).is_none());
        assert!(decode(&[0; 3], 0).is_none());
    }
}
