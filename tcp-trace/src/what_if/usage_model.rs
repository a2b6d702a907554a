// SPDX-License-Identifier: MIT OR Apache-2.0
//! Learns from messages how ports are searched and held, and predicts at the end.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::{
    change::{Change, Setup},
    forecast::{Case, Forecast, Scenario},
    occupancy::Occupancy,
    predict::{PredictInput, Trend},
    search_cost::SearchCost,
    suggestions,
};
use crate::{
    aggregate::{
        ports::{Group, PortsAggregate, Route, reuse::Reuse},
        searches::{self, Searches},
    },
    clock::Moment,
    event::{Event, Lost},
    exit::Failure,
    governor::CounterSnapshot,
    inventory::Inventory,
    kernel::rules::Sysctls,
    model::folded::FoldedRow,
    outside::Text,
    session_info::SessionInfo,
    stream::{Consumer, Message, Written},
    summarize::accounting::Accounting,
};

/// One lost event per this many connects leaves no rate; fewer losses leave one that is slightly too low.
const MUCH: u64 = 20;
/// Two inventories closer than this, in ns, yield no trend.
const APART_NS: u64 = 500_000_000;

/// The request for a forecast.
#[derive(Clone, Debug, Default)]
pub struct ForecastRequest {
    /// Requested changes; empty: those that are sensible here.
    pub changes: Vec<Change>,
    /// Searches per second, instead of the measured rate.
    pub searches_per_second: Option<f64>,
    /// Number of sources and destinations.
    pub top: usize,
}

/// Everything learned so far.
#[derive(Debug)]
pub struct UsageModel {
    request: ForecastRequest,
    session: SessionInfo,
    accounting: Accounting,
    ports: PortsAggregate,
    searches: Searches,
    search_cost: SearchCost,
    /// Losses of this and other signals.
    lost: Lost,
    /// Number of counted connects.
    counted: u64,
    /// Ports of each route at the first inventory.
    first: HashMap<Route, RouteSample, RandomState>,
    latest: Vec<RouteUsage>,
    warnings: Vec<String>,
    /// The last time that a message had.
    now: Option<Moment>,
}

/// One route at the last inventory.
#[derive(Debug)]
struct RouteUsage {
    group: Group,
    occupancy: Occupancy,
    sysctls: Sysctls,
    netns_name: Option<Text>,
    entrance: Option<Text>,
    look: RouteSample,
}

#[derive(Clone, Copy, Debug)]
struct RouteSample {
    at_ns: u64,
    live: u32,
    time_wait: u32,
}

impl UsageModel {
    /// Starts without observations.
    pub fn new(session: &SessionInfo, request: ForecastRequest) -> Self {
        Self {
            request,
            accounting: Accounting::begin(session.begin.monotonic_ns),
            ports: PortsAggregate::new(session.rules, session.scope),
            searches: Searches::since(session.begin.wall, session.has_rows),
            search_cost: SearchCost::default(),
            lost: Lost::default(),
            counted: 0,
            first: HashMap::default(),
            latest: Vec::new(),
            warnings: Vec::new(),
            now: None,
            session: session.clone(),
        }
    }

    fn learn(&mut self, message: Message<'_>) {
        match message {
            Message::Event(Event::Connect(connect)) => {
                if !self.session.has_rows {
                    self.row(&FoldedRow::of(connect));
                }
            }
            Message::Event(Event::Detail(detail)) => self.searches.change(detail),
            Message::Counters(counters) => self.enter(counters),
            Message::Inventory(inventory) => self.look_at(inventory),
            Message::Event(_) | Message::Totals(_) | Message::TimeWait(_) => {}
            Message::Tick(now) | Message::End(now) => self.now = Some(now),
        }
    }

    fn row(&mut self, row: &FoldedRow) {
        self.counted = self.counted.saturating_add(row.counts.attempts());
        self.ports.observe(row);
        self.searches.observe(row);
        self.search_cost.observe(&row.counts);
    }

