//! Linux's process-events connector: a netlink socket on which the kernel tells
//! of every fork, exec and exit of the machine.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

use netlink_sys::protocols::NETLINK_CONNECTOR;
use netlink_sys::{Socket, SocketAddr};
use nix::sys::socket::{setsockopt, sockopt};
use nix::sys::time::{TimeVal, TimeValLike};
use thiserror::Error;

use ntsim::nt::ClientId;

/// What the kernel tells of a process or a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// A thread made a new process, or a new thread of its own process.
    Fork {
        /// The thread that forked.
        parent: ClientId,
        /// What it made: a process where both identifiers are the same.
        child: ClientId,
    },
    /// A process runs a new program.
    Exec {
        /// The thread that called exec, which is the only one now.
        thread: ClientId,
    },
    /// A thread has exited.
    Exit {
        /// The thread.
        thread: ClientId,
        /// Its status word, as `wait` would give it.
        status: u32,
    },
    /// Anything else: a change of user, session or name, a core dump.
    Other,
}

/// One message and when it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamped {
    /// Nanoseconds of the monotonic clock.
    pub time: u64,
    /// The message.
    pub message: Message,
}

/// Why the connector cannot be used.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The socket is refused: kernels before 6.6 want `CAP_NET_ADMIN` for it.
    #[error("watching all processes needs root or CAP_NET_ADMIN ({0})")]
    NotAllowed(io::Error),
    /// The kernel does not answer on it.
    #[error(
        "this kernel's process-events connector does not answer; it needs CONFIG_PROC_EVENTS and \
         the machine's own PID namespace, not a container's"
    )]
    Silent,
    /// There is none.
    #[error(
        "there is no process-events connector here; an emulator of user programs such as \
         qemu-aarch64 has none"
    )]
    Absent,
    /// Anything else.
    #[error("cannot open the process-events connector")]
    Other(#[from] io::Error),
}

/// The open connector.
pub struct Connector {
    socket: Socket,
    /// The next sequence number of each CPU.
    expected: HashMap<u32, u32>,
    lost: u64,
}

const CN_IDX_PROC: u32 = 1;
const CN_VAL_PROC: u32 = 1;
const PROC_CN_MCAST_LISTEN: u32 = 1;
const NLMSG_DONE: u16 = 3;

const NETLINK_HEADER: usize = 16;
const CONNECTOR_HEADER: usize = 20;

/// Room for some hundred thousand messages. The buffer is charged only for what
/// waits in it.
const RECEIVE_BUFFER: usize = 256 << 20;

/// How long the kernel may take to answer that it is listening to us.
const ANSWER: Duration = Duration::from_secs(2);

impl Connector {
    /// Opens the connector and subscribes to its events.
    ///
    /// # Errors
    /// Where this process may not, or the kernel has no connector.
    pub fn open() -> Result<Self, OpenError> {
        let mut socket =
            Socket::new(NETLINK_CONNECTOR).map_err(|error| match error.raw_os_error() {
                Some(libc::EPROTONOSUPPORT) => OpenError::Absent,
                _ => OpenError::Other(error),
            })?;
        socket
            .bind(&SocketAddr::new(0, CN_IDX_PROC))
            .map_err(|error| match error.kind() {
                io::ErrorKind::PermissionDenied => OpenError::NotAllowed(error),
                _ => OpenError::Other(error),
            })?;
        let mut connector = Self {
            socket,
            expected: HashMap::new(),
            lost: 0,
        };
        connector.enlarge_buffer()?;
        connector.set_timeout(Duration::from_millis(100))?;
        connector.subscribe()?;
        connector.await_answer()?;
        Ok(connector)
    }

    /// The next message; `None` where none came within a tenth of a second.
    ///
    /// # Errors
    /// Where the socket has failed for good.
    pub fn receive(&mut self) -> io::Result<Option<Stamped>> {
        loop {
            let Some(datagram) = self.receive_datagram()? else {
                return Ok(None);
            };
            if let Some(packet) = Packet::parse(datagram.bytes()) {
                self.count_gap(&packet);
                return Ok(Some(packet.stamped));
            }
        }
    }

