//! Events that Microsoft's own encoder builds, decoded.

mod encoder;

use std::fmt::Write as _;

use etl::tracelogging::{self, DecodeError, Decoded, InType, OutType};
use tracelogging_dynamic as microsoft;
use tracelogging_dynamic::EventBuilder;

fn decode(builder: &EventBuilder) -> Decoded {
    let (schema, payload) = encoder::parts(builder);
    tracelogging::decode(&schema, &payload).unwrap()
}

fn event() -> EventBuilder {
    encoder::event("Event")
}

/// One line for each field.
fn lines(decoded: &Decoded) -> String {
    let mut lines = String::new();
    for field in &decoded.fields {
        writeln!(lines, "{} = {field}", field.name).unwrap();
    }
    lines
}

#[test]
fn all_types_are_decoded() {
    type Out = microsoft::OutType;
    let guid = microsoft::Guid::from_fields(1, 2, 3, [4, 5, 6, 7, 8, 9, 10, 11]);
    let sid = [1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0];
    let utf16 = [0x4e2d_u16, 0x6587, 0xd800];
    let mut event = event();
    event
        .add_cstr16("CStr16", [0x4e2d_u16, 0x6587], Out::Default, 0)
        .add_cstr8("CStr8", "caf\u{e9}", Out::Utf8, 0)
        .add_cstr8("Latin", [0x63_u8, 0xe9], Out::Default, 0)
        .add_i8("I8", -8, Out::Default, 0)
        .add_u8("U8", 200, Out::Default, 0)
        .add_u8("Char", b'c', Out::String, 0)
        .add_u8("Flag", 2, Out::Boolean, 0)
        .add_i16("I16", -16, Out::Default, 0)
        .add_u16("U16", 0xbeef, Out::Hex, 0)
        .add_u16("Port", 0x5000, Out::Port, 0)
        .add_i32("I32", -32, Out::Default, 0)
        .add_i32("HResult", -2_147_024_891, Out::HResult, 0)
        .add_u32("U32", 32, Out::Default, 0)
        .add_u32("Pid", 0x1a2c, Out::Pid, 0)
        .add_u32("Status", 0xc000_0022, Out::NtStatus, 0)
        .add_u32("IpV4", u32::from_le_bytes([192, 168, 0, 1]), Out::IPv4, 0)
        .add_i64("I64", -64, Out::Default, 0)
        .add_u64("U64", u64::MAX, Out::Default, 0)
        .add_f32("F32", 1.5, Out::Default, 0)
        .add_f64("F64", -0.25, Out::Default, 0)
        .add_bool32("Bool", 1, Out::Default, 0)
        .add_binary("Binary", [1_u8, 2, 0xff], Out::Default, 0)
        .add_binary("IpV6", [0_u8; 16], Out::IPv6, 0)
        .add_binary(
            "Socket",
            [2, 0, 0, 80, 127, 0, 0, 1_u8],
            Out::SocketAddress,
            0,
        )
        .add_guid("Guid", &guid, Out::Default, 0)
        .add_filetime("FileTime", 116_444_736_000_000_000, Out::DateTimeUtc, 0)
        .add_systemtime(
            "SystemTime",
            &[2026, 11, 2, 24, 12, 0, 1, 2],
            Out::Default,
            0,
        )
        .add_sid("Sid", sid, Out::Default, 0)
        .add_hex32("Hex32", 0x1234, Out::Default, 0)
        .add_hex64("Hex64", 0x2_0000_0000_0a41, Out::Default, 0)
        .add_str16("Str16", utf16, Out::Default, 0)
        .add_str8("Str8", "[1]", Out::Json, 0)
        .add_binaryc("BinaryC", [9_u8], Out::Default, 0);
    let decoded = decode(&event);
    assert_eq!((decoded.name.as_str(), decoded.trailing), ("Event", 0));
    assert_eq!(
        lines(&decoded),
        "\
CStr16 = 中文
CStr8 = café
Latin = cé
I8 = -8
U8 = 200
Char = c
Flag = true
I16 = -16
U16 = 0xbeef
Port = 80
I32 = -32
HResult = 0x80070005
U32 = 32
Pid = 6700
Status = 0xc0000022
IpV4 = 192.168.0.1
I64 = -64
U64 = 18446744073709551615
F32 = 1.5
F64 = -0.25
Bool = true
Binary = 0x0102ff
IpV6 = ::
Socket = 127.0.0.1:80
Guid = {00000001-0002-0003-0405-060708090a0b}
FileTime = 1970-01-01T00:00:00.0000000Z
SystemTime = 2026-11-24T12:00:01.002
Sid = S-1-5-32-544
Hex32 = 0x1234
Hex64 = 0x2000000000a41
Str16 = 中文\u{fffd}
Str8 = [1]
BinaryC = 0x09
"
    );
    // Text is kept as it was written.
    let text = &decoded.field("Str16").unwrap().value;
    assert_eq!(*text, tracelogging::Value::Utf16(utf16.into()));
    let in_types: Vec<InType> = decoded.fields.iter().map(|field| field.in_type).collect();
    let missed = InType::ALL.iter().filter(|known| !in_types.contains(known));
    assert_eq!(missed.collect::<Vec<_>>(), [&InType::Null, &InType::Struct]);
}

