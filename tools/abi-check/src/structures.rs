//! Structures: their size and alignment, and where each field lies.

use windows_sys::Wdk::Foundation as wdk_foundation;
use windows_sys::Wdk::System::SystemServices as system_services;
use windows_sys::Win32::Foundation as win32_foundation;
use windows_sys::Win32::Security as security;
use windows_sys::Win32::System::Diagnostics::Etw as etw;
use windows_sys::Win32::System::WindowsProgramming as windows_programming;

/// Compares a structure of `wdk-sys` with the metadata's, field by field; `as`
/// gives the metadata's name of a field that is called otherwise there.
macro_rules! same_structure {
    ($wdk:ty, $metadata:ty { $($field:ident $(as $other:ident)?),+ $(,)? }) => {
        const _: () = {
            assert!(
                size_of::<$wdk>() == size_of::<$metadata>(),
                concat!("the size of ", stringify!($wdk), " differs")
            );
            assert!(
                align_of::<$wdk>() == align_of::<$metadata>(),
                concat!("the alignment of ", stringify!($wdk), " differs")
            );
            $($crate::structures::same_offset!($wdk, $metadata, $field $(as $other)?);)+
        };
    };
}

macro_rules! same_offset {
    ($wdk:ty, $metadata:ty, $field:ident) => {
        $crate::structures::same_offset!($wdk, $metadata, $field as $field)
    };
    ($wdk:ty, $metadata:ty, $field:ident as $other:ident) => {
        assert!(
            core::mem::offset_of!($wdk, $field) == core::mem::offset_of!($metadata, $other),
            concat!(
                "the offset of ",
                stringify!($wdk),
                ".",
                stringify!($field),
                " differs"
            )
        )
    };
}

pub(crate) use same_offset;
#[cfg(feature = "differences")]
pub(crate) use same_structure;

same_structure!(wdk_sys::PS_CREATE_NOTIFY_INFO, system_services::PS_CREATE_NOTIFY_INFO {
    Size,
    __bindgen_anon_1 as Anonymous,
    ParentProcessId,
    CreatingThreadId,
    FileObject,
    ImageFileName,
    CommandLine,
    CreationStatus,
});

same_structure!(
    wdk_sys::CLIENT_ID,
    windows_programming::CLIENT_ID {
        UniqueProcess,
        UniqueThread,
    }
);

same_structure!(
    wdk_sys::UNICODE_STRING,
    win32_foundation::UNICODE_STRING {
        Length,
        MaximumLength,
        Buffer,
    }
);

same_structure!(
    wdk_sys::DRIVER_OBJECT,
    wdk_foundation::DRIVER_OBJECT {
        Type,
        Size,
        DeviceObject,
        Flags,
        DriverStart,
        DriverSize,
        DriverSection,
        DriverExtension,
        DriverName,
        HardwareDatabase,
        FastIoDispatch,
        DriverInit,
        DriverStartIo,
        DriverUnload,
        MajorFunction,
    }
);

same_structure!(
    wdk_sys::EVENT_DESCRIPTOR,
    etw::EVENT_DESCRIPTOR {
        Id,
        Version,
        Channel,
        Level,
        Opcode,
        Task,
        Keyword,
    }
);

same_structure!(wdk_sys::EVENT_DATA_DESCRIPTOR, etw::EVENT_DATA_DESCRIPTOR {
    Ptr,
    Size,
    __bindgen_anon_1 as Anonymous,
});

same_structure!(
    wdk_sys::EVENT_FILTER_DESCRIPTOR,
    etw::EVENT_FILTER_DESCRIPTOR { Ptr, Size, Type }
);

same_structure!(
    wdk_sys::GUID,
    windows_sys::core::GUID {
        Data1 as data1,
        Data2 as data2,
        Data3 as data3,
        Data4 as data4,
    }
);

same_structure!(
    wdk_sys::SID,
    security::SID {
        Revision,
        SubAuthorityCount,
        IdentifierAuthority,
        SubAuthority,
    }
);

same_structure!(
    wdk_sys::SID_AND_ATTRIBUTES,
    security::SID_AND_ATTRIBUTES { Sid, Attributes }
);

same_structure!(wdk_sys::TOKEN_USER, security::TOKEN_USER { User });

same_structure!(
    wdk_sys::TOKEN_MANDATORY_LABEL,
    security::TOKEN_MANDATORY_LABEL { Label }
);

same_structure!(
    wdk_sys::TOKEN_ELEVATION,
    security::TOKEN_ELEVATION { TokenIsElevated }
);

same_structure!(
    wdk_sys::TOKEN_STATISTICS,
    security::TOKEN_STATISTICS {
        TokenId,
        AuthenticationId,
        ExpirationTime,
        TokenType,
        ImpersonationLevel,
        DynamicCharged,
        DynamicAvailable,
        GroupCount,
        PrivilegeCount,
        ModifiedId,
    }
);
