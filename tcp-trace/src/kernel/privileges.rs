// SPDX-License-Identifier: MIT OR Apache-2.0
//! Privileges of this process, and what the kernel allows to any process.

use std::{fmt, fs};

use serde::Serialize;

use super::Roots;

const CAP_SYS_ADMIN: u32 = 21;
const CAP_SYS_RESOURCE: u32 = 24;
const CAP_SYSLOG: u32 = 34;
const CAP_PERFMON: u32 = 38;
const CAP_BPF: u32 = 39;

/// Privileges of this process. `None`: could not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Privileges {
    /// Effective user id.
    pub euid: Option<u32>,
    /// Effective capabilities, one bit each.
    pub effective: Option<u64>,
    /// Whether the process is in the initial user namespace, where bpf() checks capabilities.
    pub initial_user_namespace: Option<bool>,
    /// Value of `kernel.unprivileged_bpf_disabled`.
    pub unprivileged_bpf_disabled: Option<u8>,
    /// Value of `kernel.kptr_restrict`.
    pub kptr_restrict: Option<u8>,
}

/// The kernel's lockdown, kernel_lockdown(7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Lockdown {
    /// Off.
    None,
    /// Forbids changing the kernel: tracing works.
    Integrity,
    /// Forbids reading the kernel too: tracing does not work.
    Confidentiality,
}

impl fmt::Display for Lockdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::None => "none",
            Self::Integrity => "integrity",
            Self::Confidentiality => "confidentiality",
        })
    }
}

impl Privileges {
    /// Reads the privileges.
    pub fn survey(roots: &Roots) -> Self {
        let status = fs::read_to_string(roots.proc.join("self/status")).unwrap_or_default();
        let field = |name| status.lines().find_map(|line| line.strip_prefix(name));
        Self {
            // real, effective, saved, file system
            euid: field("Uid:").and_then(|ids| ids.split_whitespace().nth(1)?.parse().ok()),
            effective: field("CapEff:").and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()),
            initial_user_namespace: fs::read_to_string(roots.proc.join("self/uid_map")).ok().map(|map| {
                // The initial namespace maps every id to itself.
                map.split_whitespace().eq(["0", "0", "4294967295"])
            }),
            unprivileged_bpf_disabled: roots.sysctl("kernel/unprivileged_bpf_disabled"),
            kptr_restrict: roots.sysctl("kernel/kptr_restrict"),
        }
    }

    /// Whether the process has a capability, as far as known.
    fn has(&self, capability: u32) -> bool {
        self.effective.is_some_and(|mask| mask >> capability & 1 == 1)
    }

    /// Whether bpf() will load tracing programs for this process: CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN, which
    /// implies both.
    pub fn may_trace(&self) -> bool {
        (self.has(CAP_SYS_ADMIN) || (self.has(CAP_BPF) && self.has(CAP_PERFMON)))
            && self.initial_user_namespace != Some(false)
    }

    /// The privileges missing for tracing, in words; `None` if none is missing.
    pub fn missing_for_tracing(&self) -> Option<String> {
        if self.may_trace() {
            None
        } else if self.initial_user_namespace == Some(false) {
            Some("needs CAP_BPF and CAP_PERFMON in the initial user namespace, and this is another".into())
        } else {
            let lacking: Vec<_> = [(CAP_BPF, "CAP_BPF"), (CAP_PERFMON, "CAP_PERFMON")]
                .into_iter()
                .filter_map(|(capability, name)| (!self.has(capability)).then_some(name))
                .collect();
            Some(format!("needs root, or {}", lacking.join(" and ")))
        }
    }

    /// Whether /proc/kallsyms shows addresses: CAP_SYSLOG.
    pub fn may_see_addresses(&self) -> bool {
        self.has(CAP_SYSLOG)
    }

    /// Whether the process can create a mount namespace: CAP_SYS_ADMIN.
    pub fn may_mount(&self) -> bool {
        self.has(CAP_SYS_ADMIN)
    }

    /// Whether the process can lock more memory than the hard limit: CAP_SYS_RESOURCE.
    pub fn may_raise_limits(&self) -> bool {
        self.has(CAP_SYS_RESOURCE)
    }
}

impl Lockdown {
    /// The current mode; `None` where the kernel has no lockdown, or securityfs is not mounted.
    pub fn survey(roots: &Roots) -> Option<Self> {
        let text = fs::read_to_string(roots.sys.join("kernel/security/lockdown")).ok()?;
        let (_, rest) = text.split_once('[')?;
        match rest.split_once(']')?.0 {
            "none" => Some(Self::None),
            "integrity" => Some(Self::Integrity),
            "confidentiality" => Some(Self::Confidentiality),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(capabilities: &[u32]) -> Privileges {
        Privileges {
            effective: Some(capabilities.iter().fold(0, |mask, bit| mask | 1 << bit)),
            ..Privileges::default()
        }
    }

    #[test]
    fn bpf_and_perfmon_are_enough() {
        assert!(with(&[CAP_BPF, CAP_PERFMON]).may_trace());
        assert!(with(&[CAP_SYS_ADMIN]).may_trace());
        assert_eq!(with(&[CAP_BPF]).missing_for_tracing().as_deref(), Some("needs root, or CAP_PERFMON"));
        assert_eq!(with(&[]).missing_for_tracing().as_deref(), Some("needs root, or CAP_BPF and CAP_PERFMON"));
        assert!(!Privileges::default().may_trace());
    }

    #[test]
    fn root_of_a_user_namespace_is_nobody_to_bpf() {
        let inside = Privileges { initial_user_namespace: Some(false), ..with(&[CAP_SYS_ADMIN]) };
        assert!(!inside.may_trace());
        assert!(inside.missing_for_tracing().is_some_and(|why| why.contains("initial user namespace")));
    }
}
