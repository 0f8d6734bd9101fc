//! Tokens, start keys and security identifiers: what routines report of them,
//! and the rules that a driver can break with them.

use ntsim::Rule::{
    Handle, HandleLeft, Irql, Object, ObjectType, Pool, PoolLeft, ReferenceLeft, Unsupported,
};
use ntsim::{ProcessCreation, ProcessExit, Sid, Token};

use crate::breaker::{Machine, PROCESS, caught};

/// What the driver prints of a process that has this token.
fn printed_of(misdeed: &str, token: Token) -> String {
    let process = ProcessCreation {
        token,
        start_key: Some(0x2_0000_0000_0a41),
        ..ProcessCreation::new(PROCESS, 0x2f8)
    };
    let machine = Machine::new();
    let driver = machine.load(misdeed).unwrap();
    machine.kernel.create_process(&process).unwrap();
    machine
        .kernel
        .exit_process(ProcessExit {
            process_id: PROCESS,
            thread_id: PROCESS + 4,
            exit_status: 0,
        })
        .unwrap();
    let leftovers = machine.kernel.unload_driver(driver).unwrap();
    assert!(leftovers.is_empty(), "{leftovers:?}");
    let findings = machine.findings();
    assert!(findings.is_empty(), "{findings:#?}");
    machine.output()
}

/// As many sub-authorities as there can be, with the longest texts.
const EXTREME: Token = Token {
    user: Sid::new((1 << 48) - 1, &[u32::MAX; Sid::MAX_SUB_AUTHORITIES]),
    integrity: u32::MAX,
    logon_id: 0xfedc_ba98_7654_3210,
};

#[test]
fn a_token_object_is_read() {
    assert_eq!(
        printed_of("read-token-object", Token::USER),
        "user S-1-5-21-1004336348-1177238915-682003330-1001\n\
         logon 0x5f3a1 0x5f3a1 session 1 integrity 0x2000 elevated 0 admin 0 primary 1\n"
    );
    let elevated = Token {
        user: Sid::new(22, &[1, 0]),
        integrity: Token::HIGH_INTEGRITY,
        logon_id: 1,
    };
    assert_eq!(
        printed_of("read-token-object", elevated),
        "user S-1-22-1-0\n\
         logon 0x1 0x1 session 1 integrity 0x3000 elevated 1 admin 1 primary 1\n"
    );
}

#[test]
fn a_token_is_read_through_a_handle() {
    assert_eq!(
        printed_of("read-token-handle", Token::SYSTEM),
        "class 1: 0x0, 28 bytes\nuser S-1-5-18\n\
         class 25: 0x0, 28 bytes\nlabel S-1-16-16384\n\
         class 10: 0x0, 56 bytes\nlogon 0x0 0x3e7\n\
         class 12: 0x0, 4 bytes\n\
         class 20: 0x0, 4 bytes\n"
    );
    assert_eq!(
        printed_of("read-token-handle", EXTREME),
        format!(
            "class 1: 0x0, 84 bytes\nuser S-1-0xffffffffffff{}\n\
             class 25: 0x0, 28 bytes\nlabel S-1-16-4294967295\n\
             class 10: 0x0, 56 bytes\nlogon 0xfedcba98 0x76543210\n\
             class 12: 0x0, 4 bytes\n\
             class 20: 0x0, 4 bytes\n",
            "-4294967295".repeat(Sid::MAX_SUB_AUTHORITIES)
        )
    );
}

#[test]
fn queries_are_refused_as_documented() {
    let (too_small, invalid_class) = ("0xc0000023", "0xc0000003");
    assert_eq!(
        printed_of("refuse-token-query", Token::USER),
        format!(
            "class 1: {too_small}, 44 bytes\n\
             class 25: {too_small}, 28 bytes\n\
             class 9: {invalid_class}, 0 bytes\n\
             class 0: {invalid_class}, 0 bytes\n\
             class 1000: {invalid_class}, 0 bytes\n\
             class 1: 0xc0000008, 0 bytes\n\
             attributes: 0xc000000d\n\
             process: 0xc0000008\n"
        )
    );
}

