// SPDX-License-Identifier: MIT OR Apache-2.0
//! Learns from what happens how ports are searched and held, and at the end says what would be.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::{
    change::{Change, Setup},
    forecast::{Case, Outlook, Scenario},
    occupancy::Occupancy,
    predict::{Known, Trend},
    search_cost::Price,
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
    governor::Stock,
    inventory::Inventory,
    kernel::rules::Sysctls,
    model::folded::FoldedRow,
    session_info::Circumstances,
    stream::{Follow, Happening, Written},
    summarize::accounting::Books,
};

/// One lost event for so many connects leaves no rate; fewer leave one that is a little too low.
const MUCH: u64 = 20;
/// Of two looks closer than this no trend follows.
const APART_NS: u64 = 500_000_000;

/// What is to be found out.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// Changes; none: those that are sensible here.
    pub changes: Vec<Change>,
    /// Searches a second, instead of those that are seen.
    pub searches_per_second: Option<f64>,
    /// Sources and destinations.
    pub top: usize,
}

/// Everything learned so far.
#[derive(Debug)]
pub struct Student {
    asked: Asked,
    circumstances: Circumstances,
    books: Books,
    ports: PortsAggregate,
    searches: Searches,
    price: Price,
    /// Of this and other signals.
    lost: Lost,
    /// Connects that were counted.
    counted: u64,
    /// Ports of each route when it was first looked at.
    first: HashMap<Route, Look, RandomState>,
    latest: Vec<Seen>,
    lacks: Vec<String>,
    /// The last moment that was told.
    now: Option<Moment>,
}

/// One route at the last inventory.
#[derive(Debug)]
struct Seen {
    group: Group,
    occupancy: Occupancy,
    sysctls: Sysctls,
    netns_name: Option<String>,
    entrance: Option<String>,
    look: Look,
}

#[derive(Clone, Copy, Debug)]
struct Look {
    at_ns: u64,
    live: u32,
    time_wait: u32,
}

impl Student {
    /// Nothing learned yet.
    pub fn new(circumstances: &Circumstances, asked: Asked) -> Self {
        Self {
            asked,
            books: Books::open(circumstances.begin.monotonic_ns),
            ports: PortsAggregate::new(circumstances.rules, circumstances.scope),
            searches: Searches::since(circumstances.begin.wall, circumstances.has_rows),
            price: Price::default(),
            lost: Lost::default(),
            counted: 0,
            first: HashMap::default(),
            latest: Vec::new(),
            lacks: Vec::new(),
            now: None,
            circumstances: circumstances.clone(),
        }
    }

    fn learn(&mut self, happening: Happening<'_>) {
        match happening {
            Happening::Event(Event::Connect(connect)) => {
                if !self.circumstances.has_rows {
                    self.row(&FoldedRow::of(connect));
                }
            }
            Happening::Event(Event::Detail(detail)) => self.searches.change(detail),
            Happening::Stock(stock) => self.enter(stock),
            Happening::Inventory(inventory) => self.look_at(inventory),
            Happening::Event(_) | Happening::Totals(_) | Happening::TimeWait(_) => {}
            Happening::Tick(now) | Happening::End(now) => self.now = Some(now),
        }
    }

    fn row(&mut self, row: &FoldedRow) {
        self.counted = self.counted.saturating_add(row.counts.attempts());
        self.ports.observe(row);
        self.searches.observe(row);
        self.price.observe(&row.counts);
    }

    fn enter(&mut self, stock: &Stock) {
        let mut lost = self.books.enter(stock).unwrap_or_default();
        if self.circumstances.has_rows {
            // What had no room in the ring is in its row all the same.
            lost.ring_buffer = 0;
        }
        self.lost.add(lost);
        let rows = stock.folded.iter().flat_map(|folded| &folded.rows);
        rows.for_each(|row| self.row(row));
    }

    fn look_at(&mut self, inventory: &Inventory) {
        self.ports.survey(inventory);
        let groups = &self.ports.latest().groups;
        let seen = groups.iter().take(self.asked.top).filter_map(|group| Seen::of(inventory, group));
        self.latest = seen.collect();
        for seen in &self.latest {
            self.first.entry(seen.group.route).or_insert(seen.look);
        }
        // Bounded by what is looked at now.
        let latest = &self.latest;
        self.first.retain(|route, _| latest.iter().any(|seen| seen.group.route == *route));
        self.lacks.clone_from(&inventory.lacks);
    }

