// SPDX-License-Identifier: MIT OR Apache-2.0
//! Drops what a live command does not need, in two steps: first, before it reads anything from outside, what no live
//! command ever needs; then, once everything is attached, what this run no longer needs. All of it applies to a thread,
//! and to threads that it starts later.
//!
//! Two kinds of threads divide the run. Threads that trace read other processes and open no file for writing. One
//! thread ([`output_thread`](crate::export::output_thread)), and threads that it starts, open and rename outputs, and
//! read nothing else. Landlock confines only the second kind: it hides every other process from a confined thread
//! (ptrace_access_check), and so the sockets, mappings and namespaces that the first kind reads.

mod capabilities;
mod files;
mod system_calls;

use std::path::PathBuf;

use rustix::thread::set_no_new_privs;

/// What the rest of a run does. Everything else becomes impossible.
#[derive(Clone, Debug, Default)]
pub struct Needs {
    /// Programs are attached: maps are read, their cost is measured, cgroups get their paths.
    pub traces: bool,
    /// Sockets of every network namespace and their owners are read.
    pub surveys: bool,
    /// Call sites are looked up in programs.
    pub call_sites: bool,
    /// Files and mappings of other processes are read for the names of functions.
    pub stacks: bool,
    /// Port probes are attached repeatedly.
    pub bursts: Option<Reattach>,
    /// Files that are opened or renamed from now on.
    pub outputs: Vec<PathBuf>,
}

/// What attaching port probes again needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reattach {
    /// A link to a trampoline.
    Trampoline,
    /// A trampoline with a newly loaded program: before 5.13 such a program can be attached only once.
    TrampolineOfNewProgram,
    /// A perf event with a breakpoint.
    Breakpoint,
}

/// Drops what is not needed after this point. Must be called while this thread is the only one.
pub fn before_attaching() {
    if let Err(error) = set_no_new_privs(true).and_then(|()| capabilities::keep(capabilities::EVER_NEEDED)) {
        tracing::info!("cannot drop unneeded privileges: {error}");
    }
}

/// Confines the calling thread, which traces from now on.
pub fn tracing(needs: &Needs) {
    capabilities_of(capabilities::tracing(needs));
    system_calls_of(system_calls::tracing(needs));
}

/// Confines the calling thread, which opens outputs from now on.
pub fn outputs(paths: &[PathBuf]) {
    match files::only(paths) {
        Ok(files::Enforced::Yes) => {}
        Ok(files::Enforced::InPart) => tracing::info!("Landlock on this kernel confines outputs only in part"),
        Ok(files::Enforced::No) => {
            tracing::info!("outputs are not confined to their folders: this kernel has no Landlock")
        }
        Err(error) => tracing::warn!("outputs are not confined to their folders: {error}"),
    }
    capabilities_of(capabilities::OUTPUTS);
    system_calls_of(system_calls::outputs());
}

fn capabilities_of(kept: rustix::thread::CapabilitySet) {
    if let Err(error) = capabilities::keep(kept) {
        tracing::warn!("cannot drop privileges that are no longer needed: {error}");
    }
}

fn system_calls_of(allowed: Result<system_calls::Allowed, seccompiler::Error>) {
    if let Err(error) = system_calls::only(allowed) {
        tracing::warn!("cannot restrict system calls: {error}");
    }
}

#[cfg(test)]
mod tests;
