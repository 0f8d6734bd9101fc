//! Stands in for the certutil of Windows, which Wine lacks, with Wine's own
//! certificate stores.
//!
//! `certutil -store STORE THUMBPRINT`, `certutil -f -addstore STORE FILE` and
//! `certutil -delstore STORE THUMBPRINT`, on the stores of the machine. Exits
//! with 1 where there is no such certificate or file, or anything else fails.

#![no_std]
#![no_main]

extern crate no_crt;

use core::ffi::{CStr, c_void};
use core::panic::PanicInfo;
use core::ptr;

use windows_sys::Win32::Foundation::{GENERIC_READ, INVALID_HANDLE_VALUE};
use windows_sys::Win32::Security::Cryptography::{
    CERT_CLOSE_STORE_FORCE_FLAG, CERT_CONTEXT, CERT_FIND_SHA1_HASH,
    CERT_STORE_ADD_REPLACE_EXISTING, CERT_STORE_CTRL_COMMIT, CERT_STORE_CTRL_COMMIT_FORCE_FLAG,
    CERT_STORE_PROV_SYSTEM_A, CERT_SYSTEM_STORE_LOCAL_MACHINE, CRYPT_INTEGER_BLOB,
    CertAddEncodedCertificateToStore, CertCloseStore, CertControlStore,
    CertDeleteCertificateFromStore, CertFindCertificateInStore, CertFreeCertificateContext,
    CertOpenStore, HCERTSTORE, X509_ASN_ENCODING,
};
use windows_sys::Win32::Storage::FileSystem::{
    CreateFileA, FILE_SHARE_READ, OPEN_EXISTING, ReadFile,
};
use windows_sys::Win32::System::Environment::GetCommandLineA;
use windows_sys::Win32::System::Threading::ExitProcess;

/// The most bytes of a certificate. A page of stack takes both: more would need
/// the C runtime's help.
const CERTIFICATE: usize = 2048;
/// The most bytes of a store's or a file's name, with the NUL behind it.
const NAME: usize = 512;

/// The program's entry point.
// SAFETY: The linker is told to start here, and nothing else has this name.
#[unsafe(no_mangle)]
pub extern "system" fn start() -> ! {
    // SAFETY: The system ends the command line with a NUL, and it stays.
    let command_line = unsafe { CStr::from_ptr(GetCommandLineA().cast()) };
    let done = run(Arguments(command_line.to_bytes()));
    // SAFETY: Nothing has to be cleaned up.
    unsafe { ExitProcess(u32::from(done.is_none())) }
}

fn run(mut arguments: Arguments) -> Option<()> {
    arguments.next()?;
    let mut verb = arguments.next()?;
    if verb == b"-f" {
        verb = arguments.next()?;
    }
    let store = Store::open(arguments.next()?)?;
    let last = arguments.next()?;
    match verb {
        b"-store" => store.find(last).map(drop),
        b"-addstore" => store.add(last),
        b"-delstore" => {
            store.find(last)?.delete()?;
            store.commit()
        }
        _ => None,
    }
}

/// The arguments of a command line: between spaces, or between quotes.
struct Arguments<'a>(&'a [u8]);

impl<'a> Iterator for Arguments<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let text = self.0.trim_ascii_start();
        let (end, text) = match text.split_first()? {
            (b'"', quoted) => (b'"', quoted),
            _ => (b' ', text),
        };
        let length = text.iter().position(|&byte| byte == end);
        let length = length.unwrap_or(text.len());
        self.0 = text.get(length + 1..).unwrap_or_default();
        text.get(..length)
    }
}

/// A text with a NUL behind it.
fn terminated(text: &[u8]) -> Option<[u8; NAME]> {
    let mut copy = [0; NAME];
    copy.get_mut(..text.len())?.copy_from_slice(text);
    (copy.last() == Some(&0)).then_some(copy)
}

/// A certificate store of the machine.
struct Store(HCERTSTORE);

