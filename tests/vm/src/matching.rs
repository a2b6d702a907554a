// SPDX-License-Identifier: MIT OR Apache-2.0
//! Compares one connect line with what the test observed.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use jiff::Timestamp;
use serde_json::Value;

use crate::{seen::Seen, tiers::Tier, tool::Answer};

/// The line of the observed connect: by its remote end, and by its local port if known.
pub fn line_of<'a>(answer: &'a Answer, netns: u64, seen: &Seen) -> Result<&'a Value> {
    let remote = |line: &Value| line["daddr"] == seen.remote.ip().to_string() && line["dport"] == seen.remote.port();
    let local = |line: &Value| seen.local.is_none_or(|local| line["sport"] == local.port());
    let outcome = |line: &Value| !seen.told_apart_by_outcome || line["outcome"] == seen.outcome;
    let is_it = |line: &&Value| remote(line) && local(line) && outcome(line);
    let lines: Vec<_> = answer.connects(netns).into_iter().filter(is_it).collect();
    let [line] = lines[..] else {
        anyhow::bail!("{} lines for {}, wanted one: {lines:?}", lines.len(), seen.remote);
    };
    Ok(line)
}

/// Compares that line in everything that `tier` can know.
pub fn check(answer: &Answer, netns: u64, seen: &Seen, tier: Tier) -> Result<()> {
    let line = line_of(answer, netns, seen)?;
    compare(line, seen, tier).map_err(|error| anyhow!("{error:#}; in {line}"))
}

fn compare(line: &Value, seen: &Seen, tier: Tier) -> Result<()> {
    let equal = |field: &str, wanted: Value| {
        ensure!(line[field] == wanted, "{field}: wanted {wanted}, got {}", line[field]);
        Ok(())
    };
    equal("outcome", seen.outcome.into())?;
    equal("errno", seen.errno.into())?;
    equal("family", if seen.remote.is_ipv4() { "ipv4" } else { "ipv6" }.into())?;
    for (field, value) in [("pid", seen.pid), ("tid", seen.tid), ("uid", 0)] {
        equal(field, value.into())?;
    }
    equal("comm", seen.comm.chars().take(15).collect::<String>().into())?;
    if let Some(local) = seen.local {
        equal("sport", local.port().into())?;
        equal("saddr", local.ip().to_string().into())?;
    }
    for (field, value) in &seen.fields {
        equal(field, value.clone())?;
    }
    times(line, seen, tier)
}

/// Checks times: both use the same clock, so the tool's times lie within those measured around it.
fn times(line: &Value, seen: &Seen, tier: Tier) -> Result<()> {
    let most = |field: &str, limit: u64| match line[field].as_u64() {
        Some(ns) => {
            ensure!(ns <= limit, "{field} is {ns}, but only {limit} ns passed");
            Ok(Some(ns))
        }
        None => Ok(None),
    };
    let search = most("port_search_ns", seen.call_ns)?;
    let handshake = most("handshake_ns", seen.span_ns)?;
    let total = most("total_ns", seen.span_ns)?;
    if tier.sees_search() && seen.outcome == "established" {
        let total = total.context("total_ns is null")?;
        ensure!(search.unwrap_or(0) + handshake.unwrap_or(0) <= total, "the phases are longer than the total");
        ensure!(line["source_port"] == "bound" || search.is_some(), "port_search_ns is null");
    }
    if !tier.sees_search() {
        ensure!(search.is_none(), "this tier cannot know how long the port search took");
        // It has been everywhere where it found nothing.
        let known = seen.outcome == "no_port" || line["ports_visited"].is_null();
        ensure!(known, "this tier cannot know ports_visited");
    }
    let time: Timestamp = line["time"].as_str().context("no time")?.parse().context("time is not RFC 3339")?;
    let slack = jiff::SignedDuration::try_from(Duration::from_millis(100))?;
    ensure!(
        seen.since - slack <= time && time <= seen.until + slack,
        "time is not within {}..{}",
        seen.since,
        seen.until
    );
    Ok(())
}
