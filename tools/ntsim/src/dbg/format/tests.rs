//! Every directive against what Windows prints, and the subset that C shares
//! against the C library of this machine.

use std::ffi::{CString, c_char, c_int};

use super::*;
use proptest::prelude::*;

/// Driver memory that ends with the page of its last byte, as at a guard page.
struct Memory {
    base: u64,
    bytes: Vec<u8>,
}

impl Memory {
    fn new() -> Self {
        Self {
            base: 0xffff_8000_0000_0ff0,
            bytes: Vec::new(),
        }
    }

    fn place(&mut self, bytes: &[u8]) -> u64 {
        let address = self.base + self.bytes.len() as u64;
        self.bytes.extend_from_slice(bytes);
        address
    }

    fn place_units(&mut self, units: &[u16]) -> u64 {
        let bytes: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        self.place(&bytes)
    }

    fn place_counted(&mut self, length: u16, buffer: u64) -> u64 {
        let mut header = [0; 16];
        header[..2].copy_from_slice(&length.to_le_bytes());
        header[2..4].copy_from_slice(&length.to_le_bytes());
        header[8..].copy_from_slice(&buffer.to_le_bytes());
        self.place(&header)
    }
}

impl GuestMemory for Memory {
    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<(), BadAddress> {
        let end = (self.base + self.bytes.len() as u64).next_multiple_of(PAGE);
        if address < self.base || address >= end {
            return Err(BadAddress(address));
        }
        if end - address < buffer.len() as u64 {
            return Err(BadAddress(end));
        }
        let offset = usize::try_from(address - self.base).unwrap();
        let rest = self.bytes.get(offset..).unwrap_or_default();
        let known = rest.len().min(buffer.len());
        buffer.fill(0xcc);
        buffer[..known].copy_from_slice(&rest[..known]);
        Ok(())
    }
}

struct Slots(std::vec::IntoIter<u64>);

impl Arguments for Slots {
    fn next(&mut self) -> Result<u64, BadAddress> {
        self.0.next().ok_or(BadAddress(0x57ac))
    }
}

