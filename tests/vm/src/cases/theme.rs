// SPDX-License-Identifier: MIT OR Apache-2.0
//! One run of the tool, and many things done in front of it.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Result, ensure};

use crate::{
    harness::Report,
    matching,
    netns::{self, Netns},
    seen::Seen,
    tiers::Tier,
    tool::Tool,
};

/// What was done, under which name.
pub struct Acts {
    done: Vec<(String, Result<Vec<Seen>>)>,
    next_port: u16,
    pub tier: Tier,
}

impl Acts {
    /// An address with a port that no other act uses, below every range that is searched.
    pub fn remote(&mut self, ip: IpAddr) -> SocketAddr {
        self.next_port += 1;
        SocketAddr::new(ip, self.next_port)
    }

    pub fn act(&mut self, name: &str, result: Result<Vec<Seen>>) {
        self.done.push((name.to_owned(), result));
    }

    pub fn one(&mut self, name: &str, result: Result<Seen>) {
        self.act(name, result.map(|seen| vec![seen]));
    }
}

/// Runs `act` in a network namespace of its own in front of the tool, then compares connect by connect.
pub fn run(
    report: &mut Report,
    name: &str,
    tier: Tier,
    arguments: &[&str],
    act: impl FnOnce(&Netns, &mut Acts) -> Result<()> + Send,
) {
    let theme = format!("{name}/{tier}");
    if !report.wants(&theme) {
        return;
    }
    let told = (|| {
        let tool = Tool::start_with_each_event(tier, arguments)?;
        let (netns, acts) = netns::within("caller", |netns| {
            let mut acts = Acts { done: Vec::new(), next_port: 2000, tier };
            act(netns, &mut acts)?;
            Ok((netns.inode, acts))
        })?;
        Ok((netns, acts, tool.stop()?))
    })();
    let (netns, acts, answer) = match told {
        Ok(told) => told,
        Err(error) => return report.test(&theme, || Err(error)),
    };
    let mut total = 0;
    let mut all_done = true;
    for (name, seen) in acts.done {
        match &seen {
            Ok(seen) => total += seen.len(),
            Err(_) => all_done = false,
        }
        report.test(&format!("{theme}/{name}"), || {
            seen?.iter().try_for_each(|seen| matching::check(&answer, netns, seen, tier))
        });
    }
    report.test(&format!("{theme}/nothing_lost"), || answer.nothing_lost());
    if all_done {
        report.test(&format!("{theme}/one_line_for_each"), || {
            let lines = answer.connects(netns).len();
            ensure!(lines == total, "{lines} lines for {total} connects");
            Ok(())
        });
    }
}
