// SPDX-License-Identifier: MIT OR Apache-2.0
//! Parser from words to a condition: `or` binds least, then `and`; parentheses bind most.

use std::ops::Range;

use super::{
    Counted, Order, Phase, Rank, Room, Trigger,
    words::{Word, Wrong, split},
};
use crate::{
    event::{Comm, OUTCOMES, Outcome},
    findings::Code,
};

const SUBJECTS: &str = "port_search, handshake, total, ports_visited, outcome, comm, pid, port, finding, headroom, \
                        count(...), share(...), p50(...), p90(...), p99(...) or max(...)";
const PHASES: &str = "port_search, handshake, total or ports_visited";
const SHARE: &str = "expected a share: 20 %, 0.1 %";
/// Upper limit of nested parentheses.
const DEEPEST: usize = 32;

pub fn parse(text: &str) -> Result<Trigger, Wrong> {
    let words = split(text)?;
    let mut parser = Parser { words: &words, next: 0, end: text.len(), depth: 0 };
    let trigger = parser.any()?;
    match parser.words.get(parser.next) {
        None => Ok(trigger),
        Some(word) => Err(Wrong::new(word.at.clone(), "expected `and`, `or` or the end")),
    }
}

struct Parser<'a> {
    words: &'a [Word<'a>],
    next: usize,
    end: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn any(&mut self) -> Result<Trigger, Wrong> {
        let first = self.all()?;
        let mut parts = vec![first];
        while self.skips("or") {
            parts.push(self.all()?);
        }
        Ok(if parts.len() == 1 { parts.swap_remove(0) } else { Trigger::Any(parts) })
    }

    fn all(&mut self) -> Result<Trigger, Wrong> {
        let first = self.one()?;
        let mut parts = vec![first];
        while self.skips("and") {
            parts.push(self.one()?);
        }
        Ok(if parts.len() == 1 { parts.swap_remove(0) } else { Trigger::All(parts) })
    }

    fn one(&mut self) -> Result<Trigger, Wrong> {
        let word = self.word(&format!("expected a condition about {SUBJECTS}"))?;
        if word.text == "(" {
            self.depth += 1;
            if self.depth > DEEPEST {
                return Err(Wrong::new(word.at.clone(), format!("more than {DEEPEST} nested parentheses")));
            }
            let inner = self.any()?;
            self.depth -= 1;
            self.expect(")")?;
            return Ok(inner);
        }
        let rank = match word.text {
            "p50" => Some(Rank::P50),
            "p90" => Some(Rank::P90),
            "p99" => Some(Rank::P99),
            "max" => Some(Rank::Max),
            _ => None,
        };
        if let Some(rank) = rank {
            self.expect("(")?;
            let name = self.word(&format!("expected {PHASES}"))?;
            let phase = phase(name.text)
                .ok_or_else(|| Wrong::new(name.at.clone(), format!("no such phase: expected {PHASES}")))?;
            self.expect(")")?;
            let order = self.order()?;
            return Ok(Trigger::Quantile(rank, phase, order, self.amount(phase)?));
        }
        if let Some(phase) = phase(word.text) {
            let order = self.order()?;
            return Ok(Trigger::Takes(phase, order, self.amount(phase)?));
        }
        match word.text {
            "count" => {
                let counted = self.counted()?;
                let order = self.order()?;
                Ok(Trigger::Count(counted, order, self.number("a number")?))
            }
            "share" => {
                let counted = self.counted()?;
                let order = self.order()?;
                match self.room()? {
                    (Room::Share(share), _) => Ok(Trigger::Share(counted, order, share)),
                    (Room::Connects(_), at) => Err(Wrong::new(at, SHARE)),
                }
            }
            "headroom" => {
                let order = self.order()?;
                Ok(Trigger::HeadRoom(order, self.room()?.0))
            }
            "outcome" => {
                let same = self.same()?;
                Ok(Trigger::Ends(self.outcome()?, same))
            }
            "finding" => {
                let same = self.same()?;
                let name = self.word("expected the code of a finding, such as parity-cliff")?;
                let code = Code::ALL.into_iter().find(|code| code.to_string() == name.text);
                let codes = || Code::ALL.map(|code| code.to_string()).join(", ");
                let code =
                    code.ok_or_else(|| Wrong::new(name.at.clone(), format!("no such finding: one of {}", codes())))?;
                Ok(Trigger::Finds(code, same))
            }
            "comm" => {
                let same = self.same()?;
                Ok(Trigger::Comm(Comm::from(self.word("expected the name of a thread")?.text), same))
            }
            "pid" => {
                let same = self.same()?;
                Ok(Trigger::Pid(self.number("a process id")?, same))
            }
            "port" => {
                let same = self.same()?;
                Ok(Trigger::Port(self.number("a remote port")?, same))
            }
            _ => Err(Wrong::new(word.at.clone(), format!("expected a condition about {SUBJECTS}"))),
        }
    }

    fn word(&mut self, expected: &str) -> Result<&'a Word<'a>, Wrong> {
        let word = self.words.get(self.next).ok_or_else(|| Wrong::new(self.end..self.end, expected))?;
        self.next += 1;
        Ok(word)
    }

    fn skips(&mut self, text: &str) -> bool {
        let skips = self.words.get(self.next).is_some_and(|word| word.text == text);
        self.next += usize::from(skips);
        skips
    }

    fn expect(&mut self, text: &str) -> Result<(), Wrong> {
        let word = self.word(&format!("expected `{text}`"))?;
        if word.text == text { Ok(()) } else { Err(Wrong::new(word.at.clone(), format!("expected `{text}`"))) }
    }

    /// Parses what is counted: `(no_port)`, `(outcome = no_port)`, `(outcome != established)`, `(second_pass)`.
    fn counted(&mut self) -> Result<Counted, Wrong> {
        self.expect("(")?;
        let counted = if self.skips("second_pass") {
            Counted::SecondPass
        } else {
            let same = if self.skips("outcome") { self.same()? } else { true };
            Counted::Ends(self.outcome()?, same)
        };
        self.expect(")")?;
        Ok(counted)
    }

    /// Parses a number of connects, or a share: `500`, `20%`, `0.5 %`. Also returns its place.
    fn room(&mut self) -> Result<(Room, Range<usize>), Wrong> {
        let word = self.word(&format!("{SHARE}, or a number"))?;
        let wrong = || Wrong::new(word.at.clone(), format!("{SHARE}, or a number"));
        let (number, is_share) = match word.text.strip_suffix('%') {
            Some(number) => (number, true),
            None => (word.text, self.skips("%")),
        };
        if !is_share {
            return Ok((Room::Connects(number.parse().map_err(|_| wrong())?), word.at.clone()));
        }
        let percent = Some(number).filter(|number| number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'));
        let percent: f64 = percent.and_then(|number| number.parse().ok()).ok_or_else(wrong)?;
        Ok((Room::Share(percent / 100.0), word.at.clone()))
    }

    fn order(&mut self) -> Result<Order, Wrong> {
        const EXPECTED: &str = "expected <, <=, >, >=, = or !=";
        let word = self.word(EXPECTED)?;
        match word.text {
            "<" => Ok(Order::Less),
            "<=" => Ok(Order::AtMost),
            ">" => Ok(Order::More),
            ">=" => Ok(Order::AtLeast),
            "=" => Ok(Order::Equal),
            "!=" => Ok(Order::Other),
            _ => Err(Wrong::new(word.at.clone(), EXPECTED)),
        }
    }

    fn same(&mut self) -> Result<bool, Wrong> {
        const EXPECTED: &str = "expected = or !=";
        let word = self.word(EXPECTED)?;
        match word.text {
            "=" => Ok(true),
            "!=" => Ok(false),
            _ => Err(Wrong::new(word.at.clone(), EXPECTED)),
        }
    }

    fn outcome(&mut self) -> Result<Outcome, Wrong> {
        let outcomes = || OUTCOMES.map(Outcome::name).join(", ");
        let word = self.word("expected an outcome, such as no_port")?;
        let outcome = OUTCOMES.into_iter().find(|outcome| outcome.name() == word.text);
        outcome.ok_or_else(|| Wrong::new(word.at.clone(), format!("no such outcome: one of {}", outcomes())))
    }

    fn number<T: std::str::FromStr>(&mut self, what: &str) -> Result<T, Wrong> {
        let word = self.word(&format!("expected {what}"))?;
        word.text.parse().map_err(|_| Wrong::new(word.at.clone(), format!("expected {what}")))
    }

    /// Parses an amount: ports as a number, times with a unit.
    fn amount(&mut self, phase: Phase) -> Result<u64, Wrong> {
        if phase == Phase::PortsVisited {
            return self.number("a number of ports");
        }
        const EXPECTED: &str = "expected a time: 800us, 1ms, 2.5s";
        let word = self.word(EXPECTED)?;
        nanoseconds(word.text).ok_or_else(|| Wrong::new(word.at.clone(), EXPECTED))
    }
}

fn phase(name: &str) -> Option<Phase> {
    match name {
        "port_search" => Some(Phase::PortSearch),
        "handshake" => Some(Phase::Handshake),
        "total" => Some(Phase::Total),
        "ports_visited" => Some(Phase::PortsVisited),
        _ => None,
    }
}

fn nanoseconds(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
    let (number, unit) = text.split_at(digits);
    let factor = match unit {
        "ns" => 1.0,
        "us" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        _ => return None,
    };
    let number: f64 = number.parse().ok()?;
    Some(number * factor).filter(|ns| *ns < 1e18).map(|ns| ns as u64)
}