/// One argument of a case, before it has an address.
#[derive(Clone, Debug)]
enum Arg {
    Slot(u64),
    Str(&'static [u8]),
    Wide(&'static str),
    Ansi(&'static [u8]),
    Unicode(&'static str),
    NullBuffer,
}
use Arg::{Ansi, NullBuffer, Slot, Str, Unicode, Wide};

fn print_at(
    irql: Irql,
    page: u16,
    format: &[u8],
    arguments: &[Arg],
) -> Result<(Vec<u8>, Printed), FormatError> {
    let mut memory = Memory::new();
    let format_address = memory.place(&[format, b"\0"].concat());
    let slots: Vec<u64> = arguments
        .iter()
        .map(|argument| match argument {
            Slot(value) => *value,
            Str(text) => memory.place(&[text, &b"\0"[..]].concat()),
            Wide(text) => {
                let units: Vec<u16> = text.encode_utf16().chain([0]).collect();
                memory.place_units(&units)
            }
            Ansi(text) => {
                let buffer = memory.place(text);
                memory.place_counted(u16::try_from(text.len()).unwrap(), buffer)
            }
            Unicode(text) => {
                let units: Vec<u16> = text.encode_utf16().collect();
                let buffer = memory.place_units(&units);
                memory.place_counted(u16::try_from(units.len() * 2).unwrap(), buffer)
            }
            NullBuffer => memory.place_counted(8, 0),
        })
        .collect();
    let context = Context {
        memory: &memory,
        code_page: CodePage::from_number(page).unwrap(),
        irql,
    };
    let mut output = Vec::new();
    let printed = super::format(
        &mut output,
        format_address,
        &mut Slots(slots.into_iter()),
        &context,
    )?;
    Ok((output, printed))
}

fn print(format: &str, arguments: &[Arg]) -> String {
    let (bytes, _) = print_at(Irql::PASSIVE, 65001, format.as_bytes(), arguments).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn integers() {
    let minus_one = u64::MAX;
    for (format, slot, expected) in [
        ("%d", 0, "0"),
        ("%d", 0xffff_ffff, "-1"),
        ("%i", 42, "42"),
        ("%u", minus_one, "4294967295"),
        ("%ld", minus_one, "-1"),
        ("%lu", minus_one, "4294967295"),
        ("%lx", 0x1_2345_6789, "23456789"),
        ("%x", 0xdead_beef_cafe, "beefcafe"),
        ("%X", 0xcafe, "CAFE"),
        ("%o", 8, "10"),
        ("%hd", 0xffff, "-1"),
        ("%hu", 0x1_2345, "9029"),
        ("%hx", 0x1_2345, "2345"),
        ("%hhx", 0x1_2345, "45"),
        ("%hhd", 0x80, "-128"),
        ("%I64x", 0x1234_5678_9abc_def0, "123456789abcdef0"),
        ("%I64d", minus_one, "-1"),
        ("%I64u", minus_one, "18446744073709551615"),
        ("%lld", 1 << 63, "-9223372036854775808"),
        ("%llx", minus_one, "ffffffffffffffff"),
        ("%Ix", minus_one, "ffffffffffffffff"),
        ("%Id", minus_one, "-1"),
        ("%I32x", minus_one, "ffffffff"),
        ("%zu", minus_one, "18446744073709551615"),
        ("%llo", minus_one, "1777777777777777777777"),
        ("%p", 0xffff_8000_dead_beef, "FFFF8000DEADBEEF"),
        ("%p", 0, "0000000000000000"),
        ("%20p", 1, "    0000000000000001"),
        ("%-20p|", 1, "0000000000000001    |"),
        ("%#p", 0x1f, "0X000000000000001F"),
        ("%08x", 0x1234, "00001234"),
        ("%8x", 0x1234, "    1234"),
        ("%-8x|", 0x1234, "1234    |"),
        ("%-08x|", 0x1234, "1234    |"),
        ("%.8x", 0x1234, "00001234"),
        ("%12.8x", 0x1234, "    00001234"),
        ("%012.8x", 0x1234, "    00001234"),
        ("%.0d", 0, ""),
        ("%.0d", 7, "7"),
        ("%5.0d|", 0, "     |"),
        ("%#x", 0x1234, "0x1234"),
        ("%#X", 0x1234, "0X1234"),
        ("%#010x", 0x1234, "0x00001234"),
        ("%#x", 0, "0"),
        ("%#o", 8, "010"),
        ("%#o", 0, "0"),
        ("%#.3o", 8, "010"),
        ("%#05o", 8, "00010"),
        ("%+d", 5, "+5"),
        ("% d", 5, " 5"),
        ("%+ d", 5, "+5"),
        ("%+d", 0xffff_fffb, "-5"),
        ("%+05d", 5, "+0005"),
        ("%+u", 5, "5"),
    ] {
        assert_eq!(print(format, &[Slot(slot)]), expected, "{format} {slot:#x}");
    }
}

#[test]
fn strings() {
    for (format, argument, expected) in [
        ("%s", Str(b"plain"), "plain"),
        ("%s", Slot(0), "(null)"),
        ("%.3s", Slot(0), "(nu"),
        ("%8s", Slot(0), "  (null)"),
        ("%hs", Str(b"narrow"), "narrow"),
        ("%hS", Str(b"narrow"), "narrow"),
        ("%.3s|", Str(b"abcdef"), "abc|"),
        ("%6.3s|", Str(b"abcdef"), "   abc|"),
        ("%-6.3s|", Str(b"abcdef"), "abc   |"),
        ("%06s", Str(b"abc"), "000abc"),
        ("%ws", Wide("宽ä"), "宽ä"),
        ("%ls", Wide("宽"), "宽"),
        ("%S", Wide("宽"), "宽"),
        ("%S", Slot(0), "(null)"),
        ("%.2ws|", Wide("中文字"), "中文|"),
        ("%4.2ws|", Wide("中文字"), "  中文|"),
        ("%Z", Ansi(b"counted"), "counted"),
        ("%Z", Ansi(b""), ""),
        ("%hZ", Ansi(b"counted"), "counted"),
        ("%10Z", Ansi(b"counted"), "   counted"),
        ("%wZ", Unicode("计数 \u{1f600}"), "计数 \u{1f600}"),
        ("%wZ", Unicode(""), ""),
        ("%wZ", Slot(0), "(null)"),
        ("%wZ", NullBuffer, "(null)"),
        ("%Z", NullBuffer, "(null)"),
        ("%6wZ|", Unicode("中文"), "    中文|"),
        ("%-6wZ|", Unicode("中文"), "中文    |"),
        ("%.1wZ", Unicode("whole"), "whole"),
        ("%wZ", Unicode("a\0b"), "a\0b"),
        ("%wZ", Unicode("100%s%n"), "100%s%n"),
        ("%c", Slot(b'A'.into()), "A"),
        ("%3c|", Slot(b'A'.into()), "  A|"),
        ("%-3c|", Slot(b'A'.into()), "A  |"),
        ("%C", Slot(0x4e2d), "中"),
        ("%wc", Slot(0x4e2d), "中"),
        ("%lc", Slot(0x4e2d), "中"),
        ("%hc", Slot(0x141), "A"),
        ("%hC", Slot(0x141), "A"),
    ] {
        let case = format!("{format} {argument:?}");
        assert_eq!(print(format, &[argument]), expected, "{case}");
    }
}

#[test]
fn the_format_itself() {
    assert_eq!(print("", &[]), "");
    assert_eq!(print("100%%\n", &[]), "100%\n");
    assert_eq!(print("50%", &[]), "50");
    assert_eq!(print("%-08", &[]), "");
    assert_eq!(print("%y%d", &[Slot(1)]), "y1");
    assert_eq!(print("%5%|", &[]), "%|");
    assert_eq!(print("%*d|", &[Slot(5), Slot(42)]), "   42|");
    assert_eq!(print("%*d|", &[Slot(u64::MAX - 4), Slot(42)]), "42   |");
    assert_eq!(print("%.*s|", &[Slot(2), Str(b"abc")]), "ab|");
    assert_eq!(print("%.*s|", &[Slot(u64::MAX), Str(b"abc")]), "abc|");
    assert_eq!(
        print(
            "%d %s %wZ %x",
            &[Slot(1), Str(b"two"), Unicode("drei"), Slot(4)]
        ),
        "1 two drei 4"
    );
}

#[test]
fn what_dbgprint_does_not_support_takes_its_argument_and_is_remembered() {
    for letter in "nefgaEFGA".chars() {
        let (text, printed) = print_at(
            Irql::PASSIVE,
            65001,
            format!("a%{letter}b%d").as_bytes(),
            &[Slot(0x1000), Slot(7)],
        )
        .unwrap();
        assert_eq!(text, b"ab7", "%{letter}");
        assert_eq!(printed.unsupported, Some(letter));
        assert!(!printed.is_cut);
    }
}

#[test]
fn a_code_page_is_the_systems() {
    let (text, _) = print_at(
        Irql::PASSIVE,
        936,
        b"%wZ %C",
        &[Unicode("中\u{1f600}a"), Slot(0x6587)],
    )
    .unwrap();
    assert_eq!(text, b"\xd6\xd0??a \xce\xc4");
}

#[test]
fn lone_surrogates_do_not_join_across_directives() {
    let (text, _) = print_at(Irql::PASSIVE, 65001, b"%C%C", &[Slot(0xd83d), Slot(0xde00)]).unwrap();
    assert_eq!(text, "\u{fffd}\u{fffd}".as_bytes());
}

#[test]
fn exactly_512_bytes_fit_and_one_more_cuts_the_end() {
    for (length, cut) in [(511, false), (512, false), (513, true), (5000, true)] {
        let format = "x".repeat(length);
        let (text, printed) = print_at(Irql::PASSIVE, 65001, format.as_bytes(), &[]).unwrap();
        assert_eq!(printed.is_cut, cut, "{length}");
        if cut {
            assert_eq!(text, ["x".repeat(510).as_bytes(), b"\n"].concat());
        } else {
            assert_eq!(text, format.as_bytes());
        }
    }
}

#[test]
fn every_kind_of_text_can_be_cut() {
    let long: &'static str = "中".repeat(32_767).leak();
    let narrow: &'static [u8] = "x".repeat(5000).leak().as_bytes();
    for (format, argument) in [
        ("%wZ", Unicode(long)),
        ("%ws", Wide(long)),
        ("%s", Str(narrow)),
        ("%Z", Ansi(narrow)),
        ("%2147483647d", Slot(1)),
        ("%.99999999999999999999d", Slot(1)),
        ("%-600s", Str(b"x")),
    ] {
        let (text, printed) =
            print_at(Irql::PASSIVE, 65001, format.as_bytes(), &[argument]).unwrap();
        assert!(printed.is_cut, "{format}");
        assert_eq!(text.len(), OUTPUT_LIMIT - 1, "{format}");
        assert!(text.ends_with(b"\n"), "{format}");
    }
}

#[test]
fn nothing_beyond_the_cut_is_read() {
    let format = format!("{}%s", "x".repeat(600));
    let (_, printed) = print_at(Irql::PASSIVE, 65001, format.as_bytes(), &[Slot(0xbad)]).unwrap();
    assert!(printed.is_cut);
}

#[test]
fn a_bad_address_is_a_fault_at_that_address() {
    for format in ["%s", "%ws", "%wZ", "%Z", "%S"] {
        assert_eq!(
            print_at(Irql::PASSIVE, 65001, format.as_bytes(), &[Slot(0xbad0)]),
            Err(FormatError::BadAddress(BadAddress(0xbad0))),
            "{format}"
        );
    }
    assert_eq!(
        print_at(Irql::PASSIVE, 65001, b"%d%d", &[Slot(1)]),
        Err(FormatError::BadAddress(BadAddress(0x57ac)))
    );
}

fn try_print(memory: &Memory, format: u64, slot: u64) -> Result<Vec<u8>, FormatError> {
    let mut output = Vec::new();
    let context = Context {
        memory,
        code_page: CodePage::UTF_8,
        irql: Irql::PASSIVE,
    };
    let mut slots = Slots(vec![slot].into_iter());
    super::format(&mut output, format, &mut slots, &context)?;
    Ok(output)
}

#[test]
fn a_counted_string_is_read_to_its_length_and_no_further() {
    let (mut memory, buffer) = at_page_end(b"a\0b\0c\0");
    memory.bytes[..4].copy_from_slice(b"%wZ\0");
    let string = memory.base + 16;
    memory.bytes[24..32].copy_from_slice(&buffer.to_le_bytes());
    memory.bytes[16..18].copy_from_slice(&[6, 0]);
    assert_eq!(try_print(&memory, memory.base, string).unwrap(), b"abc");
    memory.bytes[16..18].copy_from_slice(&[8, 0]);
    let end = memory.base + PAGE;
    assert_eq!(
        try_print(&memory, memory.base, string),
        Err(FormatError::BadAddress(BadAddress(end)))
    );
}

#[test]
fn an_odd_length_drops_the_half_unit() {
    let mut memory = Memory::new();
    let format = memory.place(b"%wZ\0");
    let buffer = memory.place_units(&[97, 98, 99]);
    let string = memory.place_counted(5, buffer);
    assert_eq!(try_print(&memory, format, string).unwrap(), b"ab");
}

/// Memory whose last mapped page ends with these bytes.
fn at_page_end(bytes: &[u8]) -> (Memory, u64) {
    let base = 0xffff_8000_0000_1000;
    let mut page = vec![0xcc; 0x1000 - bytes.len()];
    let address = base + page.len() as u64;
    page.extend_from_slice(bytes);
    (Memory { base, bytes: page }, address)
}

#[test]
fn a_terminated_string_may_end_with_its_page() {
    let (mut memory, address) = at_page_end(b"end\0");
    memory.bytes[..3].copy_from_slice(b"%s\0");
    assert_eq!(try_print(&memory, memory.base, address).unwrap(), b"end");

    let (mut memory, address) = at_page_end(b"e\0n\0d\0\0\0");
    memory.bytes[..4].copy_from_slice(b"%ws\0");
    assert_eq!(try_print(&memory, memory.base, address).unwrap(), b"end");
}

#[test]
fn an_unterminated_string_faults_even_where_its_text_would_have_been_cut() {
    let (mut memory, address) = at_page_end(&[b'x'; 2000]);
    memory.bytes[..3].copy_from_slice(b"%s\0");
    let end = memory.base + PAGE;
    assert_eq!(
        try_print(&memory, memory.base, address),
        Err(FormatError::BadAddress(BadAddress(end)))
    );
}

#[test]
fn a_precision_bounds_a_string_that_has_no_nul() {
    let (mut memory, address) = at_page_end(b"abc");
    memory.bytes[..5].copy_from_slice(b"%.3s\0");
    assert_eq!(try_print(&memory, memory.base, address).unwrap(), b"abc");
}

#[test]
fn a_pair_of_surrogates_is_kept_whole_wherever_it_lies() {
    for before in PIECE / 2 - 3..PIECE / 2 + 3 {
        let text: &'static str = format!("{}\u{1f600}.", "x".repeat(before)).leak();
        assert_eq!(print("%wZ", &[Unicode(text)]), text, "{before}");
        assert_eq!(print("%ws", &[Wide(text)]), text, "{before}");
    }
}

#[test]
fn unicode_is_refused_above_passive_level() {
    for (format, argument, conversion) in [
        ("%wZ", Unicode("x"), "wZ"),
        ("%ws", Wide("x"), "ws"),
        ("%ls", Wide("x"), "ws"),
        ("%S", Wide("x"), "S"),
        ("%C", Slot(65), "C"),
        ("%wc", Slot(65), "wc"),
    ] {
        for irql in [Irql::APC, Irql::DISPATCH] {
            assert_eq!(
                print_at(
                    irql,
                    65001,
                    format.as_bytes(),
                    std::slice::from_ref(&argument)
                ),
                Err(FormatError::UnicodeAbovePassive { conversion, irql })
            );
        }
    }
    let (text, _) = print_at(
        Irql::DISPATCH,
        65001,
        b"%d %s %Z",
        &[Slot(1), Str(b"s"), Ansi(b"z")],
    )
    .unwrap();
    assert_eq!(text, b"1 s z");
}

/// What the C library prints for one 64-bit or string argument.
fn c_print<A>(format: &str, argument: A) -> Vec<u8>
where
    A: CVariadic,
{
    let format = CString::new(format).unwrap();
    let mut buffer = vec![0u8; OUTPUT_LIMIT + 1];
    // SAFETY: the buffer has the length given, the format is NUL-terminated and
    // its only directive takes an argument of this type.
    let length = unsafe { argument.snprintf(buffer.as_mut_ptr().cast(), buffer.len(), &format) };
    buffer.truncate(usize::try_from(length).unwrap());
    buffer
}

trait CVariadic {
    /// # Safety
    /// As `snprintf`: `buffer` has `size` bytes, and the one directive of
    /// `format` takes `Self`.
    unsafe fn snprintf(self, buffer: *mut c_char, size: usize, format: &CString) -> c_int;
}

macro_rules! c_variadic {
    ($($type:ty),*) => {$(
        impl CVariadic for $type {
            unsafe fn snprintf(self, buffer: *mut c_char, size: usize, format: &CString) -> c_int {
                // SAFETY: the caller's.
                unsafe { libc::snprintf(buffer, size, format.as_ptr(), self) }
            }
        }
    )*};
}
c_variadic!(i64, c_int, *const c_char);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    #[expect(clippy::cast_possible_truncation, reason = "C takes the low half as an int")]
    fn integers_agree_with_the_c_library(
        flags in "[-+ #0]{0,3}",
        width in prop::option::of(0u32..40),
        precision in prop::option::of(0u32..40),
        size in prop::sample::select(vec!["", "h", "hh", "ll"]),
        letter in prop::sample::select(vec!['d', 'i', 'u', 'o', 'x', 'X']),
        value in prop_oneof![Just(0), any::<u64>(), 0u64..1000, any::<i32>().prop_map(|value| i64::from(value).cast_unsigned())],
    ) {
        let width = width.map_or(String::new(), |width| width.to_string());
        let precision = precision.map_or(String::new(), |precision| format!(".{precision}"));
        let directive = format!("<%{flags}{width}{precision}{size}{letter}>");
        let expected = if size == "ll" {
            c_print(&directive, value.cast_signed())
        } else {
            c_print(&directive, value as c_int)
        };
        let (text, _) =
            print_at(Irql::PASSIVE, 65001, directive.as_bytes(), &[Slot(value)]).unwrap();
        prop_assert_eq!(String::from_utf8(text), String::from_utf8(expected), "{}", directive);
    }

    #[test]
    fn strings_agree_with_the_c_library(
        left: bool,
        width in prop::option::of(0u32..40),
        precision in prop::option::of(0u32..40),
        value in "[ -~]{0,60}",
    ) {
        let flag = if left { "-" } else { "" };
        let width = width.map_or(String::new(), |width| width.to_string());
        let precision = precision.map_or(String::new(), |precision| format!(".{precision}"));
        let directive = format!("<%{flag}{width}{precision}s>");
        let value = CString::new(value).unwrap();
        let expected = c_print(&directive, value.as_ptr());

        let mut memory = Memory::new();
        let format = memory.place(CString::new(directive).unwrap().as_bytes_with_nul());
        let narrow = memory.place(value.as_bytes_with_nul());
        prop_assert_eq!(try_print(&memory, format, narrow).unwrap(), expected);
    }

    #[test]
    fn no_format_and_no_memory_make_it_panic(
        format: Vec<u8>,
        slots in prop::collection::vec(prop_oneof![any::<u64>(), 0xffff_8000_0000_0ff0u64..0xffff_8000_0000_1400], 0..8),
        page in prop::sample::select(vec![65001u16, 936, 1252, 874]),
        noise in prop::collection::vec(any::<u8>(), 0..1024),
    ) {
        let mut memory = Memory::new();
        memory.place(&noise);
        let format_address = memory.place(&[&format[..], b"\0"].concat());
        let context = Context {
            memory: &memory,
            code_page: CodePage::from_number(page).unwrap(),
            irql: Irql::PASSIVE,
        };
        let mut output = Vec::new();
        let _ = super::format(&mut output, format_address, &mut Slots(slots.into_iter()), &context);
        if let Ok(printed) = super::format(&mut output, format_address, &mut Slots(Vec::new().into_iter()), &context) {
            prop_assert!(output.len() <= OUTPUT_LIMIT);
            prop_assert!(!printed.is_cut || output.len() == OUTPUT_LIMIT - 1);
        }
    }
}
