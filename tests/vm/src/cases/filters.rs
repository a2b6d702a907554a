// SPDX-License-Identifier: MIT OR Apache-2.0
//! Each filter lets through exactly what it should: seven connects that differ in one thing each.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    thread,
};

use anyhow::{Result, anyhow, ensure};

use crate::{
    cgroup::Cgroup,
    harness::Report,
    netns,
    socket::{LOCALHOST, LOCALHOST6, Socket},
    tiers::Tier,
    tool::Tool,
};

const CGROUP: &str = "tcp-trace-test-filter";
const STRANGER_UID: u32 = 12345;

/// What tells the connects apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Made {
    Plain,
    OtherPort,
    OtherAddress,
    Ipv6,
    OtherComm,
    OtherCgroup,
    OtherProcess,
    OtherNetns,
}

use Made::*;

const ALL: [Made; 8] = [Plain, OtherPort, OtherAddress, Ipv6, OtherComm, OtherCgroup, OtherProcess, OtherNetns];

impl Made {
    /// Each has a port of its own, by which its line is known, so that nothing depends on other fields.
    fn remote(self) -> SocketAddr {
        let ip: IpAddr = match self {
            OtherAddress => Ipv4Addr::new(127, 9, 9, 9).into(),
            Ipv6 => LOCALHOST6,
            _ => LOCALHOST,
        };
        SocketAddr::new(ip, 2000 + self as u16)
    }

    /// No process listens: a refused connect is a connect.
    fn connect(self) -> Result<()> {
        let remote = self.remote();
        let errno = Socket::tcp(remote.ip())?.connect(remote);
        ensure!(errno == libc::ECONNREFUSED, "errno {errno}");
        Ok(())
    }

    fn make(self, cgroup: &Cgroup) -> Result<()> {
        match self {
            OtherComm => thread::scope(|scope| {
                let thread = thread::Builder::new().name("stranger".to_owned());
                thread.spawn_scoped(scope, || self.connect())?.join().map_err(|_| anyhow!("panicked"))?
            }),
            OtherCgroup => cgroup.within(|| self.connect()),
            OtherProcess => self.in_child(),
            OtherNetns => netns::within("caller", |_| self.connect()),
            _ => self.connect(),
        }
    }

    /// As another user too.
    fn in_child(self) -> Result<()> {
        let socket = Socket::tcp(LOCALHOST)?;
        // SAFETY: the child only makes system calls and leaves without running destructors.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: the child only makes system calls and leaves without running destructors; The system call itself:
            // libc's wrapper would ask the other threads, which are not here.
            let changed = unsafe { libc::syscall(libc::SYS_setuid, STRANGER_UID) } == 0;
            let refused = changed && socket.connect(self.remote()) == libc::ECONNREFUSED;
            // SAFETY: the child only makes system calls and leaves without running destructors.
            unsafe { libc::_exit(i32::from(!refused)) };
        }
        let mut status = -1;
        // SAFETY: waits for our own child.
        unsafe { libc::waitpid(child, &mut status, 0) };
        ensure!(status == 0, "the child could not connect");
        Ok(())
    }
}

pub fn run(report: &mut Report, tier: Tier) {
    let theme = format!("filters/{tier}");
    if !report.wants(&theme) {
        return;
    }
    // SAFETY: neither has preconditions.
    let pid = unsafe { libc::getpid() }.to_string();
    let uid = STRANGER_UID.to_string();
    let port = OtherPort.remote().port().to_string();
    let but = |left_out: &[Made]| ALL.into_iter().filter(|made| !left_out.contains(made)).collect::<Vec<_>>();
    let cases: [(&str, &[&str], Vec<Made>); 11] = [
        ("pid", &["--pid", &pid], but(&[OtherProcess])),
        ("comm", &["--comm", "stranger"], vec![OtherComm]),
        ("netns", &["--netns", "own"], but(&[OtherNetns])),
        ("uid", &["--uid", &uid], vec![OtherProcess]),
        ("cgroup", &["--cgroup", CGROUP], vec![OtherCgroup]),
        ("port", &["--port", &port], vec![OtherPort]),
        ("daddr", &["--daddr", "127.9.0.0/16"], vec![OtherAddress]),
        ("daddr_ipv6", &["--daddr", "::1"], vec![Ipv6]),
        ("ipv4", &["-4"], but(&[Ipv6])),
        ("ipv6", &["-6"], vec![Ipv6]),
        ("both_must_be_met", &["-4", "--comm", "caller", "--daddr", "127.9.9.9"], vec![OtherAddress]),
    ];
    // What a filter means is the same code on all tiers; where its values come from is not.
    let few = if tier == Tier::Fentry { cases.len() } else { 3 };
    for (name, arguments, wanted) in cases.into_iter().take(few) {
        report.test(&format!("{theme}/{name}"), || passes(tier, arguments, &wanted));
    }
}

fn passes(tier: Tier, arguments: &[&str], wanted: &[Made]) -> Result<()> {
    let cgroup = Cgroup::make(CGROUP)?;
    let (since, answer) = netns::within("caller", |netns| {
        // SAFETY: neither has preconditions.
        let own = unsafe { format!("/proc/{}/task/{}/ns/net", libc::getpid(), libc::gettid()) };
        let arguments: Vec<_> = arguments.iter().map(|word| if *word == "own" { own.as_str() } else { word }).collect();
        let tool = Tool::start_with_each_event(tier, &arguments)?;
        for made in ALL {
            made.make(&cgroup)?;
        }
        Ok((netns.inode, tool.stop()?))
    })?;
    let ports = ALL.map(|made| made.remote().port());
    // The other namespace is known by its port alone; others on this machine may use that port too.
    let ours =
        answer.of("connect").filter(|line| line["netns"] == since || line["dport"] == OtherNetns.remote().port());
    let mut got: Vec<_> = ours.filter_map(|line| line["dport"].as_u64()).collect();
    got.sort_unstable();
    let mut wanted: Vec<_> = wanted.iter().map(|made| u64::from(made.remote().port())).collect();
    wanted.sort_unstable();
    ensure!(got == wanted, "wanted {wanted:?}, got {got:?}, of {ports:?}");
    Ok(())
}