    /// What would be; `progress` is told how many scenarios are done, and of how many.
    pub fn outlook(&self, progress: impl Fn(usize, usize)) -> Outlook {
        let now = self.now.unwrap_or(self.circumstances.begin);
        let cases: Vec<_> = self.latest.iter().map(|seen| (seen, self.known(seen, now))).collect();
        let scenarios: Vec<Vec<Vec<Change>>> = cases.iter().map(|(_, known)| self.scenarios(known)).collect();
        let all = scenarios.iter().map(Vec::len).sum();
        let mut done = 0;
        let seconds = now.monotonic_ns.saturating_sub(self.circumstances.begin.monotonic_ns) as f64 / 1e9;
        let rates_lack = cases.iter().any(|(_, known)| known.searches_per_second.is_none());
        let notes = self.notes(rates_lack, seconds);
        let mut outlook = Vec::new();
        for ((seen, known), scenarios) in cases.into_iter().zip(scenarios) {
            let mut predicted = Vec::new();
            for changes in scenarios {
                let setup =
                    changes.iter().fold(known.setup, |setup, change| setup.with(*change, &self.circumstances.rules));
                predicted.push(Scenario { changes, prediction: known.predict(setup) });
                done += 1;
                progress(done, all);
            }
            let (searched, _) = self.searches.of(seen.group.route.destination(), now.wall);
            outlook.push(Case {
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
        Outlook {
            kernel: self.circumstances.kernel.clone(),
            tier: self.circumstances.tier(super::QUESTION),
            time: now.wall,
            seconds,
            cases: outlook,
            notes,
        }
    }

    fn known(&self, seen: &Seen, now: Moment) -> Known {
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
        let measured = measured.filter(|rate| !self.is_lossy() && self.circumstances.traced && *rate > 0.0);
        Known {
            occupancy: seen.occupancy.clone(),
            setup,
            searches_per_second: self.asked.searches_per_second.or(measured),
            trend: self.first.get(&route).and_then(|first| first.until(seen.look)),
            perturb_table: self.circumstances.rules.perturb_table,
            price: self.price,
        }
    }

    /// Searches are counted by destination. Where its sockets have several sources, each is taken to have searched as often
    /// as it has sockets.
    fn share_of(&self, seen: &Seen) -> f64 {
        let sockets = |seen: &Seen| f64::from(seen.look.live) + f64::from(seen.look.time_wait);
        let to = seen.group.route.destination();
        let same = self.latest.iter().filter(|other| other.group.route.destination() == to);
        let (sources, all) = same.fold((0, 0.0), |(sources, all), other| (sources + 1, all + sockets(other)));
        if sources > 1 && all > 0.0 { sockets(seen) / all } else { 1.0 }
    }

    /// Attempts that each of those that were followed stands for.
    fn estimate_factor(&self) -> f64 {
        let counts = self.books.counts();
        if counts.not_followed > 0 && counts.made > 0 {
            1.0 + counts.not_followed as f64 / counts.made as f64
        } else {
            1.0
        }
    }

    /// Nothing; each change; all that were asked for together.
    fn scenarios(&self, known: &Known) -> Vec<Vec<Change>> {
        let sensible;
        let (changes, together) = match &self.asked.changes[..] {
            [] => {
                sensible = suggestions::changes(known, &self.circumstances.rules);
                (&sensible[..], false)
            }
            asked => (asked, asked.len() > 1),
        };
        let singly = changes.iter().map(|change| vec![*change]);
        std::iter::once(Vec::new()).chain(singly).chain(together.then(|| changes.to_vec())).collect()
    }

    /// Too much is missing for a rate. Not each run of a program that was missed is a connect that was not told.
    fn is_lossy(&self) -> bool {
        self.lost.events().saturating_mul(MUCH) > self.counted || self.lost.missed > self.counted
    }

    fn notes(&self, rates_lack: bool, seconds: f64) -> Vec<String> {
        let mut notes = self.circumstances.notes(super::QUESTION);
        let lost = self.lost.events() + self.lost.missed;
        if lost > 0 {
            let rates = if self.is_lossy() { "rates are not known" } else { "rates are lower bounds" };
            notes.push(format!("{lost} events were lost, or runs of programs missed: {rates}"));
        }
        if rates_lack && self.circumstances.traced && !self.is_lossy() {
            let why = match self.searches.missed_some() {
                true => "not each connect was told, to stay within --max-overhead",
                false if seconds < searches::LEAST_SECONDS => "the run was too short",
                false => "nobody did meanwhile",
            };
            notes.push(format!("how often ports are searched is not known: {why}"));
        }
        if !self.circumstances.rules.perturb_table {
            notes.push("this kernel begins its searches otherwise: how many ports they visit is not known".into());
        }
        notes.extend(self.lacks.iter().cloned());
        notes
    }
}

impl Follow for Student {
    fn follow(&mut self, happening: Happening<'_>) -> Result<(), Failure> {
        self.learn(happening);
        Ok(())
    }

    fn flush(&mut self) -> Result<Written, Failure> {
        Ok(Written::Yes)
    }
}

impl Seen {
    fn of(inventory: &Inventory, group: &Group) -> Option<Self> {
        let space = inventory.space(group.route.netns)?;
        let occupancy = Occupancy::of(inventory, group.route)?;
        let look = Look {
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

impl Look {
    fn until(self, later: Self) -> Option<Trend> {
        let apart_ns = later.at_ns.saturating_sub(self.at_ns);
        let seconds = apart_ns as f64 / 1e9;
        let change = |from: u32, to: u32| (f64::from(to) - f64::from(from)) / seconds;
        (apart_ns >= APART_NS)
            .then(|| Trend { live: change(self.live, later.live), time_wait: change(self.time_wait, later.time_wait) })
    }
}