    /// Messages that the kernel sent and that did not arrive, since the last
    /// call.
    pub fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }

    /// Each CPU numbers its messages, so what is missing can be counted. The
    /// answers to subscribers, to others' too, are numbered with the rest.
    fn count_gap(&mut self, packet: &Packet) {
        let next = packet.sequence.wrapping_add(1);
        if let Some(expected) = self.expected.insert(packet.cpu, next) {
            self.lost += u64::from(packet.sequence.wrapping_sub(expected));
        }
    }

    fn receive_datagram(&mut self) -> io::Result<Option<Datagram>> {
        loop {
            let mut datagram = Datagram::new();
            match self.socket.recv(&mut datagram.free(), 0) {
                Ok(length) => {
                    datagram.length = length;
                    return Ok(Some(datagram));
                }
                Err(error) => match error.raw_os_error() {
                    // The buffer ran over: the sequence numbers tell by how much.
                    Some(libc::ENOBUFS | libc::EINTR) => {}
                    Some(libc::EAGAIN) => return Ok(None),
                    _ => return Err(error),
                },
            }
        }
    }

    fn enlarge_buffer(&self) -> io::Result<()> {
        // The plain option is capped; the forced one needs the capability that
        // the socket needs anyway.
        setsockopt(&self.fd(), sockopt::RcvBufForce, &RECEIVE_BUFFER)
            .or_else(|_| setsockopt(&self.fd(), sockopt::RcvBuf, &RECEIVE_BUFFER))?;
        Ok(())
    }

    fn set_timeout(&self, timeout: Duration) -> io::Result<()> {
        let milliseconds = i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX);
        let timeout = TimeVal::milliseconds(milliseconds);
        Ok(setsockopt(&self.fd(), sockopt::ReceiveTimeout, &timeout)?)
    }

    fn subscribe(&self) -> Result<(), OpenError> {
        let operation = PROC_CN_MCAST_LISTEN.to_ne_bytes();
        let length = NETLINK_HEADER + CONNECTOR_HEADER + operation.len();
        let mut message = Vec::with_capacity(length);
        // struct nlmsghdr: length, type, flags, sequence, sender.
        message.extend(u32::try_from(length).unwrap_or_default().to_ne_bytes());
        message.extend(NLMSG_DONE.to_ne_bytes());
        message.extend([0; 10]);
        // struct cn_msg: index, value, sequence, answer, length, flags.
        message.extend(CN_IDX_PROC.to_ne_bytes());
        message.extend(CN_VAL_PROC.to_ne_bytes());
        message.extend([0; 8]);
        message.extend(4u16.to_ne_bytes());
        message.extend([0; 2]);
        message.extend(operation);
        match self.socket.send_to(&message, &SocketAddr::new(0, 0), 0) {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                Err(OpenError::NotAllowed(error))
            }
            // Nobody listens at the kernel's end.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                Err(OpenError::Silent)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn await_answer(&mut self) -> Result<(), OpenError> {
        let start = Instant::now();
        while start.elapsed() < ANSWER {
            let Some(datagram) = self.receive_datagram()? else {
                continue;
            };
            match Packet::answer(datagram.bytes()) {
                Some(0) => return Ok(()),
                Some(error) => {
                    let error = io::Error::from_raw_os_error(error.cast_signed());
                    return Err(OpenError::NotAllowed(error));
                }
                None => {}
            }
        }
        Err(OpenError::Silent)
    }

    fn fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the socket is open for as long as `self` is borrowed.
        unsafe { BorrowedFd::borrow_raw(self.socket.as_raw_fd()) }
    }
}

/// One message as it comes from the socket; the longest has 76 bytes.
struct Datagram {
    bytes: [u8; 128],
    length: usize,
}

impl Datagram {
    fn new() -> Self {
        Self {
            bytes: [0; 128],
            length: 0,
        }
    }

    fn free(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length.min(self.bytes.len())]
    }
}

/// A message with what counts it.
#[derive(Debug, PartialEq, Eq)]
struct Packet {
    cpu: u32,
    sequence: u32,
    stamped: Stamped,
}

const PROC_EVENT_NONE: u32 = 0;
const PROC_EVENT_FORK: u32 = 1;
const PROC_EVENT_EXEC: u32 = 2;
const PROC_EVENT_EXIT: u32 = 0x8000_0000;

/// Offsets in `struct proc_event`.
const WHAT: usize = NETLINK_HEADER + CONNECTOR_HEADER;
const CPU: usize = WHAT + 4;
const TIME: usize = WHAT + 8;
const DATA: usize = WHAT + 16;

