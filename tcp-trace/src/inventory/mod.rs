// SPDX-License-Identifier: MIT OR Apache-2.0
//! The present state: TCP sockets of every network namespace, counters, settings, and owners of sockets. Needs no
//! program in the kernel. What cannot be read is left out and listed.

mod container;
pub mod diag;
pub mod limits;
mod marks;
pub mod namespaces;
pub mod netstat;
pub mod owners;
#[cfg(test)]
pub(crate) mod sample;
pub mod socket;
pub mod surveyor;

use std::{io, sync::Arc};

use tcp_trace_common::bind::RawMark;

use self::{
    diag::states,
    limits::{Conntrack, Limits},
    namespaces::{Namespace, Namespaces, within},
    netstat::NetStat,
    owners::Owners,
    socket::Socket,
};
use crate::{
    clock,
    kernel::{Roots, rules::Sysctls},
    probes::iterator::Iterator as SocketProgram,
};

/// Upper limit of sockets that are kept, of all namespaces together; more are only counted. Some 40 MB.
const SOCKETS: usize = 1 << 19;
/// Number of attempts before a list that the kernel calls inconsistent is used as it is.
const TRIES: u32 = 3;

/// What to read.
#[derive(Clone, Debug)]
pub struct SurveyRequest {
    /// The only network namespace to read, if limited.
    pub netns: Option<u32>,
    /// Sockets in these states: [`states`].
    pub states: u32,
    /// Whether to find owners, which reads every file descriptor of the machine.
    pub owners: bool,
    /// Whether to read limits, which reads every process.
    pub limits: bool,
    /// The program that reads marks; `None`: marks are not read.
    pub marks: Option<Arc<SocketProgram>>,
}

/// The present state; namespaces are read one after another.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// Start of reading on the monotonic clock, in ns.
    pub begin_ns: u64,
    /// Duration of reading, in ns.
    pub took_ns: u64,
    /// Network namespaces, the agent's own first.
    pub spaces: Vec<Space>,
    /// Owners of sockets; empty unless requested.
    pub owners: Owners,
    /// Whether this kernel lists sockets that are only bound (6.8 and later). `None`: could not be found out.
    pub lists_bound: Option<bool>,
    /// Limits around connections; `None` unless requested.
    pub limits: Option<Limits>,
    /// What could not be read, in words.
    pub warnings: Vec<String>,
}

/// One network namespace.
#[derive(Clone, Debug)]
pub struct Space {
    /// The namespace.
    pub namespace: Namespace,
    /// Its settings.
    pub sysctls: Sysctls,
    /// Its counters.
    pub counters: NetStat,
    /// Its connection tracking table; `None` where conntrack is not loaded.
    pub conntrack: Option<Conntrack>,
    /// Its sockets, IPv4 first, listeners before others.
    pub sockets: Vec<Socket>,
    /// Number of sockets beyond `sockets`.
    pub beyond: u64,
    /// Sockets whose port carries the mark of a `bind()`; `None`: not read, or unavailable.
    pub marks: Option<Vec<RawMark>>,
}

impl SurveyRequest {
    /// Requests every socket of every namespace, and its owner.
    pub const ALL: Self = Self { netns: None, states: states::ALL, owners: true, limits: true, marks: None };
}

impl Inventory {
    /// Reads everything that is requested.
    pub fn take(request: &SurveyRequest) -> Self {
        let begin_ns = clock::monotonic_ns();
        let mut inventory = Self { begin_ns, lists_bound: diag::lists_bound(), ..Self::default() };
        let found = Namespaces::all().unwrap_or_else(|error| Namespaces {
            list: Vec::new(),
            warnings: vec![format!("no network namespace is visible: {error}")],
        });
        inventory.warnings = found.warnings;
        let mut room = SOCKETS;
        let mut refused = Vec::new();
        for namespace in found.list.into_iter().filter(|found| request.netns.is_none_or(|netns| netns == found.inode)) {
            match Space::take(namespace, request, room) {
                Ok(Some(space)) => {
                    room -= space.sockets.len();
                    inventory.spaces.push(space);
                }
                // The namespace ended meanwhile.
                Ok(None) => {}
                Err(error) => refused.push(error),
            }
        }
        inventory.warnings.extend(refusals(&refused));
        if request.owners {
            inventory.owners = Owners::read();
            inventory.warnings.append(&mut inventory.owners.warnings);
        }
        if request.limits {
            let conntrack = inventory.spaces.iter().filter_map(|space| space.conntrack).collect();
            inventory.limits = Some(Limits { conntrack, ..Limits::survey(&Roots::default()) });
        }
        inventory.took_ns = clock::monotonic_ns().saturating_sub(begin_ns);
        inventory
    }

    /// Sockets of all namespaces, each with its namespace.
    pub fn sockets(&self) -> impl Iterator<Item = (&Space, &Socket)> {
        self.spaces.iter().flat_map(|space| space.sockets.iter().map(move |socket| (space, socket)))
    }

    /// The namespace with this inode number.
    pub fn space(&self, netns: u32) -> Option<&Space> {
        self.spaces.iter().find(|space| space.namespace.inode == netns)
    }
}

impl Space {
    /// Reads a namespace; `None`: it is gone.
    fn take(namespace: Namespace, request: &SurveyRequest, room: usize) -> io::Result<Option<Self>> {
        let inode = namespace.inode;
        let looked = within(&namespace, move || {
            let (sockets, beyond) = list(inode, request.states, room)?;
            let marks = request.marks.as_deref().map(marks::read).transpose()?;
            let settings = (Sysctls::survey(&Roots::default()), NetStat::read(), Conntrack::of_this_thread(inode));
            Ok((sockets, beyond, marks, settings))
        });
        match looked {
            Ok(Ok((sockets, beyond, marks, (sysctls, counters, conntrack)))) => {
                Ok(Some(Self { namespace, sysctls, counters, conntrack, sockets, beyond, marks }))
            }
            Ok(Err(refused)) => Err(refused),
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH | libc::ESTALE)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Sockets of the calling thread's namespace, and the number beyond `room`.
fn list(netns: u32, states: u32, room: usize) -> io::Result<(Vec<Socket>, u64)> {
    let mut left = TRIES;
    loop {
        let mut sockets = Vec::new();
        let mut beyond = 0;
        let visit = diag::visit(netns, states, |socket| {
            if sockets.len() < room {
                sockets.push(*socket);
            } else {
                beyond += 1;
            }
        })?;
        left -= 1;
        if !visit.interrupted || left == 0 {
            return Ok((sockets, beyond));
        }
    }
}

/// One line per reason, however many namespaces share it.
fn refusals(refused: &[io::Error]) -> Vec<String> {
    let mut reasons: Vec<(String, usize)> = Vec::new();
    for error in refused {
        let words = match error.kind() {
            io::ErrorKind::PermissionDenied => "entering it needs CAP_SYS_ADMIN".to_owned(),
            _ => diag::refusal(error),
        };
        match reasons.iter_mut().find(|(reason, _)| *reason == words) {
            Some((_, count)) => *count += 1,
            None => reasons.push((words, 1)),
        }
    }
    let lines = reasons.into_iter().map(|(words, count)| match count {
        1 => format!("one network namespace: {words}"),
        count => format!("{count} network namespaces: {words}"),
    });
    lines.collect()
}
