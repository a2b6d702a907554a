// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tests of a graph with known call paths, in every output format.

use std::sync::Arc;

use super::*;
use crate::{
    aggregate::tally::{Destination, Process},
    event::Frame,
    flame::{differential, folded::folded, speedscope::speedscope, svg::svg, text::text},
};

fn row(comm: &str, path: Path, search_ns: u64, search_unknown: u64) -> (Key, Weights) {
    let destination = Destination { netns: 1, daddr: "10.0.0.1".parse().expect("an address"), dport: 80 };
    let process = Process { pid: 7, comm: comm.into() };
    let connects = 1 + search_unknown;
    (
        Key { process, cgroup: Some("/a.slice".into()), destination, path },
        Weights { connects, search_ns, search_unknown, ..Weights::default() },
    )
}

fn path(user: &[&str], user_end: UserEnd) -> Path {
    let frame = |module: Option<&str>| {
        let module = module.map(Into::into);
        move |name: &&str| Frame { name: (*name).into(), module: module.clone() }
    };
    let kernel = ["__sys_connect", "tcp_v4_connect", "__inet_hash_connect"].iter().map(frame(None)).collect();
    Path::Known(Arc::new(Frames {
        user: user.iter().map(frame(Some("proxy"))).collect(),
        user_end,
        kernel,
        kernel_errno: None,
    }))
}

/// A graph with a waiting proxy, a stack that could not be unwound, and one that was lost.
pub(in crate::flame) fn graph(weight: Weight) -> Graph {
    let rows = vec![
        row("proxy", path(&["main", "dial;up"], UserEnd::Whole), 9_000, 0),
        row("proxy", path(&["?"], UserEnd::Lost), 700, 0),
        row("curl", Path::Lost, 300, 2),
    ];
    Graph::new(&StacksSnapshot { rows, unjoined: 4 }, weight, &[Split::Process])
}

#[test]
fn one_line_a_path_and_nothing_hidden() {
    let graph = graph(Weight::Search);
    assert_eq!(
        folded(&graph),
        "curl;[stack lost] 300\n\
         proxy;[unwinding failed here];?;__sys_connect_[k];tcp_v4_connect_[k];__inet_hash_connect_[k] 700\n\
         proxy;main;dial:up;__sys_connect_[k];tcp_v4_connect_[k];__inet_hash_connect_[k] 9000\n"
    );
    assert_eq!(graph.total.search_ns, 10_000);
    let notes = graph.notes.join("\n");
    for word in [
        "1 user stacks could not be unwound",
        "3 stacks were lost",
        "the weight of 2 connects",
        "4 stacks have no connect event",
    ] {
        assert!(notes.contains(word), "{word} in {notes}");
    }
}

#[test]
fn roots_are_what_was_asked_for() {
    let rows = vec![row("proxy", Path::Lost, 1, 0)];
    let snapshot = StacksSnapshot { rows, unjoined: 0 };
    let all = [Split::Destination, Split::Cgroup, Split::Pid];
    assert_eq!(folded(&Graph::new(&snapshot, Weight::Search, &all)), "10.0.0.1:80;/a.slice;proxy (7);[stack lost] 1\n");
}

#[test]
fn a_picture_that_searches() {
    let svg = String::from_utf8(svg(&graph(Weight::Search), "3 connects").expect("drawn")).expect("text");
    assert!(svg.contains("<svg") && svg.contains("function search(") && svg.contains("3 connects"));
    assert!(svg.contains("dial:up (9,000 ns, 90.00%)"), "weights and shares");
    let long = "x".repeat(400);
    let narrow =
        String::from_utf8(super::super::svg::svg(&graph(Weight::Search), &long).expect("drawn")).expect("text");
    assert!(narrow.contains(&format!("{}~<", &long[..159])), "what does not fit is cut visibly");
    assert!(!svg.contains("http-equiv") && !svg.contains("src=\"http"), "nothing from elsewhere");
}

#[test]
fn a_difference_is_to_scale() {
    let before = "proxy;main;dial:up;__sys_connect_[k];tcp_v4_connect_[k];__inet_hash_connect_[k] 50\nold 50\n";
    let lines = differential::lines(&graph(Weight::Search), before.as_bytes()).expect("compared");
    assert!(lines.contains("__inet_hash_connect_[k] 5000 9000\n"), "{lines}");
    let svg = differential::svg(&graph(Weight::Search), before.as_bytes(), "").expect("drawn");
    assert!(String::from_utf8_lossy(&svg).contains("+40.00%"));
}

#[test]
fn speedscope_has_frames_samples_and_weights() {
    let file: serde_json::Value = serde_json::from_slice(&speedscope(&graph(Weight::Search), "t")).expect("JSON");
    let profile = &file["profiles"][0];
    assert_eq!(profile["weights"], serde_json::json!([300, 700, 9000]));
    assert_eq!((&profile["endValue"], &profile["unit"]), (&10_000.into(), &"nanoseconds".into()));
    let innermost = profile["samples"][2].as_array().expect("frames").last().and_then(serde_json::Value::as_u64);
    let frames = file["shared"]["frames"].as_array().expect("frames");
    assert_eq!(frames[innermost.expect("one") as usize]["name"], "__inet_hash_connect");
}

#[test]
fn words_for_a_terminal() {
    let text = text(&graph(Weight::Search), "3 connects", 1);
    assert!(text.contains(" 90.0 %  9,000 ns\n"), "{text}");
    assert!(text.contains("dial;up [proxy]\n") && text.contains("2 more call paths"));
}
