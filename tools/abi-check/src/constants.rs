//! Constants that the driver passes to the kernel or returns to it.

use windows_sys::Wdk::System::SystemServices as system_services;
use windows_sys::Wdk::System::Threading as threading;
use windows_sys::Win32::Foundation as win32_foundation;
use windows_sys::Win32::Security as security;
use windows_sys::Win32::System::Diagnostics::Etw as etw;

macro_rules! same_constant {
    ($wdk:expr, $metadata:expr) => {
        const _: () = assert!(
            $wdk as i64 == $metadata as i64,
            concat!("the value of ", stringify!($wdk), " differs")
        );
    };
}

#[cfg(feature = "differences")]
pub(crate) use same_constant;

same_constant!(wdk_sys::_MODE::KernelMode, system_services::KernelMode);
same_constant!(
    wdk_sys::_PROCESSINFOCLASS::ProcessWow64Information,
    threading::ProcessWow64Information
);
same_constant!(
    wdk_sys::_PROCESSINFOCLASS::ProcessSessionInformation,
    threading::ProcessSessionInformation
);
same_constant!(
    wdk_sys::_EVENT_INFO_CLASS::EventProviderBinaryTrackInfo,
    etw::EventProviderBinaryTrackInfo
);
same_constant!(
    wdk_sys::_EVENT_INFO_CLASS::EventProviderSetTraits,
    etw::EventProviderSetTraits
);
same_constant!(
    wdk_sys::_EVENT_INFO_CLASS::EventProviderUseDescriptorType,
    etw::EventProviderUseDescriptorType
);
same_constant!(wdk_sys::STATUS_SUCCESS, win32_foundation::STATUS_SUCCESS);
same_constant!(
    wdk_sys::STATUS_ACCESS_DENIED,
    win32_foundation::STATUS_ACCESS_DENIED
);
same_constant!(
    wdk_sys::STATUS_INVALID_PARAMETER,
    win32_foundation::STATUS_INVALID_PARAMETER
);
same_constant!(
    wdk_sys::STATUS_PROCEDURE_NOT_FOUND,
    win32_foundation::STATUS_PROCEDURE_NOT_FOUND
);
same_constant!(
    wdk_sys::_TOKEN_INFORMATION_CLASS::TokenUser,
    security::TokenUser
);
same_constant!(
    wdk_sys::_TOKEN_INFORMATION_CLASS::TokenType,
    security::TokenType
);
same_constant!(
    wdk_sys::_TOKEN_INFORMATION_CLASS::TokenImpersonationLevel,
    security::TokenImpersonationLevel
);
same_constant!(
    wdk_sys::_TOKEN_INFORMATION_CLASS::TokenStatistics,
    security::TokenStatistics
);
same_constant!(
    wdk_sys::_TOKEN_INFORMATION_CLASS::TokenSessionId,
    security::TokenSessionId
);
same_constant!(
    wdk_sys::_TOKEN_INFORMATION_CLASS::TokenElevation,
    security::TokenElevation
);
same_constant!(
    wdk_sys::_TOKEN_INFORMATION_CLASS::TokenIntegrityLevel,
    security::TokenIntegrityLevel
);
same_constant!(wdk_sys::TOKEN_QUERY, security::TOKEN_QUERY);
