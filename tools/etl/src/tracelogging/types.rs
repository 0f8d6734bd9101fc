//! The types of fields: how they are encoded, and how they are shown.

macro_rules! types {
    ($(#[$docs:meta])* $name:ident { $($(#[$variant_docs:meta])* $variant:ident = $value:literal,)* }) => {
        $(#[$docs])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$variant_docs])* $variant = $value,)*
        }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The one with this number in a schema.
            #[must_use]
            pub const fn of(number: u8) -> Option<Self> {
                match number {
                    $($value => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

types! {
    /// How a field is encoded, `TlgIn_t`.
    InType {
        /// Nothing.
        Null = 0,
        /// UTF-16, up to a NUL.
        UnicodeString = 1,
        /// 8-bit characters, up to a NUL.
        AnsiString = 2,
        /// `i8`.
        Int8 = 3,
        /// `u8`.
        UInt8 = 4,
        /// `i16`.
        Int16 = 5,
        /// `u16`.
        UInt16 = 6,
        /// `i32`.
        Int32 = 7,
        /// `u32`.
        UInt32 = 8,
        /// `i64`.
        Int64 = 9,
        /// `u64`.
        UInt64 = 10,
        /// `f32`.
        Float = 11,
        /// `f64`.
        Double = 12,
        /// `BOOL`, 32 bits.
        Bool32 = 13,
        /// Bytes behind their count, a `u16`.
        Binary = 14,
        /// `GUID`.
        Guid = 15,
        /// `FILETIME`.
        FileTime = 17,
        /// `SYSTEMTIME`.
        SystemTime = 18,
        /// `SID`.
        Sid = 19,
        /// `u32`, shown in hexadecimal.
        HexInt32 = 20,
        /// `u64`, shown in hexadecimal.
        HexInt64 = 21,
        /// UTF-16 behind the count of its bytes, a `u16`.
        CountedString = 22,
        /// 8-bit characters behind their count, a `u16`.
        CountedAnsiString = 23,
        /// Nothing itself: the fields that follow belong to it.
        Struct = 24,
        /// Bytes behind their count, a `u16`.
        CountedBinary = 25,
    }
}

types! {
    /// How a field is shown, `TlgOut_t`.
    OutType {
        /// As its encoding suggests.
        Default = 0,
        /// Not at all; decoders show it all the same.
        NoPrint = 1,
        /// As a character or a string.
        String = 2,
        /// As true or false.
        Boolean = 3,
        /// In hexadecimal.
        Hex = 4,
        /// As a process identifier.
        Pid = 5,
        /// As a thread identifier.
        Tid = 6,
        /// As a port of the Internet protocol, whose bytes are swapped.
        Port = 7,
        /// As an address of version 4.
        IpV4 = 8,
        /// As an address of version 6.
        IpV6 = 9,
        /// As a `sockaddr`.
        SocketAddress = 10,
        /// As XML.
        Xml = 11,
        /// As JSON.
        Json = 12,
        /// As an error of Win32.
        Win32Error = 13,
        /// As an `NTSTATUS`.
        NtStatus = 14,
        /// As an `HRESULT`.
        HResult = 15,
        /// As a date and time.
        DateTime = 16,
        /// As a number with a sign.
        Signed = 17,
        /// As a number without a sign.
        Unsigned = 18,
        /// As a date and time, the same everywhere.
        DateTimeCultureInsensitive = 33,
        /// As UTF-8.
        Utf8 = 35,
        /// As a PKCS #7 message, with the type of its content.
        Pkcs7WithTypeInfo = 36,
        /// As an address of code.
        CodePointer = 37,
        /// As a date and time, in UTC.
        DateTimeUtc = 38,
    }
}
