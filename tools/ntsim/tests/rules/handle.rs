//! Handles and references to objects.

use ntsim::Rule::{Fault, Handle, HandleLeft, Object, ObjectType, ReferenceLeft};
use ntsim::{ProcessCreation, nt::ClientId};

use crate::breaker::{Machine, PROCESS, assert_caught, caught, commit};

#[test]
fn a_handle_is_left_open() {
    caught("leak-handle", HandleLeft, "leads to process 0x1a2c");
}

#[test]
fn a_handle_is_closed_twice() {
    caught("close-twice", Handle, "closed, which is closed already");
}

#[test]
fn a_handle_of_another_driver_is_closed() {
    let machine = Machine::new();
    machine.load("leak-handle").unwrap();
    assert!(machine.create(&[0x41]).is_some());
    machine.load("close-foreign").unwrap();
    assert!(machine.create(&[0x41]).is_none(), "the kernel stops");
    let mut findings = machine.findings();
    let finding = findings.pop().unwrap();
    assert_caught(
        &finding,
        "close-foreign",
        Handle,
        "which breaker.sys opened",
    );
    assert!(findings.is_empty(), "{findings:?}");
}

#[test]
fn what_was_never_a_handle_is_closed() {
    caught("close-nonsense", Handle, "not open in the current process");
}

#[test]
fn a_handle_is_used_after_it_was_closed() {
    caught("use-closed", Handle, "used, which is closed already");
}

#[test]
fn a_handle_is_opened_that_the_current_process_can_use() {
    caught(
        "open-user-handle",
        Handle,
        "without OBJ_KERNEL_HANDLE in process 0x2f8",
    );
}

#[test]
fn a_process_is_taken_for_a_thread() {
    caught("wrong-type", ObjectType, "process 0x1a2c was taken for");
}

#[test]
fn access_is_checked_for_user_mode() {
    let open_as_user_of = |session_id| {
        let machine = Machine::new();
        machine.load("open-as-user").unwrap();
        machine.kernel.adopt_process(&ProcessCreation {
            session_id,
            ..ProcessCreation::new(0x2f8, 4)
        });
        let creation = ProcessCreation {
            creator: ClientId {
                process: 0x2f8,
                thread: 0x2fc,
            },
            session_id: 1,
            ..ProcessCreation::new(PROCESS, 0x2f8)
        };
        machine.kernel.create_process(&creation).unwrap();
        assert!(machine.findings().is_empty());
        machine.output()
    };
    assert_eq!(open_as_user_of(1), "open-as-user 0x0\n");
    assert_eq!(open_as_user_of(0), "open-as-user 0x0\n");
    assert_eq!(open_as_user_of(2), "open-as-user 0xc0000022\n");
}

#[test]
fn a_reference_is_never_given_back() {
    caught("leak-reference", ReferenceLeft, "process 0x1a2c");
}

#[test]
fn a_reference_is_given_back_that_was_never_taken() {
    caught("dereference-unreferenced", Object, "more often than");
}

#[test]
fn an_object_is_looked_into() {
    caught("look-into-object", Fault, "objects are opaque to drivers");
}

#[test]
fn a_driver_that_does_nothing_wrong_is_not_accused() {
    assert!(commit("open-as-user").is_empty());
}
