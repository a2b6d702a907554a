// SPDX-License-Identifier: MIT OR Apache-2.0
//! Conditions about the run: quantiles, counts, shares, head-room and findings.

use std::ops::RangeInclusive;

use super::{complete::Run, evidence::Evidenced, found};
use crate::{
    aggregate::{distribution::Distribution, ports::HeadRoom, words::grouped},
    event::Outcome,
    findings::{Code, Evidence},
    recording::trigger::{Counted, Order, Phase, Rank, Room, Trigger},
    view::format::{duration, share},
};

impl Run<'_> {
    /// Evidence for a condition about the run.
    pub(super) fn evidence(&self, condition: &Trigger) -> Evidenced {
        let text = condition.to_string();
        match condition {
            Trigger::Finds(code, same) => return self.finding(text, *code, *same),
            Trigger::HeadRoom(order, bound) => return self.head_room(text, *order, *bound),
            _ => {}
        }
        if let Some(why) = self.unseen().everything {
            return Evidenced::nothing(text, why);
        }
        match condition {
            Trigger::Quantile(rank, phase, order, bound) => self.quantile(text, *rank, *phase, *order, *bound),
            Trigger::Count(counted, order, bound) => {
                let (count, _) = counted.of(&self.summary.observed.connect);
                let (unseen, unknown) = self.uncounted(*counted);
                let between = count..=count.saturating_add(unseen);
                let evidence = self.counted(text, *counted, Evidence::Number(count), "connects");
                evidence.decide(*order, &between, *bound, unknown)
            }
            Trigger::Share(counted, order, bound) => self.share(text, *counted, *order, *bound),
            // Conditions of a connect are not about the run.
            _ => Evidenced::nothing(text, "it is a condition of a connect".into()),
        }
    }

    fn quantile(&self, condition: String, rank: Rank, phase: Phase, order: Order, bound: u64) -> Evidenced {
        let unknown_phase = self.unknown_phase(phase);
        if let (Some(why), Phase::PortSearch | Phase::PortsVisited) = (&unknown_phase, phase) {
            return Evidenced::nothing(condition, why.clone());
        }
        let connect = &self.summary.observed.connect;
        let values = phase.of(connect);
        let unseen = self.unseen();
        let Some(value) = rank.of(values) else {
            return Evidenced::nothing(condition, unseen.why.unwrap_or_else(|| format!("no {phase} was measured")));
        };
        let lacking = match phase {
            Phase::PortsVisited => connect.port_search.count.saturating_sub(values.count),
            Phase::Total => (connect.connects - connect.outcome_unknown).saturating_sub(values.count),
            Phase::PortSearch | Phase::Handshake => 0,
        };
        let lacks = (lacking > 0)
            .then(|| format!("{phase} is unknown for {} of {} connects", grouped(lacking), grouped(connect.connects)));
        let mut between = bounds(values, rank, value, unseen.connects.saturating_add(lacking));
        if unknown_phase.is_some() {
            between = 0..=*between.end();
        }
        let (words, of, unit) = match phase {
            Phase::PortsVisited => (grouped(value), "searches", "ports"),
            Phase::PortSearch => (duration(Some(value)), "searches", "ns"),
            Phase::Handshake => (duration(Some(value)), "handshakes", "ns"),
            Phase::Total => (duration(Some(value)), "connects", "ns"),
        };
        let words = format!("{rank} {words} of {} {of}", grouped(values.count));
        let evidence = Evidenced { measured: Evidence::Number(value), unit, words, ..Evidenced::new(condition) };
        let evidence = evidence.decide(order, &between, bound, unseen.why);
        let undecided = unknown_phase.or(lacks).filter(|_| evidence.holds.is_none());
        Evidenced { unknown: evidence.unknown.or(undecided), ..evidence }
    }

    fn share(&self, condition: String, counted: Counted, order: Order, bound: f64) -> Evidenced {
        let (count, all) = counted.of(&self.summary.observed.connect);
        let (unseen, unknown) = self.uncounted(counted);
        if all == 0 {
            return Evidenced::nothing(condition, unknown.unwrap_or_else(|| "no connect was traced".into()));
        }
        let (least, most) = (all as f64, all.saturating_add(unseen) as f64);
        let between = count as f64 / most..=count.saturating_add(unseen) as f64 / most;
        let evidence = self.counted(condition, counted, Evidence::Share(count as f64 / least), "share");
        evidence.decide(order, &between, bound, unknown)
    }

    /// How many connects more may be counted, and why.
    fn uncounted(&self, counted: Counted) -> (u64, Option<String>) {
        let unseen = self.unseen();
        match counted {
            Counted::Ends(outcome, same) => {
                (unseen.connects, unseen.why.or_else(|| self.unknown_outcome(outcome, same)))
            }
            Counted::SecondPass => {
                let (unknown, why) = self.unknown_second_pass();
                (unseen.connects.saturating_add(unknown), unseen.why.or(why))
            }
        }
    }

    fn counted(&self, condition: String, counted: Counted, measured: Evidence, unit: &'static str) -> Evidenced {
        let connect = &self.summary.observed.connect;
        let (count, all) = counted.of(connect);
        let what = if counted == Counted::SecondPass { "searches" } else { "connects" };
        let mut words = format!("{} of {} {what}", grouped(count), grouped(all));
        if let Evidence::Share(part) = measured {
            words = format!("{}: {words}", share(Some(part)));
        }
        let pending = connect.ended(Outcome::Pending);
        if pending > 0 && matches!(counted, Counted::Ends(outcome, _) if outcome != Outcome::Pending) {
            words += &format!(", {} more in progress", grouped(pending));
        }
        Evidenced { measured, unit, words, ..Evidenced::new(condition) }
    }

    fn head_room(&self, condition: String, order: Order, bound: Room) -> Evidenced {
        let rooms = self.rooms;
        let unknown = rooms.unread().or_else(|| rooms.unknown_marks());
        let unknown = unknown.or_else(|| self.is_truncated.then(|| "the recording is truncated".into()));
        let unlisted = rooms.unlisted;
        let words = |room: Option<HeadRoom>| match (room, unlisted) {
            (Some(room), _) => described(&room),
            (None, Some((left, part))) => {
                format!("no connections, at least {} ports ({}) left", grouped(left.into()), share(Some(part)))
            }
            (None, None) => String::new(),
        };
        match bound {
            Room::Connects(bound) => {
                let listed = rooms.fewest.map(|room| u64::from(room.left));
                let least = unlisted.map(|(left, _)| u64::from(left)).into_iter().chain(listed).min();
                let Some(least) = least else { return Evidenced::nothing(condition, unread(unknown)) };
                let least = if unknown.is_some() { 0 } else { least };
                let measured = Evidence::number(listed);
                let evidence =
                    Evidenced { measured, unit: "ports", words: words(rooms.fewest), ..Evidenced::new(condition) };
                evidence.decide(order, &(least..=listed.unwrap_or(u64::MAX)), bound, unknown)
            }
            Room::Share(bound) => {
                let listed = rooms.smallest.map(|room| room.share());
                let least = unlisted.map(|(_, part)| part).into_iter().chain(listed).min_by(f64::total_cmp);
                let Some(least) = least else { return Evidenced::nothing(condition, unread(unknown)) };
                let least = if unknown.is_some() { 0.0 } else { least };
                let measured = listed.map_or(Evidence::Unknown, Evidence::Share);
                let evidence =
                    Evidenced { measured, unit: "share", words: words(rooms.smallest), ..Evidenced::new(condition) };
                evidence.decide(order, &(least..=listed.unwrap_or(1.0)), bound, unknown)
            }
        }
    }

    fn finding(&self, condition: String, code: Code, same: bool) -> Evidenced {
        let headline = self.found.headline(code);
        let unknown = if headline.is_some() { None } else { found::may_be_missing(code, self) };
        let words = headline.map_or_else(|| format!("{code} was not found"), |headline| format!("{code}: {headline}"));
        let holds = unknown.is_none().then_some(headline.is_some() == same);
        let measured = Evidence::Flag(headline.is_some());
        Evidenced { holds, measured, words, unknown, ..Evidenced::new(condition) }
    }
}

