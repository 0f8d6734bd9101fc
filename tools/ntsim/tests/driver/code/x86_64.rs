//! For x64. `DriverEntry` has its registry path in `rdx`.

/// The machine that the images are not for.
pub const OTHER_MACHINE: u16 = 0xaa64;

// xor eax, eax; ret
pub const RETURN_SUCCESS: &[u8] = &[0x31, 0xc0, 0xc3];
// mov eax, 0xc0000001; ret
pub const RETURN_UNSUCCESSFUL: &[u8] = &[0xb8, 1, 0, 0, 0xc0, 0xc3];
// xor eax, eax; mov [rax + 8], eax
pub const WRITE_TO_NULL: &[u8] = &[0x31, 0xc0, 0x89, 0x40, 8];
// ud2
pub const ILLEGAL: &[u8] = &[0x0f, 0x0b];
// cli
pub const PRIVILEGED: &[u8] = &[0xfa];
// mov ecx, 2; int 29h
pub const FAST_FAIL_2: &[u8] = &[0xb9, 2, 0, 0, 0, 0xcd, 0x29];
// int3
pub const BREAKPOINT: &[u8] = &[0xcc];
// xor ecx, ecx; div ecx
pub const DIVIDE_BY_ZERO: &[u8] = &[0x31, 0xc9, 0xf7, 0xf1];
// sub rsp, 0x58; call itself: an even frame, so that walks stay aligned
pub const CALL_ITSELF: &[u8] = &[0x48, 0x83, 0xec, 0x58, 0xe8, 0xf7, 0xff, 0xff, 0xff];
// mov eax, 0x41414141; call rax
pub const CALL_41414141: &[u8] = &[0xb8, 0x41, 0x41, 0x41, 0x41, 0xff, 0xd0];
// mov [rip - 6], eax
pub const WRITE_TO_ITSELF: &[u8] = &[0x89, 0x05, 0xfa, 0xff, 0xff, 0xff];
// mov rax, rsp; call rax
pub const CALL_STACK: &[u8] = &[0x48, 0x89, 0xe0, 0xff, 0xd0];
// mov rax, [rdx + 8]; mov word ptr [rax], 0
pub const WRITE_TO_REGISTRY_PATH: &[u8] = &[0x48, 0x8b, 0x42, 8, 0x66, 0xc7, 0, 0, 0];
// movzx eax, word ptr [rdx]; add rax, [rdx + 8]; mov ax, [rax]
pub const READ_PAST_REGISTRY_PATH: &[u8] = &[0x0f, 0xb7, 0x02, 0x48, 0x03, 0x42, 8, 0x66, 0x8b, 0];
