// SPDX-License-Identifier: MIT OR Apache-2.0
//! Finding `bind-before-connect`: `bind()` to port 0 chooses a port that is free towards every destination, where
//! `connect()` would have shared one.

use super::{Code, Evidence, Finding, Severity, grouped, netns_shell::NetnsShell};
use crate::{
    aggregate::{
        bind::{BindSnapshot, Binder, SpaceMarks},
        observed::Observed,
    },
    kernel::rules::Sysctls,
};

/// Binds below this count are normal for an FTP client or a test.
const ENOUGH: u64 = 20;
/// Held ports cost from one in this many of the range on.
const MUCH: u64 = 10;

/// What is known about one network namespace.
struct Space<'a> {
    netns: u32,
    /// The process with most calls among those that bind to port 0.
    binder: Option<&'a Binder>,
    marks: Option<&'a SpaceMarks>,
    calls: u64,
    connected: u64,
    in_use: u64,
}

pub(super) fn find(observed: &Observed, sysctls: &Sysctls) -> Vec<Finding> {
    let bind = &observed.bind;
    let spaces = super::bind_spaces(bind).into_iter().map(|netns| Space::of(bind, netns));
    spaces.filter_map(|space| space.find(observed, sysctls)).collect()
}

impl<'a> Space<'a> {
    fn of(bind: &'a BindSnapshot, netns: u32) -> Self {
        let binders = || bind.binders.iter().filter(move |binder| binder.netns == netns);
        let sum = |count: fn(&Binder) -> u64| binders().map(count).sum();
        Self {
            netns,
            binder: binders()
                .filter(|binder| binder.any_port.connected + binder.any_port.in_use > 0)
                .max_by_key(|binder| binder.any_port.calls),
            marks: bind.marks.iter().flatten().find(|space| space.netns == netns),
            calls: sum(|binder| binder.any_port.calls),
            connected: sum(|binder| binder.any_port.connected),
            in_use: sum(|binder| binder.any_port.in_use),
        }
    }

    /// Ports held by sockets that bind() gave a port of their own, where the survey shows them.
    fn held(&self) -> Option<u64> {
        self.marks.map(|space| space.marks.bound)
    }

    fn ports(&self) -> Option<u64> {
        let range = self.binder.and_then(|binder| binder.range);
        let from_binder = range.map(|(low, high)| u64::from(high.saturating_sub(low)) + 1);
        self.marks.map(|space| space.marks.ports()).or(from_binder)
    }

    fn severity(&self) -> Option<Severity> {
        let (held, ports) = (self.held().unwrap_or(0), self.ports().unwrap_or(u64::MAX));
        // Where bind() finds no free port although bound sockets hold few of them, something else holds them.
        let its_own_doing = self.held().is_none() || held * MUCH >= ports;
        if held * 2 >= ports || (self.in_use > 0 && its_own_doing) {
            Some(Severity::Critical)
        } else if held.saturating_mul(MUCH) >= ports {
            Some(Severity::Warning)
        } else if self.connected >= ENOUGH {
            Some(Severity::Info)
        } else {
            None
        }
    }

    /// The process that binds: the one that was traced, or else the one that holds most of the ports.
    fn who(&self) -> Option<(String, u32)> {
        let holder = || self.marks?.holders.first().map(|(process, _)| (process.comm, process.pid));
        let seen = self.binder.map(|binder| (binder.process.comm, binder.process.pid));
        seen.or_else(holder).map(|(comm, pid)| (format!("{comm} ({pid})"), pid))
    }

    fn find(&self, observed: &Observed, sysctls: &Sysctls) -> Option<Finding> {
        let severity = self.severity()?;
        let who = self.who();
        let name = who.as_ref().map_or("a process", |(name, _)| name);
        let shell = NetnsShell::of(observed, sysctls, self.netns, who.as_ref().map(|(_, pid)| *pid));
        Some(Finding {
            code: Code::BindBeforeConnect,
            severity,
            headline: self.headline(name),
            evidence: self.evidence(who.as_ref().map(|(name, _)| name)),
            fix: fix(&shell),
            gain: Some(self.gain()),
            risk: Some("the socket has no port until connect(): getsockname() returns 0 before that".into()),
        })
    }

    fn headline(&self, name: &str) -> String {
        let of = self.ports().map_or(String::new(), |ports| format!(" of {}", grouped(ports)));
        let failed = match self.in_use {
            0 => String::new(),
            failed => format!("; bind() failed {} times with EADDRINUSE: no port was free", grouped(failed)),
        };
        match self.held() {
            Some(held) => format!(
                "{name} binds before it connects: {}{of} local ports serve one connection each, across all \
                 destinations{failed}",
                grouped(held)
            ),
            None => format!(
                "{name} binds before it connects: bind() gave {} sockets a port of their own, across all \
                 destinations{failed}",
                grouped(self.connected)
            ),
        }
    }

    fn evidence(&self, who: Option<&String>) -> Vec<(&'static str, Evidence)> {
        let text = |text: &str| Evidence::Text(text.to_owned());
        let site = self.binder.and_then(Binder::any_port_site);
        let counts = self.binder.map(|binder| &binder.any_port);
        vec![
            ("process", who.map_or(Evidence::Unknown, |name| text(name))),
            ("netns", Evidence::Number(self.netns.into())),
            ("ports_held", Evidence::number(self.held())),
            ("ports", Evidence::number(self.ports())),
            ("binds_to_port_0", Evidence::Number(self.calls)),
            ("then_connected", Evidence::Number(self.connected)),
            ("bind_in_use", Evidence::Number(self.in_use)),
            ("bind_mean_ns", Evidence::number(counts.and_then(|of| of.took_ns.checked_div(of.calls)))),
            ("call_site", site.map_or(Evidence::Unknown, text)),
        ]
    }

    fn gain(&self) -> String {
        match self.held() {
            Some(held) if held > 0 => format!(
                "{} ports can then serve other destinations too; the limit per destination stays the same",
                grouped(held)
            ),
            _ => "each port then serves one connection per destination instead of one in total".into(),
        }
    }
}

fn fix(shell: &NetnsShell) -> Vec<String> {
    vec![
        "# in the program, before bind(), on every kernel since 4.2: setsockopt(fd, IPPROTO_IP, \
         IP_BIND_ADDRESS_NO_PORT, &one, sizeof one); connect() then chooses the port"
            .into(),
        "# or do not call bind() if the route already selects the right source address (ip route get)".into(),
        "# see who holds the ports now:".into(),
        shell.command("ss -tnp state established"),
    ]
}
