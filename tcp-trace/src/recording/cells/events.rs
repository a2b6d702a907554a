// SPDX-License-Identifier: MIT OR Apache-2.0
//! Events as rows, one table a signal.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use super::{
    super::{
        bytes::Malformed,
        column::{Kind, MAX_ENTRY},
        table::{Path, Read, Table},
    },
    Cells, Value, cells, words,
};
use crate::{
    event::{
        Caller, Candidates, Captured, Cgroup, Detail, DropCause, End, Frame, Frames, LeaveReason, Outcome, Passage,
        Side, SourcePort, Taken, UserEnd, level::Level, signals,
    },
    outside::Text,
};

/// The rows of a table of events.
pub trait EventTable: Cells {
    /// Name of the table.
    const NAME: &'static str;
}

/// Makes columns of the list of an event: one or several for each entry with a field, under its name.
macro_rules! columns {
    ($(#[$about:meta])* $event:ident $signal:literal {
        $($(#[$doc:meta])* $column:literal $($field:ident: $type:ty)? $(=> $how:tt)?;)*
    }) => {
        impl EventTable for $crate::event::$event {
            const NAME: &'static str = $signal;
        }

        impl Cells for $crate::event::$event {
            fn put(&self, path: Path<'_>, to: &mut Table) {
                $($(self.$field.put(path.child($column), to);)?)*
            }

            fn take(path: Path<'_>, from: &mut Read<'_>) -> Result<Self, Malformed> {
                Ok(Self { $($($field: Cells::take(path.child($column), from)?,)?)* })
            }
        }
    };
}

/// Makes the columns of all signals.
macro_rules! tables {
    ($($place:literal $event:ident $fields:ident $how:ident;)*) => { $($crate::event::$fields!(columns);)* };
}

signals!(tables);

cells!(Caller { "pid" = pid, "tid" = tid, "comm" = comm, "uid" = uid, "cgroup" = cgroup });
cells!(Detail {
    "time" = time,
    "before" = before,
    "after" = after,
    "programs_share" = programs_share,
    "agent_share" = agent_share,
    "budget" = budget,
});

words!(Taken { "search" = Taken::Search, "on_cpu" = Taken::OnCpu });
words!(Outcome {
    "established" = Outcome::Established,
    "refused" = Outcome::Refused,
    "timed_out" = Outcome::TimedOut,
    "reset" = Outcome::Reset,
    "unreachable" = Outcome::Unreachable,
    "no_port" = Outcome::NoPort,
    "port_in_use" = Outcome::PortInUse,
    "denied" = Outcome::Denied,
    "interrupted" = Outcome::Interrupted,
    "abandoned" = Outcome::Abandoned,
    "pending" = Outcome::Pending,
});
words!(SourcePort {
    "ephemeral" = SourcePort::Ephemeral,
    "bound" = SourcePort::Bound,
    "local_range" = SourcePort::LocalRange,
});
words!(Passage {
    "enter" = Passage::Enter { fin_wait2: false },
    "enter_fin_wait2" = Passage::Enter { fin_wait2: true },
    "fin_received" = Passage::FinReceived,
    "expired" = Passage::Leave(LeaveReason::Expired),
    "reused" = Passage::Leave(LeaveReason::Reused),
    "syn" = Passage::Leave(LeaveReason::Syn),
    "reset" = Passage::Leave(LeaveReason::Reset),
    "other" = Passage::Leave(LeaveReason::Other),
    "overflow" = Passage::Overflow,
});
words!(DropCause {
    "accept_queue" = DropCause::AcceptQueue,
    "accept_queue_at_ack" = DropCause::AcceptQueueAtAck,
    "syn_queue" = DropCause::SynQueue,
    "syn_backlog" = DropCause::SynBacklog,
    "other" = DropCause::Other,
});
words!(End {
    "linger_reset" = End::LingerReset,
    "unread_reset" = End::UnreadReset,
    "peer_reset" = End::PeerReset,
    "timed_out" = End::TimedOut,
});
words!(Side { "opened" = Side::Opened, "accepted" = Side::Accepted });

/// The client of a listener, known with its port or not at all.
impl Cells for Option<SocketAddr> {
    fn put(&self, path: Path<'_>, to: &mut Table) {
        self.map(|client| client.ip()).put(path.child("client_addr"), to);
        self.map(|client| client.port()).put(path.child("client_port"), to);
    }

    fn take(path: Path<'_>, from: &mut Read<'_>) -> Result<Self, Malformed> {
        let address: Option<IpAddr> = Cells::take(path.child("client_addr"), from)?;
        let port: Option<u16> = Cells::take(path.child("client_port"), from)?;
        Ok(address.zip(port).map(Into::into))
    }
}

/// Known together, or not at all.
impl Cells for Option<(u16, u16)> {
    fn put(&self, path: Path<'_>, to: &mut Table) {
        self.map(|(low, _)| low).put(path.child("low"), to);
        self.map(|(_, high)| high).put(path.child("high"), to);
    }

    fn take(path: Path<'_>, from: &mut Read<'_>) -> Result<Self, Malformed> {
        let low: Option<u16> = Cells::take(path.child("low"), from)?;
        let high: Option<u16> = Cells::take(path.child("high"), from)?;
        Ok(low.zip(high))
    }
}

impl Cells for Option<Cgroup> {
    fn put(&self, path: Path<'_>, to: &mut Table) {
        self.as_ref().and_then(|cgroup| cgroup.path.clone()).put(path, to);
        self.as_ref().map(|cgroup| cgroup.id).put(path.child("id"), to);
    }

    fn take(path: Path<'_>, from: &mut Read<'_>) -> Result<Self, Malformed> {
        let name: Option<Text> = Cells::take(path, from)?;
        let id: Option<u64> = Cells::take(path.child("id"), from)?;
        Ok(id.map(|id| Cgroup { id, path: name }))
    }
}

impl Cells for Option<Candidates> {
    fn put(&self, path: Path<'_>, to: &mut Table) {
        self.map(|candidates| candidates.in_use).put(path.child("in_use"), to);
        self.map(|candidates| candidates.time_wait).put(path.child("time_wait"), to);
        self.map(|candidates| candidates.time_wait_reused).put(path.child("time_wait_reused"), to);
        self.and_then(|candidates| candidates.skipped).put(path.child("skipped"), to);
    }

    fn take(path: Path<'_>, from: &mut Read<'_>) -> Result<Self, Malformed> {
        let in_use: Option<u32> = Cells::take(path.child("in_use"), from)?;
        let time_wait: Option<u32> = Cells::take(path.child("time_wait"), from)?;
        let reused: Option<u32> = Cells::take(path.child("time_wait_reused"), from)?;
        let skipped: Option<u32> = Cells::take(path.child("skipped"), from)?;
        let known = in_use.zip(time_wait).zip(reused);
        Ok(known.map(|((in_use, time_wait), time_wait_reused)| Candidates {
            in_use,
            time_wait,
            time_wait_reused,
            skipped,
        }))
    }
}

impl EventTable for Detail {
    const NAME: &'static str = "detail";
}

impl Value for Level {
    fn write(value: Option<&Self>, path: Path<'_>, to: &mut Table) {
        let word = value.map(|level| match level {
            Self::Full => "full".to_owned(),
            Self::Exemplars => "exemplars".to_owned(),
            Self::NoPortProbes => "no_port_probes".to_owned(),
            Self::NoEvents => "no_events".to_owned(),
            Self::OneIn(n) => format!("one_in_{n}"),
        });
        to.bytes(path, Kind::Text, word.as_ref().map(|word| word.as_bytes()));
    }

    fn read(path: Path<'_>, from: &mut Read<'_>) -> Result<Option<Self>, Malformed> {
        let Some(word) = Text::read(path, from)? else { return Ok(None) };
        let level = match &*word {
            "full" => Some(Self::Full),
            "exemplars" => Some(Self::Exemplars),
            "no_port_probes" => Some(Self::NoPortProbes),
            "no_events" => Some(Self::NoEvents),
            word => word.strip_prefix("one_in_").and_then(|n| n.parse().ok()).map(Self::OneIn),
        };
        level.map(Some).ok_or_else(|| Malformed::new(format!("column {path}: {word:?} is unknown to this version")))
    }
}

/// What frames are made of stays where it was.
impl Cells for Option<Box<Captured>> {
    fn put(&self, _: Path<'_>, _: &mut Table) {}

    fn take(_: Path<'_>, _: &mut Read<'_>) -> Result<Self, Malformed> {
        Ok(None)
    }
}

fn too_long() -> Frames {
    let user = vec![Frame { name: "[stack too long to record]".into(), module: None }];
    Frames { user, user_end: UserEnd::Gone, kernel: Vec::new(), kernel_errno: None }
}

/// As JSON: the same text comes again and again, and is compressed away.
impl Value for Arc<Frames> {
    fn write(value: Option<&Self>, path: Path<'_>, to: &mut Table) {
        let json = |frames: &Frames| serde_json::to_vec(frames).ok();
        let text = value.and_then(|frames| json(frames));
        let text = match text {
            // Half of it would be no JSON.
            Some(text) if text.len() > MAX_ENTRY => json(&too_long()),
            text => text,
        };
        to.bytes(path, Kind::Text, text.as_deref());
    }

    fn read(path: Path<'_>, from: &mut Read<'_>) -> Result<Option<Self>, Malformed> {
        let Some(text) = Text::read(path, from)? else { return Ok(None) };
        let frames = serde_json::from_str(&text);
        frames.map(Some).map_err(|error| Malformed::new(format!("column {path}: {error}")))
    }
}
