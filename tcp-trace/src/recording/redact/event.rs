// SPDX-License-Identifier: MIT OR Apache-2.0
//! Pseudonyms in events. The type of a field decides what happens to it, so a new field cannot be forgotten.

use std::net::{IpAddr, SocketAddr};

use jiff::Timestamp;

use super::pseudonyms::Pseudonyms;
use crate::{
    event::{
        Bind, Caller, Candidates, Cgroup, Comm, Connect, DropCause, End, Event, ListenDrop, Outcome, Passage, Side,
        SourcePort, State, Taken, TimeWait, bind_fields, connect_fields, listen_drop_fields, state_fields,
        time_wait_fields,
    },
    outside::Text,
};

/// What a value becomes in a recording that is shared.
pub(super) trait Redact {
    fn redact(&mut self, names: &mut Pseudonyms);
}

/// Redacts each field of an event.
macro_rules! fields {
    ($(#[$about:meta])* $event:ident $signal:literal {
        $($(#[$doc:meta])* $column:literal $($field:ident: $type:ty)? $(=> $how:tt)?;)*
    }) => {
        impl Redact for $event {
            fn redact(&mut self, names: &mut Pseudonyms) {
                $($(self.$field.redact(names);)?)*
            }
        }
    };
}

connect_fields!(fields);
time_wait_fields!(fields);
listen_drop_fields!(fields);
bind_fields!(fields);
state_fields!(fields);

impl Redact for Event {
    fn redact(&mut self, names: &mut Pseudonyms) {
        match self {
            Self::Connect(connect) => connect.redact(names),
            Self::TimeWait(time_wait) => time_wait.redact(names),
            Self::ListenDrop(dropped) => dropped.redact(names),
            Self::Bind(bind) => bind.redact(names),
            Self::State(state) => state.redact(names),
            // Stacks are left out, and the others hold no names.
            Self::Stack(_) | Self::Detail(_) | Self::Lost(_) => {}
        }
    }
}

/// Values that say nothing of who and where.
macro_rules! kept {
    ($($type:ty),* $(,)?) => {
        $(impl Redact for $type {
            fn redact(&mut self, _: &mut Pseudonyms) {}
        })*
    };
}

kept!(
    bool,
    [u64; 4],
    u8,
    u16,
    u32,
    u64,
    i32,
    (u16, u16),
    Timestamp,
    Candidates,
    DropCause,
    End,
    Outcome,
    Passage,
    Side,
    SourcePort,
    Taken,
);

impl<T: Redact> Redact for Option<T> {
    fn redact(&mut self, names: &mut Pseudonyms) {
        if let Some(value) = self {
            value.redact(names);
        }
    }
}

impl Redact for IpAddr {
    fn redact(&mut self, names: &mut Pseudonyms) {
        *self = names.address(*self);
    }
}

impl Redact for SocketAddr {
    fn redact(&mut self, names: &mut Pseudonyms) {
        self.set_ip(names.address(self.ip()));
    }
}

impl Redact for Comm {
    fn redact(&mut self, names: &mut Pseudonyms) {
        *self = names.named(*self);
    }
}

impl Redact for Cgroup {
    fn redact(&mut self, names: &mut Pseudonyms) {
        if let Some(path) = &mut self.path {
            names.path(path);
        }
    }
}

impl Redact for Caller {
    fn redact(&mut self, names: &mut Pseudonyms) {
        self.comm.redact(names);
        self.cgroup.redact(names);
    }
}

/// Paths of programs, which no pseudonym makes more useful.
impl Redact for Text {
    fn redact(&mut self, _: &mut Pseudonyms) {
        *self = "redacted".into();
    }
}
