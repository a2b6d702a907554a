// SPDX-License-Identifier: MIT OR Apache-2.0
//! The generation of the port search in words, and what a newer kernel would improve. Derived from how the search
//! works, not from the kernel's version, because distributions backport parts of it.

use super::rules::SearchRules;

/// The versions of kernel.org that search like this one.
pub fn name(rules: &SearchRules) -> &'static str {
    // Newest first: each one includes the properties of those below it.
    match rules {
        SearchRules { step_width: true, .. } => "that of 7.1 and later",
        SearchRules { heals_buckets: true, .. } => "that of 6.18 to 7.0",
        SearchRules { rcu_lookup: true, .. } => "that of 6.15 to 6.17",
        SearchRules { socket_range_steps_by_one: true, .. } => "that of 6.8 to 6.14",
        SearchRules { perturb_table: true, .. } => {
            "that of 5.18 to 6.7, and of older kernels with its table backported"
        }
        _ => "that of kernels before 5.18",
    }
}

/// How this kernel searches, one line per property.
pub fn explained(rules: &SearchRules) -> Vec<&'static str> {
    let SearchRules { socket_range, socket_range_steps_by_one, perturb_table, rcu_lookup, step_width, heals_buckets } =
        *rules;
    vec![
        "ports of one parity first, then of the other: the cliff is at half the range",
        if perturb_table {
            "starts at a random place of table_perturb (since 5.18 and its backports)"
        } else {
            "starts at a place that cannot be derived (before 5.18 and its backports)"
        },
        if rcu_lookup {
            "taken ports are first checked without a lock (6.15 and later): the second pass is cheaper, but still there"
        } else {
            "each taken port is tested under its bucket's lock (before 6.15)"
        },
        match (socket_range, socket_range_steps_by_one) {
            (false, _) => "sockets have no range of their own (IP_LOCAL_PORT_RANGE was added in 6.3)",
            (true, false) => {
                "a socket's own range (IP_LOCAL_PORT_RANGE) is also searched by parity: it does not avoid the cliff"
            }
            (true, true) => "a socket's own range (IP_LOCAL_PORT_RANGE) is searched in one pass: it avoids the cliff",
        },
        if step_width {
            "steps can be random (ip_local_port_step_width, 7.1 and later)"
        } else {
            "steps are always two ports wide (ip_local_port_step_width was added in 7.1)"
        },
        if heals_buckets {
            "a port marked by bind() becomes usable once the binding socket closes (6.18 and later)"
        } else {
            "a port marked by bind() is skipped until its last user closes (before 6.18)"
        },
    ]
}

/// What newer kernels do better, each with the version that began it.
pub fn upgrades(rules: &SearchRules) -> Vec<&'static str> {
    let has = [
        (
            rules.socket_range_steps_by_one,
            "6.8: a program that sets IP_LOCAL_PORT_RANGE has no cliff at half of its range",
        ),
        (
            rules.rcu_lookup,
            "6.15: beyond the cliff a connect still walks the full half, but takes no lock for ports in use",
        ),
        (
            rules.heals_buckets,
            "6.18: ports marked by bind() become usable once the binding socket closes, not its last user",
        ),
        (
            rules.step_width,
            "7.1: ip_local_port_step_width spreads the chosen ports; it does not move the cliff and is off by default",
        ),
    ];
    has.into_iter().filter(|(has, _)| !has).map(|(_, buys)| buys).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OF_6_1: SearchRules = SearchRules {
        socket_range: true,
        socket_range_steps_by_one: false,
        perturb_table: true,
        rcu_lookup: false,
        step_width: false,
        heals_buckets: false,
    };

    #[test]
    fn the_newest_kernel_has_nothing_to_gain() {
        let newest = SearchRules {
            socket_range_steps_by_one: true,
            rcu_lookup: true,
            step_width: true,
            heals_buckets: true,
            ..OF_6_1
        };
        assert_eq!((name(&newest), upgrades(&newest).len()), ("that of 7.1 and later", 0));
        assert!(explained(&newest).iter().any(|line| line.contains("it avoids the cliff")));
    }

    #[test]
    fn an_old_one_has() {
        assert!(name(&OF_6_1).starts_with("that of 5.18 to 6.7"));
        assert_eq!(upgrades(&OF_6_1).len(), 4);
        assert!(explained(&OF_6_1).iter().any(|line| line.contains("it does not avoid the cliff")));
    }
}
