//! Turns forks, execs and exits into processes: a fork that execs is a create.

use std::collections::{HashMap, HashSet};

use crate::ProcessEvent;
use crate::connector::Message;
use crate::identity;
use crate::procfs::ProcessView;
use crate::status;
use ntsim::nt::{ClientId, SYSTEM_PROCESS, SystemTime};
use ntsim::{ProcessCreation, ProcessExit};

/// What is read of a process at the moment of an event.
pub trait ProcessReader {
    /// Its view; `None` where it is gone.
    fn process(&self, process_id: u32) -> Option<ProcessView>;
    /// Its threads; `None` where it is gone.
    fn threads(&self, process_id: u32) -> Option<Vec<u32>>;
}

/// The processes that are there.
#[derive(Default)]
pub struct Tracker {
    processes: HashMap<u32, Process>,
}

struct Process {
    /// Sets, not counts: threads seen in `/proc` may be told of again.
    threads: HashSet<u32>,
    creator: ClientId,
    created: SystemTime,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Forked, and its parent's image still: no process in NT's sense yet.
    Forked,
    /// As `Forked`, but it has made processes itself, so that it is known.
    Creator,
    /// It is known, and its exit is announced.
    Known,
    /// A kernel thread.
    Kernel,
}

impl Tracker {
    /// Takes a process that was there before.
    pub fn seed(
        &mut self,
        process_id: u32,
        reader: &impl ProcessReader,
        events: &mut Vec<ProcessEvent>,
    ) {
        let (Some(view), Some(threads)) = (reader.process(process_id), reader.threads(process_id))
        else {
            return;
        };
        let mut process = Process {
            threads: threads.into_iter().collect(),
            creator: ClientId {
                process: view.parent_process_id,
                thread: view.parent_process_id,
            },
            created: 0,
            state: State::Kernel,
        };
        if !view.is_kernel_thread {
            process.state = State::Known;
            let creation = self.creation(process_id, &process, Some(view));
            events.push(ProcessEvent::Adopt(ProcessCreation {
                create_time: None,
                ..creation
            }));
        }
        self.processes.insert(process_id, process);
    }

    /// Takes a message that was sent at that time.
    pub fn message(
        &mut self,
        time: SystemTime,
        message: Message,
        reader: &impl ProcessReader,
        events: &mut Vec<ProcessEvent>,
    ) {
        match message {
            Message::Fork { parent, child } if child.process == child.thread => {
                self.fork(time, parent, child.process, events);
            }
            Message::Fork { child, .. } => {
                if let Some(process) = self.processes.get_mut(&child.process) {
                    process.threads.insert(child.thread);
                }
            }
            Message::Exec { thread } => self.exec(time, thread.process, reader, events),
            Message::Exit { thread, status } => self.exit(thread, status, events),
            Message::Other => {}
        }
    }

    /// After messages were lost, and all that came were taken: looks which
    /// processes are gone.
    pub fn recover(&mut self, reader: &impl ProcessReader, events: &mut Vec<ProcessEvent>) {
        self.processes.retain(|&process_id, process| {
            let threads = reader.threads(process_id);
            let is_there = threads.is_some();
            process.threads = threads.unwrap_or_default().into_iter().collect();
            if !is_there && matches!(process.state, State::Known | State::Creator) {
                events.push(ProcessEvent::Forget { process_id });
            }
            is_there
        });
    }

    fn fork(
        &mut self,
        time: SystemTime,
        creator: ClientId,
        process_id: u32,
        events: &mut Vec<ProcessEvent>,
    ) {
        let state = match self.processes.get(&creator.process) {
            Some(parent) if parent.state == State::Kernel => State::Kernel,
            _ => State::Forked,
        };
        let process = Process {
            threads: HashSet::from([process_id]),
            creator,
            created: time,
            state,
        };
        match self.processes.get(&process_id) {
            // Seen in /proc already, while the watch began.
            Some(before) if before.created == 0 => return,
            // The identifier is used again, so the exit was lost.
            Some(before) if matches!(before.state, State::Known | State::Creator) => {
                events.push(ProcessEvent::Forget { process_id });
            }
            _ => {}
        }
        self.processes.insert(process_id, process);
    }

    fn exec(
        &mut self,
        time: SystemTime,
        process_id: u32,
        reader: &impl ProcessReader,
        events: &mut Vec<ProcessEvent>,
    ) {
        if let Some(process) = self.processes.get_mut(&process_id) {
            // Exec ends every other thread.
            process.threads = HashSet::from([process_id]);
            if process.state == State::Known {
                return;
            }
        }
        let view = reader.process(process_id);
        let mut process = self.processes.remove(&process_id).unwrap_or_else(|| {
            // Its fork was lost: the parent of now is the best that is known.
            let parent = view.as_ref().map_or(0, |view| view.parent_process_id);
            Process {
                threads: HashSet::from([process_id]),
                creator: ClientId {
                    process: parent,
                    thread: parent,
                },
                created: time,
                state: State::Forked,
            }
        });
        self.make_creator_known(process.creator.process, reader, events);
        if process.state == State::Creator {
            // Known by its parent's image until now.
            events.push(ProcessEvent::Forget { process_id });
        }
        process.state = State::Known;
        events.push(ProcessEvent::Create(
            self.creation(process_id, &process, view),
        ));
        self.processes.insert(process_id, process);
    }