impl Packet {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let what = event(bytes)?;
        // The kernel gives the thread first, then its process.
        let thread = |index: usize| {
            Some(ClientId {
                thread: word(bytes, DATA + index * 4)?,
                process: word(bytes, DATA + index * 4 + 4)?,
            })
        };
        let message = match what {
            PROC_EVENT_FORK => Message::Fork {
                parent: thread(0)?,
                child: thread(2)?,
            },
            PROC_EVENT_EXEC => Message::Exec { thread: thread(0)? },
            PROC_EVENT_EXIT => Message::Exit {
                thread: thread(0)?,
                status: word(bytes, DATA + 8)?,
            },
            _ => Message::Other,
        };
        let time = bytes.get(TIME..TIME + 8)?.try_into().ok()?;
        Some(Self {
            cpu: word(bytes, CPU)?,
            sequence: word(bytes, NETLINK_HEADER + 8)?,
            stamped: Stamped {
                time: u64::from_ne_bytes(time),
                message,
            },
        })
    }

    /// The error number in the kernel's answer to a subscription.
    fn answer(bytes: &[u8]) -> Option<u32> {
        (event(bytes)? == PROC_EVENT_NONE).then(|| word(bytes, DATA))?
    }
}

fn event(bytes: &[u8]) -> Option<u32> {
    let from_connector = word(bytes, NETLINK_HEADER)? == CN_IDX_PROC
        && word(bytes, NETLINK_HEADER + 4)? == CN_VAL_PROC;
    from_connector.then(|| word(bytes, WHAT))?
}

fn word(bytes: &[u8], offset: usize) -> Option<u32> {
    let bytes = bytes.get(offset..offset + 4)?.try_into().ok()?;
    Some(u32::from_ne_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(sequence: u32, what: u32, cpu: u32, data: &[u32]) -> Vec<u8> {
        let mut bytes = vec![0; NETLINK_HEADER];
        for word in [CN_IDX_PROC, CN_VAL_PROC, sequence, 0, 40, what, cpu] {
            bytes.extend(word.to_ne_bytes());
        }
        bytes.extend(1234u64.to_ne_bytes());
        for word in data {
            bytes.extend(word.to_ne_bytes());
        }
        bytes
    }

    #[test]
    fn messages_are_understood() {
        let client = |process, thread| ClientId { process, thread };
        for (what, data, message) in [
            (
                PROC_EVENT_FORK,
                &[11, 10, 20, 20][..],
                Message::Fork {
                    parent: client(10, 11),
                    child: client(20, 20),
                },
            ),
            (
                PROC_EVENT_EXEC,
                &[20, 20],
                Message::Exec {
                    thread: client(20, 20),
                },
            ),
            (
                PROC_EVENT_EXIT,
                &[21, 20, 0x300, 17, 10, 10],
                Message::Exit {
                    thread: client(20, 21),
                    status: 0x300,
                },
            ),
            (0x200, &[20, 20, 0, 0], Message::Other),
        ] {
            let bytes = packet(7, what, 1, data);
            let parsed = Packet::parse(&bytes).unwrap();
            assert_eq!(
                parsed.stamped,
                Stamped {
                    time: 1234,
                    message
                }
            );
            assert_eq!((parsed.cpu, parsed.sequence), (1, 7));
            for length in 0..bytes.len() {
                if let Some(part) = Packet::parse(&bytes[..length]) {
                    assert_eq!(part.stamped.message, message, "cut at {length}");
                }
            }
        }
    }

    #[test]
    fn answers_count_and_strangers_do_not() {
        let answer = packet(3, PROC_EVENT_NONE, 1, &[1]);
        assert_eq!(Packet::answer(&answer), Some(1));
        let parsed = Packet::parse(&answer).unwrap();
        assert_eq!((parsed.cpu, parsed.sequence), (1, 3));
        assert_eq!(parsed.stamped.message, Message::Other);
        assert_eq!(
            Packet::answer(&packet(0, PROC_EVENT_EXEC, 0, &[1, 1])),
            None
        );
        let mut stranger = packet(0, PROC_EVENT_EXEC, 0, &[1, 1]);
        stranger[NETLINK_HEADER] = 9;
        assert_eq!(Packet::parse(&stranger), None);
    }

    #[test]
    fn gaps_are_counted_for_each_cpu() {
        let mut connector = Connector {
            socket: Socket::new(NETLINK_CONNECTOR).unwrap(),
            expected: HashMap::new(),
            lost: 0,
        };
        for (cpu, sequence) in [
            (0, 5),
            (1, 900),
            (0, 6),
            (0, 9),
            (1, 901),
            (2, u32::MAX),
            (2, 1),
        ] {
            let bytes = packet(sequence, PROC_EVENT_EXEC, cpu, &[1, 1]);
            connector.count_gap(&Packet::parse(&bytes).unwrap());
        }
        assert_eq!(connector.take_lost(), 2 + 1);
        assert_eq!(connector.take_lost(), 0);
    }
}
