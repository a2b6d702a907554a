// SPDX-License-Identifier: MIT OR Apache-2.0
//! Finding `close-wait-leak`: the peer has closed, and the application does not.

use tcp_trace_common::tcp_state;

use super::{Code, Evidence, Finding, Severity, grouped, netns_shell::NetnsShell};
use crate::{
    aggregate::{
        observed::Observed,
        state::{LONG_NS, StateRow},
    },
    event::Side,
    inventory::socket::State,
    kernel::rules::Sysctls,
    model::peer::owner,
};

/// Below this count, a slow application may be about to close the sockets.
const ENOUGH: u64 = 3;
/// From this count on, the sockets are not a pool that has yet to notice the close.
const MANY: u64 = 20;

pub(super) fn find(observed: &Observed, own: &Sysctls) -> Vec<Finding> {
    observed.states.rows.iter().filter_map(|row| of_row(observed, own, row)).collect()
}

fn of_row(observed: &Observed, own: &Sysctls, row: &StateRow) -> Option<Finding> {
    let traced = row.traced.map(|traced| *traced.state(tcp_state::CLOSE_WAIT));
    let age_ns = traced.filter(|state| state.inside >= ENOUGH).and_then(|state| state.inside_mean_ns);
    let seconds = |ns: u64| ns as f64 / 1e9;
    // Two surveys recognise each socket again; after only one, the traced average says how long they stay.
    let since = match (row.now.map(|now| now.stuck), age_ns) {
        (Some(stuck), _) if stuck >= ENOUGH => {
            format!("{} of them for {} s or longer", grouped(stuck), seconds(LONG_NS))
        }
        (_, Some(age_ns)) if age_ns >= LONG_NS => format!("on average for {:.1} s", seconds(age_ns)),
        _ => return None,
    };
    let close_wait = row.in_state(State::CloseWait)?;
    let who = owner(&row.peer, &row.who);
    let shell = NetnsShell::of(observed, own, row.peer.netns, row.peer.pid);
    let first = row.now.map(|now| now.close_wait_first);
    let grows = first.is_some_and(|first| close_wait > first);
    let ends = match row.peer.side {
        Side::Opened => format!("to {}", address(row)),
        Side::Accepted => format!("accepted at {}", address(row)),
    };
    Some(Finding {
        code: Code::CloseWaitLeak,
        severity: if grows || close_wait >= MANY { Severity::Warning } else { Severity::Info },
        headline: format!(
            "{who} does not close: {} connections {ends} are in CLOSE_WAIT, {since}",
            grouped(close_wait)
        ),
        evidence: vec![
            ("owner", Evidence::Text(who)),
            ("peer", Evidence::Text(row.peer.to_string())),
            ("netns", Evidence::Text(observed.netns_label(row.peer.netns))),
            ("close_wait_now", Evidence::Number(close_wait)),
            ("close_wait_at_first", Evidence::number(first)),
            ("stuck", Evidence::number(row.now.map(|now| now.stuck))),
            ("seen_for_ns", Evidence::number(row.now.filter(|now| now.stuck > 0).map(|now| now.stuck_max_ns))),
            ("mean_age_ns", Evidence::number(age_ns)),
            ("left_close_wait", Evidence::number(traced.map(|traced| traced.left))),
            ("close_wait_mean_ns", Evidence::number(traced.and_then(|traced| traced.mean_ns))),
        ],
        fix: fix(row, &shell),
        gain: Some(format!(
            "frees {} file descriptors and their socket memory, and as many local ports for connections that it opened",
            grouped(close_wait)
        )),
        risk: None,
    })
}

fn address(row: &StateRow) -> String {
    std::net::SocketAddr::new(row.peer.address, row.peer.port).to_string()
}

fn fix(row: &StateRow, shell: &NetnsShell) -> Vec<String> {
    let port = match row.peer.side {
        Side::Opened => format!("dport = :{}", row.peer.port),
        Side::Accepted => format!("sport = :{}", row.peer.port),
    };
    let mut lines = vec![
        "# in the application: close a socket when read() returns 0, on error paths too; a pool has to check a \
         connection before it hands it out"
            .into(),
        "# list these connections:".into(),
        shell.command(&format!("ss -tnp state close-wait '( {port} )'")),
    ];
    if let Some(pid) = row.peer.pid {
        lines.push("# file descriptors that it has open, and its limit:".into());
        lines.push(format!("ls /proc/{pid}/fd | wc -l; grep 'open files' /proc/{pid}/limits"));
    }
    lines.push("# until it is fixed, restart the process to free them; the kernel never times out CLOSE_WAIT".into());
    lines
}
