// SPDX-License-Identifier: MIT OR Apache-2.0
//! Capabilities that stay, and for what. docs/privileges.md has the same list for users; a test compares them.

use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities};

use super::Needs;

/// Capabilities that stay until everything is attached.
pub(super) const EVER_NEEDED: CapabilitySet = CapabilitySet::BPF
    .union(CapabilitySet::PERFMON)
    .union(CapabilitySet::SYS_ADMIN)
    .union(CapabilitySet::SYSLOG)
    .union(CapabilitySet::SYS_PTRACE)
    .union(CapabilitySet::SYS_RESOURCE)
    .union(CapabilitySet::DAC_READ_SEARCH)
    .union(CapabilitySet::CHECKPOINT_RESTORE)
    .union(OUTPUTS);

/// Capabilities for outputs in directories of the user who called sudo, over a file of theirs. For the output thread
/// only.
pub(super) const OUTPUTS: CapabilitySet = CapabilitySet::DAC_OVERRIDE.union(CapabilitySet::FOWNER);

/// Capabilities of threads that trace.
pub(super) fn tracing(needs: &Needs) -> CapabilitySet {
    let looks_at_others = needs.surveys || needs.stacks || needs.call_sites;
    [
        // Until 5.19, with kernel.unprivileged_bpf_disabled set, even reading a map requires it.
        (CapabilitySet::BPF, needs.traces),
        (CapabilitySet::PERFMON, needs.bursts.is_some()),
        // Run-time statistics; other network namespaces; before 6.1 trampolines are rejected without it.
        (CapabilitySet::SYS_ADMIN, needs.traces || needs.surveys),
        (CapabilitySet::SYSLOG, needs.stacks),
        (CapabilitySet::SYS_PTRACE, looks_at_others),
        // Cgroups by their id, and files that only their owner may read.
        (CapabilitySet::DAC_READ_SEARCH, needs.traces || looks_at_others),
        (CapabilitySet::CHECKPOINT_RESTORE, needs.stacks),
    ]
    .into_iter()
    .filter_map(|(capability, is_needed)| is_needed.then_some(capability))
    .fold(CapabilitySet::empty(), CapabilitySet::union)
}

/// Drops all other capabilities.
pub(super) fn keep(kept: CapabilitySet) -> rustix::io::Result<()> {
    let CapabilitySets { effective, permitted, .. } = capabilities(None)?;
    let inheritable = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: effective & kept, permitted: permitted & kept, inheritable })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::confine::Reattach;

    /// Purposes of capabilities, in the words of docs/privileges.md.
    fn needed_for() -> [(&'static str, Needs); 6] {
        [
            ("tracing", Needs { traces: true, ..Needs::default() }),
            ("reading sockets", Needs { surveys: true, ..Needs::default() }),
            ("call sites", Needs { call_sites: true, ..Needs::default() }),
            ("stacks", Needs { stacks: true, ..Needs::default() }),
            ("port probes", Needs { bursts: Some(Reattach::Breakpoint), ..Needs::default() }),
            ("outputs", Needs::default()),
        ]
    }

    #[test]
    fn what_stays_is_what_the_documentation_says() {
        let page = include_str!("../../../docs/privileges.md");
        for (name, capability) in EVER_NEEDED.iter_names() {
            let stays = |what: &str, needs: &Needs| match what {
                "outputs" => OUTPUTS.contains(capability),
                _ => tracing(needs).contains(capability),
            };
            let while_what: Vec<_> =
                needed_for().iter().filter(|(what, needs)| stays(what, needs)).map(|(what, _)| *what).collect();
            let words = if while_what.is_empty() { "nothing".into() } else { while_what.join(", ") };
            let row = format!("| CAP_{name} | {words} |");
            assert!(page.contains(&row), "docs/privileges.md has no row {row}");
        }
    }
}