    /// A fork that never execs may create processes: they are created in its
    /// context, so it is a process to the kernel, though not an event.
    fn make_creator_known(
        &mut self,
        process_id: u32,
        reader: &impl ProcessReader,
        events: &mut Vec<ProcessEvent>,
    ) {
        let Some(mut creator) = self.processes.remove(&process_id) else {
            return;
        };
        if creator.state == State::Forked {
            creator.state = State::Creator;
            let view = reader.process(process_id);
            events.push(ProcessEvent::Adopt(
                self.creation(process_id, &creator, view),
            ));
        }
        self.processes.insert(process_id, creator);
    }

    fn exit(&mut self, thread: ClientId, word: u32, events: &mut Vec<ProcessEvent>) {
        let process_id = thread.process;
        let Some(process) = self.processes.get_mut(&process_id) else {
            return;
        };
        process.threads.remove(&thread.thread);
        if !process.threads.is_empty() {
            return;
        }
        match process.state {
            State::Known => events.push(ProcessEvent::Exit(ProcessExit {
                process_id,
                thread_id: thread.thread,
                exit_status: status::of_wait(word),
            })),
            State::Creator => events.push(ProcessEvent::Forget { process_id }),
            State::Forked | State::Kernel => {}
        }
        self.processes.remove(&process_id);
    }