#[test]
fn arrays_structures_and_tags_are_decoded() {
    type Out = microsoft::OutType;
    let mut event = EventBuilder::new();
    event
        .reset("Tagged", microsoft::Level::Verbose, 1, 0x0123_4567)
        .add_u16_sequence("Numbers", &[1, 2, 0xffff], Out::Default, 0x7f)
        .add_struct("Outer", 2, 0)
        .add_u8("A", 1, Out::Default, 0)
        .add_struct("Inner", 1, 5)
        .add_str16("B", [0x62_u16], Out::Default, 0x0fff_ffff)
        .add_str8_sequence("Texts", ["one", ""], Out::Default, 0)
        .raw_add_meta_vcount("Points", microsoft::InType::Struct, Out::from_int(2), 0)
        .raw_add_meta_scalar("X", microsoft::InType::U8, Out::Default, 0)
        .raw_add_meta_scalar("Y", microsoft::InType::U8, Out::Default, 0)
        .raw_add_data_slice(&[2_u8, 0, 1, 2, 3, 4]);
    let decoded = decode(&event);
    assert_eq!(decoded.tag, 0x0123_4567);
    assert_eq!(decoded.field("Numbers").unwrap().tag, 0x7f);
    assert_eq!(
        lines(&decoded),
        "\
Numbers = [1, 2, 65535]
Outer = {A: 1, Inner: {B: b}}
Texts = [one, ]
Points = [{X: 1, Y: 2}, {X: 3, Y: 4}]
"
    );
}

/// The numbers of the types are those of Microsoft's crate.
#[test]
fn the_types_have_microsofts_numbers() {
    type In = microsoft::InType;
    type Out = microsoft::OutType;
    let in_types = [
        In::Invalid,
        In::CStr16,
        In::CStr8,
        In::I8,
        In::U8,
        In::I16,
        In::U16,
        In::I32,
        In::U32,
        In::I64,
        In::U64,
        In::F32,
        In::F64,
        In::Bool32,
        In::Binary,
        In::Guid,
        In::FileTime,
        In::SystemTime,
        In::Sid,
        In::Hex32,
        In::Hex64,
        In::Str16,
        In::Str8,
        In::Struct,
        In::BinaryC,
    ];
    let own = InType::ALL.iter().map(|own| *own as u8);
    assert!(own.eq(in_types.iter().map(|theirs| theirs.as_int())));
    let out_types = [
        Out::Default,
        Out::NoPrint,
        Out::String,
        Out::Boolean,
        Out::Hex,
        Out::Pid,
        Out::Tid,
        Out::Port,
        Out::IPv4,
        Out::IPv6,
        Out::SocketAddress,
        Out::Xml,
        Out::Json,
        Out::Win32Error,
        Out::NtStatus,
        Out::HResult,
        Out::DateTime,
        Out::Signed,
        Out::Unsigned,
        Out::DateTimeCultureInsensitive,
        Out::Utf8,
        Out::Pkcs7WithTypeInfo,
        Out::CodePointer,
        Out::DateTimeUtc,
    ];
    let own = OutType::ALL.iter().map(|own| *own as u8);
    assert!(own.eq(out_types.iter().map(|theirs| theirs.as_int())));
}

#[test]
fn what_is_cut_is_not_decoded() {
    let mut event = event();
    event
        .add_struct("Both", 2, 0)
        .add_str16("Text", [0x61_u16, 0x62], microsoft::OutType::Default, 0)
        .add_u32("Number", 7, microsoft::OutType::Pid, 0x4000);
    let (schema, payload) = encoder::parts(&event);
    tracelogging::decode(&schema, &payload).unwrap();
    for length in 0..payload.len() {
        tracelogging::decode(&schema, &payload[..length]).unwrap_err();
    }
    for length in 0..schema.len() {
        let mut cut = schema[..length].to_vec();
        if length >= 2 {
            cut[0] = u8::try_from(length).unwrap();
        }
        // A schema that ends between two fields is whole.
        if let Ok(decoded) = tracelogging::decode(&cut, &payload) {
            assert!(decoded.fields.is_empty());
        }
        tracelogging::decode(&schema[..length], &payload).unwrap_err();
    }
    let longer = [&payload[..], &[0; 3]].concat();
    assert_eq!(tracelogging::decode(&schema, &longer).unwrap().trailing, 3);
}

/// Arrays of arrays of structures of nothing take no payload.
#[test]
fn a_schema_cannot_ask_for_endless_work() {
    let mut schema = vec![0, 0, 0, b'E', 0];
    for _ in 0..8 {
        // A structure of one field, 65,535 times.
        schema.extend([b'S', 0, 0x80 | 0x20 | 0x18, 1, 0xff, 0xff]);
    }
    schema.extend([b'N', 0, 0]);
    schema[0] = u8::try_from(schema.len()).unwrap();
    assert_eq!(
        tracelogging::decode(&schema, &[]),
        Err(DecodeError::TooMany)
    );
}

#[test]
fn damage_is_refused() {
    let decode = |schema: &[u8]| tracelogging::decode(schema, &[0; 64]).unwrap_err();
    assert_eq!(
        decode(b"\x07\0\0E\0"),
        DecodeError::Size {
            stated: 7,
            actual: 5
        }
    );
    assert_eq!(decode(b"\x08\0\0E\0\xff\0\x08"), DecodeError::Name);
    assert_eq!(decode(b"\x08\0\0E\0F\0\x10"), DecodeError::Type(16));
    assert_eq!(decode(b"\x09\0\0E\0F\0\x98\x01"), DecodeError::Structure);
}