#[test]
fn a_start_key_is_the_processs_own_until_it_is_gone() {
    let expected = "start key 0x2000000000a41\n";
    assert_eq!(printed_of("read-start-key", Token::USER), expected);
    assert_eq!(printed_of("read-start-key-at-exit", Token::USER), expected);
}

#[test]
fn no_two_processes_have_one_start_key() {
    let machine = Machine::new();
    machine.load("read-start-key").unwrap();
    for _ in 0..3 {
        // The same process ID, each time another process.
        machine.create(&[0x41]).unwrap();
        machine.kernel.forget_process(PROCESS);
    }
    let printed = machine.output();
    let mut keys: Vec<&str> = printed.lines().collect();
    let [first, ..] = keys[..] else {
        panic!("nothing was printed");
    };
    assert!(first.starts_with("start key 0x20000000000"), "{first}");
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 3, "{printed}");
}

#[test]
fn sids_are_copied_and_compared() {
    assert_eq!(
        printed_of("compare-sids", Token::USER),
        "length 16 copy 0xc0000023 0x0 equal 1 0 valid 1 0 0 convert 0xc0000078\n"
    );
}

#[test]
fn a_sid_is_printed_where_it_fits() {
    assert_eq!(
        printed_of("print-sid", Token::USER),
        "0x80000005 ? then 3f\n\
         0x0 S-1-5-32-544 then 3f\n\
         0x0 S-1-5-32-544 then 0\n\
         0x0 S-1-5-32-544 of 26\n"
    );
}

#[test]
fn the_system_process_has_the_systems_token() {
    assert_eq!(
        printed_of("open-own-token", Token::USER),
        "class 25: 0x0, 28 bytes\nlabel S-1-16-16384\n"
    );
}

#[test]
fn a_token_handle_is_left_open() {
    caught(
        "leak-token-handle",
        HandleLeft,
        "leads to the token of process 0x1a2c",
    );
}

#[test]
fn a_token_reference_is_never_given_back() {
    caught(
        "leak-token-reference",
        ReferenceLeft,
        "the token of process 0x1a2c",
    );
}

#[test]
fn what_a_query_allocated_is_never_freed() {
    caught("leak-token-user", PoolLeft, "44 bytes, tag 'Se  '");
}

#[test]
fn the_text_of_a_sid_is_never_freed() {
    caught("leak-sid-text", PoolLeft, "26 bytes, tag 'Strg'");
}

#[test]
fn a_token_is_dereferenced_twice() {
    caught("dereference-token-twice", Object, "more often than");
}

#[test]
fn a_token_is_opened_that_the_current_process_can_use() {
    caught(
        "open-user-token",
        Handle,
        "a handle to the token of process 0x1a2c is opened without OBJ_KERNEL_HANDLE in \
         process 0x2f8",
    );
}

#[test]
fn a_token_is_referenced_above_passive_level() {
    caught(
        "reference-token-at-dispatch",
        Irql,
        "PsReferencePrimaryToken was called at DISPATCH_LEVEL; it allows PASSIVE_LEVEL at most",
    );
}

#[test]
fn a_process_is_taken_for_a_token() {
    caught(
        "process-as-token",
        Object,
        "process 0x1a2c was passed where a token is expected",
    );
}

#[test]
fn the_handle_of_a_process_is_taken_for_a_tokens() {
    caught(
        "process-handle-as-token",
        ObjectType,
        "leads to process 0x1a2c, not to a token",
    );
}

#[test]
fn what_is_not_modelled_of_a_token_is_said() {
    caught(
        "ask-for-groups",
        Unsupported,
        "class 2 of TOKEN_INFORMATION_CLASS",
    );
}

#[test]
fn a_string_of_the_drivers_own_is_freed() {
    caught("free-own-string", Pool, "never allocated");
}