    fn creation(
        &self,
        process_id: u32,
        process: &Process,
        view: Option<ProcessView>,
    ) -> ProcessCreation {
        let mut creator = process.creator;
        if let Some(parent) = self.processes.get(&creator.process)
            && parent.state == State::Kernel
        {
            creator.process = SYSTEM_PROCESS;
        }
        let (image_file_name, command_line, is_wow64, session_id, token) = match view {
            Some(view) => (
                view.image_file_name,
                view.command_line,
                view.is_wow64,
                view.session_id,
                view.token,
            ),
            None => (None, None, false, 0, identity::UNKNOWN),
        };
        ProcessCreation {
            creator,
            file_open_name_available: image_file_name.is_some(),
            image_file_name,
            command_line,
            is_wow64,
            session_id,
            token,
            create_time: Some(process.created),
            ..ProcessCreation::new(process_id, creator.process)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ntsim::Token;

    /// A machine where process N runs `/N` and its parent is 1; those below 10
    /// are kernel threads but 1, those above 900 are gone.
    struct Machine;

    impl ProcessReader for Machine {
        fn process(&self, process_id: u32) -> Option<ProcessView> {
            (process_id < 900).then(|| ProcessView {
                image_file_name: Some(format!("/{process_id}").encode_utf16().collect()),
                command_line: None,
                is_wow64: process_id == 32,
                session_id: 1,
                token: Token::USER,
                parent_process_id: 1,
                is_kernel_thread: (2..10).contains(&process_id),
            })
        }

        fn threads(&self, process_id: u32) -> Option<Vec<u32>> {
            (process_id < 900).then(|| vec![process_id])
        }
    }

    fn client(process: u32, thread: u32) -> ClientId {
        ClientId { process, thread }
    }

    fn fork(parent: ClientId, child: u32) -> Message {
        Message::Fork {
            parent,
            child: client(child, child),
        }
    }

    fn thread(process: u32, thread: u32) -> Message {
        Message::Fork {
            parent: client(process, process),
            child: client(process, thread),
        }
    }

    fn exec(process: u32) -> Message {
        Message::Exec {
            thread: client(process, process),
        }
    }

    fn exit(process: u32, thread: u32, status: u32) -> Message {
        Message::Exit {
            thread: client(process, thread),
            status,
        }
    }

    /// One line an event, after processes 1, 2 (kernel) and 10 were seeded.
    fn track(messages: &[Message]) -> Vec<String> {
        let (mut tracker, mut events) = (Tracker::default(), Vec::new());
        for process in [1, 2, 10] {
            tracker.seed(process, &Machine, &mut events);
        }
        assert_eq!(describe(&events), ["adopt 1", "adopt 10"]);
        events.clear();
        for (time, &message) in (1..).zip(messages) {
            tracker.message(time, message, &Machine, &mut events);
        }
        describe(&events)
    }

    fn describe(events: &[ProcessEvent]) -> Vec<String> {
        events
            .iter()
            .map(|event| match event {
                ProcessEvent::Adopt(process) => format!("adopt {}", process.process_id),
                ProcessEvent::Create(process) => format!(
                    "create {} {} by {}.{} of {}{}",
                    process.process_id,
                    process
                        .image_file_name
                        .as_ref()
                        .map_or("?".into(), |name| { String::from_utf16(name).unwrap() }),
                    process.creator.process,
                    process.creator.thread,
                    process.parent_process_id,
                    if process.is_wow64 { " 32" } else { "" },
                ),
                ProcessEvent::Exit(exit) => format!(
                    "exit {}.{} {:#x}",
                    exit.process_id, exit.thread_id, exit.exit_status
                ),
                ProcessEvent::Forget { process_id } => format!("forget {process_id}"),
                ProcessEvent::Lost { messages } => format!("lost {messages}"),
            })
            .collect()
    }

    #[test]
    fn a_fork_that_execs_is_a_create_by_the_thread_that_forked() {
        assert_eq!(
            track(&[fork(client(10, 11), 20), exec(20), exit(20, 20, 0x300)]),
            ["create 20 /20 by 10.11 of 10", "exit 20.20 0x3"]
        );
        assert_eq!(
            track(&[fork(client(10, 10), 32), exec(32)]),
            ["create 32 /32 by 10.10 of 10 32"]
        );
    }

    #[test]
    fn a_fork_that_never_execs_is_nothing() {
        assert!(track(&[fork(client(10, 10), 20), exit(20, 20, 0)]).is_empty());
    }

    #[test]
    fn a_second_exec_is_no_new_process() {
        assert_eq!(
            track(&[fork(client(10, 10), 20), exec(20), exec(20), exec(10)]),
            ["create 20 /20 by 10.10 of 10"]
        );
    }

    #[test]
    fn a_fork_that_creates_is_known_but_not_announced() {
        assert_eq!(
            track(&[
                fork(client(10, 10), 20),
                fork(client(20, 20), 21),
                exec(21),
                exit(20, 20, 0),
                exit(21, 21, 0),
            ]),
            [
                "adopt 20",
                "create 21 /21 by 20.20 of 20",
                "forget 20",
                "exit 21.21 0x0"
            ]
        );
    }

    #[test]
    fn a_process_exits_with_its_last_thread() {
        assert_eq!(
            track(&[
                thread(10, 12),
                thread(10, 13),
                exit(10, 10, 0),
                exit(10, 13, 0),
                exit(10, 12, 0x0b),
            ]),
            ["exit 10.12 0x-3ffffffb".replace("0x-3ffffffb", "0xc0000005")]
        );
    }

    #[test]
    fn an_exec_by_another_thread_takes_the_process_over() {
        // The first thread exits, the other takes its identifier.
        assert_eq!(
            track(&[
                thread(10, 12),
                exit(10, 10, 0),
                exec(10),
                exit(10, 10, 0x100)
            ]),
            ["exit 10.10 0x1"]
        );
    }

    #[test]
    fn kernel_threads_are_the_system_process() {
        assert_eq!(
            track(&[
                fork(client(2, 2), 20),
                fork(client(20, 20), 21),
                exec(21),
                exit(20, 20, 0),
            ]),
            ["create 21 /21 by 4.20 of 4"]
        );
    }

    #[test]
    fn a_process_that_is_gone_has_no_names() {
        assert_eq!(
            track(&[fork(client(10, 10), 901), exec(901), exit(901, 901, 0)]),
            ["create 901 ? by 10.10 of 10", "exit 901.901 0x0"]
        );
    }

    #[test]
    fn lost_messages_leave_no_process_behind() {
        // The exit of 20 was lost, then its identifier was used again.
        assert_eq!(
            track(&[
                fork(client(10, 10), 20),
                exec(20),
                fork(client(10, 10), 20),
                exec(20),
            ]),
            [
                "create 20 /20 by 10.10 of 10",
                "forget 20",
                "create 20 /20 by 10.10 of 10"
            ]
        );
        // The fork of 20 was lost.
        assert_eq!(track(&[exec(20)]), ["create 20 /20 by 1.1 of 1"]);
        assert!(track(&[exit(20, 20, 0)]).is_empty());

        let (mut tracker, mut events) = (Tracker::default(), Vec::new());
        tracker.seed(10, &Machine, &mut events);
        for message in [
            fork(client(10, 10), 901),
            exec(901),
            fork(client(10, 10), 902),
        ] {
            tracker.message(1, message, &Machine, &mut events);
        }
        events.clear();
        tracker.recover(&Machine, &mut events);
        assert_eq!(describe(&events), ["forget 901"]);
    }

    #[test]
    fn what_proc_showed_already_is_not_told_again() {
        assert!(track(&[fork(client(1, 1), 10), exec(10)]).is_empty());
    }
}
