// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tests that CI may leave out, each for a reason that lies in a kernel of the matrix. Everything else that is not run
//! there is a failure: a kernel, browser or program that can't be had included.

/// A kernel line as a pair of numbers.
type Line = (u32, u32);

/// Tests that cannot run on some kernels.
struct Allowed {
    /// Their name, part by part; a `*` at the end of a part matches the rest of it.
    test: &'static str,
    /// The whole reason that they give.
    why: &'static str,
    /// The first line that has what they need.
    since: Line,
}

/// Of no line of the matrix.
const NEVER: Line = (u32::MAX, 0);

const NO_LOCAL_PORT_RANGE: &str = "this kernel has no IP_LOCAL_PORT_RANGE";
const NO_STEP_WIDTH: &str = "this kernel has no ip_local_port_step_width";
const WANTS_SYS_ADMIN: &str = "Debian's kernels want CAP_SYS_ADMIN for kprobes, and those before 6.1 for all of it";

const ALLOWED: &[Allowed] = &[
    Allowed { test: "denied/*/landlock_*", why: "this kernel has no Landlock for TCP", since: (6, 7) },
    Allowed { test: "options/*/local_port_range_*", why: NO_LOCAL_PORT_RANGE, since: (6, 3) },
    Allowed { test: "options/*/mptcp", why: "this kernel has no MPTCP", since: (6, 1) },
    Allowed { test: "ports/*/local_port_range", why: NO_LOCAL_PORT_RANGE, since: (6, 3) },
    Allowed { test: "ports/*/step_width", why: NO_STEP_WIDTH, since: (7, 1) },
    Allowed { test: "what_if/change/local_port_range", why: NO_LOCAL_PORT_RANGE, since: (6, 3) },
    Allowed { test: "what_if/change/step_width", why: NO_STEP_WIDTH, since: (7, 1) },
    Allowed { test: "privileges/only_bpf_and_perfmon", why: "before 6.1 more capabilities are needed", since: (6, 1) },
    Allowed {
        test: "privileges/one_less_is_refused_in_words",
        why: "before 6.1 more capabilities are needed",
        since: (6, 1),
    },
    Allowed { test: "ledger/kprobe/without_statistics", why: WANTS_SYS_ADMIN, since: NEVER },
    Allowed { test: "ledger/*/without_statistics", why: WANTS_SYS_ADMIN, since: (6, 1) },
];

/// Whether `test` may be left out on the kernel whose row this is.
pub fn allows(row: &str, test: &str, why: &str) -> bool {
    let Some(line) = line(row) else { return false };
    ALLOWED.iter().any(|allowed| matches(allowed.test, test) && allowed.why == why && line < allowed.since)
}

fn line(row: &str) -> Option<Line> {
    let (major, minor) = row.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn matches(pattern: &str, test: &str) -> bool {
    let (pattern, test): (Vec<_>, Vec<_>) = (pattern.split('/').collect(), test.split('/').collect());
    let part = |(wanted, part): (&&str, &str)| match wanted.strip_suffix('*') {
        Some(beginning) => part.starts_with(beginning),
        None => *wanted == part,
    };
    pattern.len() == test.len() && pattern.iter().zip(test).all(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_holds_for_its_test_and_its_kernels_only() {
        let (test, why) = ("ports/fentry/step_width", NO_STEP_WIDTH);
        assert!(allows("6.18", test, why));
        assert!(!allows("7.2", test, why));
        assert!(!allows("6.18", test, "no reason"));
        assert!(!allows("6.18", "ports/fentry/exhaust", why));
        assert!(!allows("this machine", test, why));
        assert!(allows("5.10", "denied/kprobe/landlock_ipv6", "this kernel has no Landlock for TCP"));
        assert!(allows("7.2", "ledger/kprobe/without_statistics", WANTS_SYS_ADMIN));
        assert!(!allows("7.2", "ledger/fentry/without_statistics", WANTS_SYS_ADMIN));
    }
}
