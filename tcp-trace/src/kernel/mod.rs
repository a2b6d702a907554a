// SPDX-License-Identifier: MIT OR Apache-2.0
//! Facts: what this kernel offers and allows, read from `/sys`, `/proc` and `/boot`. Nothing is written. What cannot be
//! read is a fact with a reason, not an error.

pub mod btf;
pub mod cgroup_mount;
pub mod cpus;
pub mod descriptors;
pub mod generation;
pub mod hooks;
pub mod offsets;
pub mod privileges;
pub mod rules;
pub mod symbols;
mod sysctl;

use std::{fs, path::PathBuf};

use tcp_trace_common::{config::Config, offsets::Offsets};

use self::{
    btf::Btf,
    hooks::Hooks,
    privileges::{Lockdown, Privileges},
    rules::{SearchRules, Sysctls},
    symbols::{Resolved, TableOrder},
};

/// Mount points of the kernel's own file systems.
#[derive(Clone, Debug)]
pub struct Roots {
    /// Mount point of procfs.
    pub proc: PathBuf,
    /// Mount point of sysfs.
    pub sys: PathBuf,
    /// Folder with the kernel's configuration, on most distributions.
    pub boot: PathBuf,
}

impl Default for Roots {
    fn default() -> Self {
        Self { proc: "/proc".into(), sys: "/sys".into(), boot: "/boot".into() }
    }
}

/// Everything that a plan depends on.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Output of `uname -r`; for people only, no decision uses it.
    pub release: String,
    /// Size of the kernel's BTF in bytes, or why there is none.
    pub btf: Resolved<usize>,
    /// Offsets of the kernel structures' fields.
    pub offsets: Offsets,
    /// Fields that were expected and do not exist, with reasons.
    pub missing: Vec<String>,
    /// Whether the kernel has BPF ring buffers (5.8 and later).
    pub ring_buffer: bool,
    /// Whether BPF maps count as locked memory (before 5.11).
    pub accounts_locked_memory: bool,
    /// Whether a trampoline program can be attached again after it was detached (f3a95075549e, 5.13; derived from a
    /// helper of 5.13).
    pub trampolines_attach_again: bool,
    /// Hooks that the kernel offers.
    pub hooks: Hooks,
    /// Properties of the port search.
    pub search: SearchRules,
    /// Address of `table_perturb`, or why it is unknown.
    pub table_perturb: Resolved<u64>,
    /// Size of that table.
    pub table_order: TableOrder,
    /// Privileges of this process.
    pub privileges: Privileges,
    /// Lockdown mode, if the kernel has it.
    pub lockdown: Option<Lockdown>,
    /// Settings of the agent's own network namespace.
    pub sysctls: Sysctls,
}

impl Facts {
    /// Reads everything. The kernel's symbols, which are slow to read, are read only if `port_search` will be traced.
    pub fn survey(roots: &Roots, port_search: bool) -> Self {
        let release = fs::read_to_string(roots.proc.join("sys/kernel/osrelease")).unwrap_or_default().trim().to_owned();
        let path = roots.sys.join("kernel/btf/vmlinux");
        let bytes = fs::read(&path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => format!("{} does not exist (CONFIG_DEBUG_INFO_BTF)", path.display()),
            _ => format!("cannot read {}: {error}", path.display()),
        });
        let parsed = bytes
            .as_deref()
            .map_err(String::clone)
            .and_then(|bytes| Btf::parse(bytes).map_err(|error| format!("cannot parse {}: {error}", path.display())));
        let btf = parsed.as_ref().ok();
        let resolved = btf.map(offsets::resolve);
        let search = btf.map(SearchRules::from_btf).unwrap_or_default();
        let privileges = Privileges::survey(roots);
        Self {
            table_order: symbols::table_order(roots, &release),
            table_perturb: match (port_search, search.perturb_table) {
                (true, true) => symbols::table_perturb(roots, &privileges),
                (true, false) => Err("this kernel's port search does not start from table_perturb".into()),
                (false, _) => Err("not looked up: the port search is not traced".into()),
            },
            release,
            ring_buffer: btf.is_some_and(|btf| btf.enumerator(Some("bpf_map_type"), "BPF_MAP_TYPE_RINGBUF").is_some()),
            accounts_locked_memory: btf.is_some_and(|btf| btf.has_struct("bpf_map_memory")),
            trampolines_attach_again: btf
                .is_some_and(|btf| btf.enumerator(Some("bpf_func_id"), "BPF_FUNC_snprintf").is_some()),
            offsets: resolved.as_ref().map_or(Offsets::ABSENT, |resolved| resolved.offsets),
            missing: resolved.map(|resolved| resolved.missing).unwrap_or_default(),
            hooks: Hooks::survey(roots, btf),
            search,
            privileges,
            lockdown: Lockdown::survey(roots),
            sysctls: Sysctls::survey(roots),
            btf: parsed.and(bytes.as_ref().map(Vec::len).map_err(String::clone)),
        }
    }

    /// Writes what is known about the start of the port search into the kernel side's configuration.
    pub fn put_into(&self, config: &mut Config) {
        config.table_perturb = self.table_perturb.as_ref().copied().unwrap_or(0);
        config.table_perturb_mask = (1 << self.table_order.order) - 1;
        let walk = self.search.walk();
        config.socket_range_steps_by_one = walk.socket_range_steps_by_one.into();
        // Without the address no entry of the table is read, and the verifier removes the code that uses one.
        config.perturb_table = (walk.perturb_table && config.table_perturb != 0).into();
    }
}
