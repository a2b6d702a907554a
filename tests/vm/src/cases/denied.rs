// SPDX-License-Identifier: MIT OR Apache-2.0
//! Connects that are forbidden before TCP sees them, and the cgroup that a caller belongs to.

use std::{net::SocketAddr, thread};

use anyhow::{Context as _, Result, anyhow, ensure};

use super::{outcomes::failing, theme};
use crate::{
    bpf::{self, Forbidden},
    cgroup::Cgroup,
    harness::{Report, not_run},
    seen::{self, Seen},
    socket::{LOCALHOST, LOCALHOST6, Socket},
    tiers::Tier,
};

pub fn run(report: &mut Report, tier: Tier) {
    // There until the tool has looked its path up.
    let cgroup = Cgroup::make("tcp-trace-test");
    theme::run(report, "denied", tier, &[], |_, acts| {
        for (family, ip, attach_type) in
            [("ipv4", LOCALHOST, bpf::INET4_CONNECT), ("ipv6", LOCALHOST6, bpf::INET6_CONNECT)]
        {
            let (allowed, forbidden) = (acts.remote(ip), acts.remote(ip));
            acts.act(&format!("cgroup_program_{family}"), by_cgroup(&cgroup, allowed, forbidden, attach_type));
            let remote = acts.remote(ip);
            acts.one(&format!("landlock_{family}"), by_landlock(remote));
        }
        Ok(())
    });
}

fn by_cgroup(
    cgroup: &Result<Cgroup>,
    allowed: SocketAddr,
    forbidden: SocketAddr,
    attach_type: u32,
) -> Result<Vec<Seen>> {
    let cgroup = cgroup.as_ref().map_err(|error| not_run(format!("{error:#}")))?;
    let _listener = Socket::listener(allowed, 16)?;
    cgroup.within(|| {
        let allowed = seen::established(allowed)?.with("cgroup", "/tcp-trace-test");
        let _program = Forbidden::attach(&cgroup.path, attach_type)?;
        let forbidden = failing(forbidden, "denied", libc::EPERM)?.with("cgroup", "/tcp-trace-test");
        Ok(vec![allowed, forbidden])
    })
}

/// In a thread of its own: the rule is for the thread, and for good.
fn by_landlock(remote: SocketAddr) -> Result<Seen> {
    let thread = thread::Builder::new().name("caller".to_owned()).spawn(move || {
        forbid_connect()?;
        failing(remote, "denied", libc::EACCES)
    });
    thread.context("could not start a thread")?.join().map_err(|_| anyhow!("the thread panicked"))?
}

fn forbid_connect() -> Result<()> {
    const ACCESS_NET_CONNECT_TCP: u64 = 1 << 1;
    // struct landlock_ruleset_attr: handled_access_fs, handled_access_net.
    let rules = [0_u64, ACCESS_NET_CONNECT_TCP];
    // SAFETY: sixteen bytes that outlive the call.
    let ruleset = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, rules.as_ptr(), size_of_val(&rules), 0) };
    if ruleset < 0 {
        return Err(not_run("this kernel has no Landlock for TCP"));
    }
    // SAFETY: a descriptor and no flags.
    let result = unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset, 0) };
    ensure!(result == 0, "landlock_restrict_self: {}", std::io::Error::last_os_error());
    // SAFETY: ours, and not used any more.
    unsafe { libc::close(ruleset as i32) };
    Ok(())
}
