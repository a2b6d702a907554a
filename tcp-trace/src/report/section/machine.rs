// SPDX-License-Identifier: MIT OR Apache-2.0
//! Section: the kernel, its port search, its settings, and what this run could see.

use super::{Block, Material};
use crate::{
    kernel::{generation, rules::Sysctls},
    probes::tier::Tier,
    report::table::Table,
};

pub(super) fn blocks(material: &Material<'_>) -> Vec<Block> {
    vec![Block::Table(facts(material)), Block::Table(signals(material)), Block::Table(settings(material))]
}

fn facts(material: &Material<'_>) -> Table {
    let session = material.session;
    let mut table = Table::new("Kernel", &["what", "fact"]);
    let kernel = if session.kernel.is_empty() { "?" } else { &session.kernel };
    table.push(["kernel".into(), kernel.into()]);
    if session.rules_known {
        table.push(["port search".into(), generation::name(&session.rules).into()]);
        for buys in generation::upgrades(&session.rules) {
            table.push(["a newer kernel".into(), buys.into()]);
        }
    } else {
        table.push(["port search".into(), "? (the kernel has no BTF)".into()]);
    }
    let exact = "known: ports visited are exact";
    let sees_search = matches!(material.summary.tier, Some(Tier::Fentry | Tier::Kprobe));
    let perturb = session.table_perturb_unknown.as_deref().unwrap_or(exact);
    if sees_search {
        table.push(["table_perturb".into(), perturb.into()]);
    }
    table
}

fn signals(material: &Material<'_>) -> Table {
    let mut table = Table::new("What was traced, and how", &["signal", "tier", "not seen on this tier"]);
    for (signal, active) in &material.session.signals {
        let limitations = if active.limitations.is_empty() { "-".into() } else { active.limitations.join("; ") };
        table.push([signal.to_string(), active.tier.to_string(), limitations]);
    }
    if material.session.signals.is_empty() {
        table.note("nothing was traced: this is what can be read without tracing")
    } else {
        table
    }
}

fn settings(material: &Material<'_>) -> Table {
    let mut table = Table::new("Settings of the network namespace in which this ran", &["setting", "value#"]);
    for (name, value) in named(&material.session.sysctls) {
        table.push([name.into(), value.unwrap_or_else(|| "?".into())]);
    }
    table.note("?: unknown, or this kernel has no such setting")
}

fn named(sysctls: &Sysctls) -> [(&'static str, Option<String>); 13] {
    fn shown(value: Option<impl ToString>) -> Option<String> {
        value.map(|value| value.to_string())
    }
    let reserved = sysctls.ip_local_reserved_ports.as_deref();
    [
        ("ip_local_port_range", sysctls.ip_local_port_range.map(|(low, high)| format!("{low}-{high}"))),
        ("ip_local_reserved_ports", reserved.map(|ports| if ports.is_empty() { "none".into() } else { ports.into() })),
        ("ip_local_port_step_width", shown(sysctls.ip_local_port_step_width)),
        ("tcp_tw_reuse", shown(sysctls.tcp_tw_reuse)),
        ("tcp_tw_reuse_delay", shown(sysctls.tcp_tw_reuse_delay)),
        ("tcp_timestamps", shown(sysctls.tcp_timestamps)),
        ("tcp_max_tw_buckets", shown(sysctls.tcp_max_tw_buckets)),
        ("tcp_fin_timeout", shown(sysctls.tcp_fin_timeout)),
        ("somaxconn", shown(sysctls.somaxconn)),
        ("tcp_max_syn_backlog", shown(sysctls.tcp_max_syn_backlog)),
        ("tcp_syncookies", shown(sysctls.tcp_syncookies)),
        ("tcp_abort_on_overflow", shown(sysctls.tcp_abort_on_overflow)),
        ("tcp_max_orphans", shown(sysctls.tcp_max_orphans)),
    ]
}