impl Store {
    fn open(name: &[u8]) -> Option<Self> {
        let name = terminated(name)?;
        // SAFETY: The name ends with a NUL.
        let store = unsafe {
            CertOpenStore(
                CERT_STORE_PROV_SYSTEM_A,
                0,
                0,
                CERT_SYSTEM_STORE_LOCAL_MACHINE,
                name.as_ptr().cast(),
            )
        };
        (!store.is_null()).then_some(Self(store))
    }

    /// The certificate of a SHA-1 thumbprint in hexadecimal.
    fn find(&self, thumbprint: &[u8]) -> Option<Certificate> {
        let mut hash = [0_u8; 20];
        let (digits, []) = thumbprint.as_chunks::<2>() else {
            return None;
        };
        if digits.len() != hash.len() {
            return None;
        }
        for (byte, digits) in hash.iter_mut().zip(digits) {
            *byte = u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?;
        }
        let wanted = CRYPT_INTEGER_BLOB {
            cbData: 20,
            pbData: hash.as_mut_ptr(),
        };
        // SAFETY: The store is open, and the hash is as long as is said.
        let certificate = unsafe {
            CertFindCertificateInStore(
                self.0,
                X509_ASN_ENCODING,
                0,
                CERT_FIND_SHA1_HASH,
                (&raw const wanted).cast::<c_void>(),
                ptr::null(),
            )
        };
        (!certificate.is_null()).then_some(Certificate(certificate))
    }

    /// Adds the certificate in a file.
    fn add(&self, file: &[u8]) -> Option<()> {
        let mut certificate = [0; CERTIFICATE];
        let length = read(file, &mut certificate)?;
        // SAFETY: The store is open, and the certificate is as long as is said.
        let added = unsafe {
            CertAddEncodedCertificateToStore(
                self.0,
                X509_ASN_ENCODING,
                certificate.as_ptr(),
                length,
                CERT_STORE_ADD_REPLACE_EXISTING,
                ptr::null_mut(),
            )
        };
        (added != 0).then_some(())
    }

    /// Writes what was changed: closing a store in Wine forgets what was deleted.
    fn commit(&self) -> Option<()> {
        // SAFETY: The store is open.
        let committed = unsafe {
            CertControlStore(
                self.0,
                CERT_STORE_CTRL_COMMIT_FORCE_FLAG,
                CERT_STORE_CTRL_COMMIT,
                ptr::null(),
            )
        };
        (committed != 0).then_some(())
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // SAFETY: The store is open, and nothing uses it afterwards.
        unsafe { CertCloseStore(self.0, CERT_CLOSE_STORE_FORCE_FLAG) };
    }
}

/// A certificate that was found.
struct Certificate(*const CERT_CONTEXT);

impl Certificate {
    /// Deletes it from its store.
    fn delete(self) -> Option<()> {
        // SAFETY: The context is held; the call frees it, so this value must not.
        let deleted = unsafe { CertDeleteCertificateFromStore(self.0) };
        core::mem::forget(self);
        (deleted != 0).then_some(())
    }
}

impl Drop for Certificate {
    fn drop(&mut self) {
        // SAFETY: The context is held, and nothing uses it afterwards.
        unsafe { CertFreeCertificateContext(self.0) };
    }
}

/// Reads a file, and gives its length.
fn read(name: &[u8], into: &mut [u8; CERTIFICATE]) -> Option<u32> {
    let name = terminated(name)?;
    // SAFETY: The name ends with a NUL.
    let file = unsafe {
        CreateFileA(
            name.as_ptr(),
            GENERIC_READ,
            FILE_SHARE_READ,
            ptr::null(),
            OPEN_EXISTING,
            0,
            ptr::null_mut(),
        )
    };
    if file == INVALID_HANDLE_VALUE {
        return None;
    }
    let mut length = 0;
    // SAFETY: The buffer has that length. The handle is closed with the process.
    let read = unsafe {
        ReadFile(
            file,
            into.as_mut_ptr(),
            u32::try_from(CERTIFICATE).ok()?,
            &raw mut length,
            ptr::null_mut(),
        )
    };
    (read != 0).then_some(length)
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    // SAFETY: Nothing has to be cleaned up.
    unsafe { ExitProcess(2) }
}
