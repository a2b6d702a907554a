// SPDX-License-Identifier: MIT OR Apache-2.0
//! Finding `time-wait-overflow`: `tcp_max_tw_buckets` is reached, and connections skip TIME_WAIT.

use super::{Code, Evidence, Finding, Severity, fix, grouped};
use crate::{kernel::rules::Sysctls, model::time_wait::TimeWaitSnapshot};

pub(super) fn find(time_wait: &TimeWaitSnapshot, sysctls: &Sysctls) -> Vec<Finding> {
    let overflowed = time_wait.iter().filter_map(|(netns, totals)| {
        let overflow = totals.overflow.filter(|overflow| *overflow > 0)?;
        let own = sysctls.netns == Some(*netns);
        let limit = totals.max_buckets.or_else(|| sysctls.tcp_max_tw_buckets.filter(|_| own).map(u64::from));
        let at = limit.map_or(String::new(), |limit| format!(" of {}", grouped(limit)));
        Some(Finding {
            code: Code::TimeWaitOverflow,
            severity: Severity::Warning,
            headline: format!(
                "{} connections skipped TIME_WAIT: the limit{at} was reached; late segments may hit new connections",
                grouped(overflow)
            ),
            evidence: vec![
                ("netns", Evidence::Number((*netns).into())),
                ("overflow", Evidence::Number(overflow)),
                ("entered", Evidence::number(totals.entered)),
                ("level", Evidence::number(totals.level)),
                ("tcp_max_tw_buckets", Evidence::number(limit)),
            ],
            fix: fix::more_time_wait(own, limit),
            gain: None,
            risk: None,
        })
    });
    overflowed.collect()
}