    fn enter(&mut self, counters: &CounterSnapshot) {
        let mut lost = self.accounting.record(counters).unwrap_or_default();
        if self.session.has_rows {
            // An attempt that found the ring full is still in its row.
            lost.ring_buffer = 0;
        }
        self.lost.add(lost);
        let rows = counters.folded.iter().flat_map(|folded| &folded.rows);
        rows.for_each(|row| self.row(row));
    }

    fn look_at(&mut self, inventory: &Inventory) {
        self.ports.survey(inventory);
        let groups = &self.ports.latest().groups;
        let seen = groups.iter().take(self.request.top).filter_map(|group| RouteUsage::of(inventory, group));
        self.latest = seen.collect();
        for seen in &self.latest {
            self.first.entry(seen.group.route).or_insert(seen.look);
        }
        // Bounded by the routes of the present inventory.
        let latest = &self.latest;
        self.first.retain(|route, _| latest.iter().any(|seen| seen.group.route == *route));
        self.warnings.clone_from(&inventory.warnings);
    }

    /// The forecast; `progress` receives the number of finished scenarios, and of all.
    pub fn forecast(&self, progress: impl Fn(usize, usize)) -> Forecast {
        let now = self.now.unwrap_or(self.session.begin);
        let cases: Vec<_> = self.latest.iter().map(|seen| (seen, self.known(seen, now))).collect();
        let scenarios: Vec<Vec<Vec<Change>>> = cases.iter().map(|(_, known)| self.scenarios(known)).collect();
        let all = scenarios.iter().map(Vec::len).sum();
        let mut done = 0;
        let seconds = now.monotonic_ns.saturating_sub(self.session.begin.monotonic_ns) as f64 / 1e9;
        let rates_lack = cases.iter().any(|(_, known)| known.searches_per_second.is_none());
        let notes = self.notes(rates_lack, seconds);
        let mut forecast = Vec::new();
        for ((seen, known), scenarios) in cases.into_iter().zip(scenarios) {
            let mut predicted = Vec::new();
            for changes in scenarios {
                let setup = changes.iter().fold(known.setup, |setup, change| setup.with(*change, &self.session.rules));
                predicted.push(Scenario { changes, prediction: known.predict(setup) });
                done += 1;
                progress(done, all);
            }
            let (searched, _) = self.searches.of(seen.group.route.destination(), now.wall);
            forecast.push(Case {
                route: seen.group.route,
                netns_name: seen.netns_name.clone(),
                entrance: seen.entrance.clone(),
                sysctls: seen.sysctls.clone(),
                held: seen.group.held,
                searched,
                known,
                scenarios: predicted,
            });
        }
        Forecast {
            kernel: self.session.kernel.clone(),
            tier: self.session.tier(super::QUESTION),
            time: now.wall,
            seconds,
            cases: forecast,
            notes,
        }
    }

    fn known(&self, seen: &RouteUsage, now: Moment) -> PredictInput {
        let route = seen.group.route;
        let with = |reuse| Sysctls { tcp_tw_reuse: Some(reuse), ..seen.sysctls.clone() };
        let setup = Setup {
            range: seen.group.range,
            step_width: seen.sysctls.ip_local_port_step_width.unwrap_or(0),
            reuse: seen.group.reuse,
            reuse_allowed: Reuse::of(&with(1), route.saddr, route.daddr),
            addresses: 1,
            requests: 1,
        };
        let (_, measured) = self.searches.of(route.destination(), now.wall);
        let measured = measured.map(|rate| rate * self.share_of(seen) * self.estimate_factor());
        let measured = measured.filter(|rate| !self.is_lossy() && self.session.traced && *rate > 0.0);
        PredictInput {
            occupancy: seen.occupancy.clone(),
            setup,
            searches_per_second: self.request.searches_per_second.or(measured),
            trend: self.first.get(&route).and_then(|first| first.until(seen.look)),
            perturb_table: self.session.rules.perturb_table,
            search_cost: self.search_cost,
        }
    }

