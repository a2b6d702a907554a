// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which generation of the port search this is, in words, and what a newer kernel would buy. Told by what the search
//! does, not by the kernel's version: distributions carry pieces of it back.

use super::rules::SearchRules;

/// The versions of kernel.org that search like this one.
pub fn name(rules: &SearchRules) -> &'static str {
    // Newest first: each does what those below it do.
    match rules {
        SearchRules { step_width: true, .. } => "of 7.1 and later",
        SearchRules { heals_buckets: true, .. } => "of 6.18 to 7.0",
        SearchRules { rcu_lookup: true, .. } => "of 6.15 to 6.17",
        SearchRules { socket_range_steps_by_one: true, .. } => "of 6.8 to 6.14",
        SearchRules { perturb_table: true, .. } => "of 5.18 to 6.7, and of older kernels that got its table",
        _ => "of before 5.18",
    }
}

/// How it searches.
pub fn explained(rules: &SearchRules) -> Vec<&'static str> {
    let SearchRules { socket_range, socket_range_steps_by_one, perturb_table, rcu_lookup, step_width, heals_buckets } =
        *rules;
    vec![
        "ports of one parity first, then of the other: the cliff is at half the range",
        if perturb_table {
            "starts at a random place of table_perturb (since 5.18 and its backports)"
        } else {
            "starts at a place that is not known here (before 5.18 and its backports)"
        },
        if rcu_lookup {
            "taken ports are looked at without a lock first (6.15 and later): the second pass is cheaper, not gone"
        } else {
            "each taken port is tested under its bucket's lock (before 6.15)"
        },
        match (socket_range, socket_range_steps_by_one) {
            (false, _) => "sockets have no range of their own (IP_LOCAL_PORT_RANGE came with 6.3)",
            (true, false) => {
                "a socket's own range (IP_LOCAL_PORT_RANGE) is searched by parity too: no way round the cliff"
            }
            (true, true) => "a socket's own range (IP_LOCAL_PORT_RANGE) is searched in one pass: a way round the cliff",
        },
        if step_width {
            "steps can be random (ip_local_port_step_width, 7.1 and later)"
        } else {
            "steps are always two ports wide (ip_local_port_step_width came with 7.1)"
        },
        if heals_buckets {
            "a port once bound explicitly is searched again when that socket has left (6.18 and later)"
        } else {
            "a port once bound explicitly is skipped until its last user has left (before 6.18)"
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
            "6.15: beyond the cliff a connect still walks the full half, but takes no lock for a port that is in use",
        ),
        (
            rules.heals_buckets,
            "6.18: ports that somebody bound explicitly come back as soon as he has left, not only when everybody has",
        ),
        (
            rules.step_width,
            "7.1: ip_local_port_step_width spreads the ports that are chosen; it moves no cliff and is off by default",
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
        assert_eq!((name(&newest), upgrades(&newest).len()), ("of 7.1 and later", 0));
        assert!(explained(&newest).iter().any(|line| line.contains("a way round the cliff")));
    }

    #[test]
    fn an_old_one_has() {
        assert!(name(&OF_6_1).starts_with("of 5.18 to 6.7"));
        assert_eq!(upgrades(&OF_6_1).len(), 4);
        assert!(explained(&OF_6_1).iter().any(|line| line.contains("no way round the cliff")));
    }
}
