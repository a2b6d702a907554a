// SPDX-License-Identifier: MIT OR Apache-2.0
//! Gives up what a live command never needs, before anything from outside is read: most of root's capabilities, and the way
//! to get others by executing a program.

use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities, set_no_new_privs};

/// What stays, as far as this process has it. docs/privileges.md says what each is for.
const NEEDED: CapabilitySet = CapabilitySet::BPF
    .union(CapabilitySet::PERFMON)
    // Network namespaces, a private mount of tracefs, run-time statistics; before 5.8 all of BPF.
    .union(CapabilitySet::SYS_ADMIN)
    .union(CapabilitySet::SYSLOG)
    .union(CapabilitySet::SYS_PTRACE)
    .union(CapabilitySet::SYS_RESOURCE)
    // Cgroups by their id; files of others.
    .union(CapabilitySet::DAC_READ_SEARCH)
    // Output into directories of the user who called sudo, over a file of theirs.
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FOWNER)
    // Files behind mappings, from 5.9 on.
    .union(CapabilitySet::CHECKPOINT_RESTORE);

/// Of this thread and those that it starts: to be called while it is the only one.
pub fn confine() {
    if let Err(error) = set_no_new_privs(true).and_then(|()| drop_needless()) {
        tracing::info!("privileges that are not needed are kept: {error}");
    }
}

fn drop_needless() -> rustix::io::Result<()> {
    let CapabilitySets { effective, permitted, .. } = capabilities(None)?;
    let inheritable = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: effective & NEEDED, permitted: permitted & NEEDED, inheritable })
}