    /// Share of a destination's searches for one source. If its sockets have several sources, searches are split in
    /// proportion to the sockets.
    fn share_of(&self, seen: &RouteUsage) -> f64 {
        let sockets = |seen: &RouteUsage| f64::from(seen.look.live) + f64::from(seen.look.time_wait);
        let to = seen.group.route.destination();
        let same = self.latest.iter().filter(|other| other.group.route.destination() == to);
        let (sources, all) = same.fold((0, 0.0), |(sources, all), other| (sources + 1, all + sockets(other)));
        if sources > 1 && all > 0.0 { sockets(seen) / all } else { 1.0 }
    }

    /// Number of attempts that each followed one represents.
    fn estimate_factor(&self) -> f64 {
        let counts = self.accounting.counts();
        if counts.not_followed > 0 && counts.made > 0 {
            1.0 + counts.not_followed as f64 / counts.made as f64
        } else {
            1.0
        }
    }

    /// Scenarios: no change; each change; all requested changes together.
    fn scenarios(&self, known: &PredictInput) -> Vec<Vec<Change>> {
        let suggestions;
        let (changes, together) = match &self.request.changes[..] {
            [] => {
                suggestions = suggestions::changes(known, &self.session.rules);
                (&suggestions[..], false)
            }
            request => (request, request.len() > 1),
        };
        let singly = changes.iter().map(|change| vec![*change]);
        std::iter::once(Vec::new()).chain(singly).chain(together.then(|| changes.to_vec())).collect()
    }

    /// Whether too much is missing for a rate. Not every missed program run is an unreported connect.
    fn is_lossy(&self) -> bool {
        self.lost.events().saturating_mul(MUCH) > self.counted || self.lost.missed > self.counted
    }

    fn notes(&self, rates_lack: bool, seconds: f64) -> Vec<String> {
        let mut notes = self.session.notes(super::QUESTION);
        let lost = self.lost.events() + self.lost.missed;
        if lost > 0 {
            let rates = if self.is_lossy() { "rates are unknown" } else { "rates are lower bounds" };
            notes.push(format!("{lost} events or program runs were lost: {rates}"));
        }
        if rates_lack && self.session.traced && !self.is_lossy() {
            let why = match self.searches.missed_some() {
                true => "not every connect was reported, to stay within --max-overhead",
                false if seconds < searches::LEAST_SECONDS => "the run was too short",
                false => "no search happened during the run",
            };
            notes.push(format!("the rate of port searches is unknown: {why}"));
        }
        if !self.session.rules.perturb_table {
            notes.push(
                "this kernel starts its searches in another way: the number of ports that they visit is unknown".into(),
            );
        }
        notes.extend(self.warnings.iter().cloned());
        notes
    }
}

impl Consumer for UsageModel {
    fn consume(&mut self, message: Message<'_>) -> Result<(), Failure> {
        self.learn(message);
        Ok(())
    }

    fn flush(&mut self) -> Result<Written, Failure> {
        Ok(Written::Yes)
    }
}

impl RouteUsage {
    fn of(inventory: &Inventory, group: &Group) -> Option<Self> {
        let space = inventory.space(group.route.netns)?;
        let occupancy = Occupancy::of(inventory, group.route)?;
        let look = RouteSample {
            at_ns: inventory.begin_ns,
            live: occupancy.live(group.range),
            time_wait: group.held.by(crate::aggregate::ports::held::By::TimeWait).both(),
        };
        Some(Self {
            group: group.clone(),
            occupancy,
            sysctls: space.sysctls.clone(),
            netns_name: space.namespace.name.clone(),
            entrance: space.namespace.entrance(),
            look,
        })
    }
}

impl RouteSample {
    fn until(self, later: Self) -> Option<Trend> {
        let apart_ns = later.at_ns.saturating_sub(self.at_ns);
        let seconds = apart_ns as f64 / 1e9;
        let change = |from: u32, to: u32| (f64::from(to) - f64::from(from)) / seconds;
        (apart_ns >= APART_NS)
            .then(|| Trend { live: change(self.live, later.live), time_wait: change(self.time_wait, later.time_wait) })
    }
}