fn unread(unknown: Option<String>) -> String {
    unknown.unwrap_or_else(|| "the port range is unknown".into())
}

fn described(room: &HeadRoom) -> String {
    let HeadRoom { left, of, route } = room;
    let to = std::net::SocketAddr::new(route.daddr, route.dport);
    format!(
        "{} of {} ports ({}) left from {} to {to}, network namespace {}",
        grouped((*left).into()),
        grouped((*of).into()),
        share(Some(room.share())),
        route.saddr,
        route.netns
    )
}

/// Between which ends a statistic lies if `unknown` further values may be anything.
fn bounds(values: &Distribution, rank: Rank, value: u64, unknown: u64) -> RangeInclusive<u64> {
    if unknown == 0 {
        return value..=value;
    }
    let of = match rank {
        Rank::P50 => 0.5,
        Rank::P90 => 0.9,
        Rank::P99 => 0.99,
        Rank::Max => return value..=u64::MAX,
    };
    let all = values.count.saturating_add(unknown);
    let place = ((all as f64 * of).ceil() as u64).clamp(1, all);
    let bucket = |place: u64| {
        let mut below = 0;
        values.buckets.iter().find(|bucket| {
            below += bucket.count;
            below >= place
        })
    };
    // All unknown values are small, or all are large.
    let least = place.checked_sub(unknown).filter(|place| *place > 0).and_then(bucket);
    let most = bucket(place);
    least.map_or(0, |bucket| bucket.low)..=most.map_or(u64::MAX, |bucket| bucket.high)
}
