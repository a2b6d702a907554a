// SPDX-License-Identifier: MIT OR Apache-2.0
//! `check` on recordings: verdicts, exit codes and formats.
//!
//! The recordings are of a client in a network namespace of its own, with the ports 40000-40199: it holds 150 (cliff) or
//! 10 (calm) connections to a listener, and connects again and again. fentry-*: Linux 6.12; sampled-calm: the same with
//! --max-overhead 0.01%; tracepoint-*: Linux 6.18, without kprobes and trampolines.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::Value;

fn recording(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/recordings").join(name).with_extension("rec")
}

fn check(recording: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tcp-trace"));
    command.arg("check").arg(recording).args(arguments).stdin(Stdio::null()).output().expect("the program runs")
}

/// The verdicts of these rules, and the exit code.
fn verdicts(name: &str, rules: &[&str]) -> (Vec<String>, i32) {
    let arguments: Vec<&str> = rules.iter().flat_map(|rule| ["--rule", rule]).chain(["--format", "json"]).collect();
    let ran = check(&recording(name), &arguments);
    let lines: Vec<Value> = lines(&ran);
    let of_rules = lines.iter().filter(|line| line["type"] == "rule");
    let verdicts = of_rules.map(|line| line["verdict"].as_str().expect("a verdict").to_owned()).collect();
    let last = lines.last().unwrap_or_else(|| panic!("no line: {ran:?}"));
    let code = ran.status.code().expect("an exit code");
    assert_eq!((&last["type"], &last["exit_code"]), (&Value::from("check"), &Value::from(code)));
    (verdicts, code)
}

fn lines(ran: &Output) -> Vec<Value> {
    let text = String::from_utf8(ran.stdout.clone()).expect("UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

const RULES: [&str; 6] = [
    "count(outcome = no_port) = 0",
    "share(second_pass) < 1 %",
    "max(ports_visited) < 100",
    "p99(total) < 1s",
    "headroom > 20 %",
    "finding != parity-cliff",
];

#[test]
fn a_calm_run_passes() {
    let (verdicts, code) = verdicts("fentry-calm", &RULES);
    assert_eq!((verdicts, code), (vec!["PASS".to_owned(); 6], 0));
}

#[test]
fn a_cliff_fails() {
    let (verdicts, code) = verdicts("fentry-cliff", &RULES);
    assert_eq!((verdicts.join(" "), code), ("PASS FAIL FAIL PASS FAIL FAIL".into(), 3));
    let (verdicts, code) = with_level("fentry-cliff", "warn: ");
    assert_eq!((verdicts.join(" "), code), ("PASS WARN WARN PASS WARN WARN".into(), 0));
}

fn with_level(name: &str, before: &str) -> (Vec<String>, i32) {
    let rules = RULES.map(|rule| format!("{before}{rule}"));
    verdicts(name, &rules.each_ref().map(String::as_str))
}

#[test]
fn what_the_tracepoint_tier_does_not_see_is_indeterminate() {
    let rules =
        ["count(outcome = no_port) = 0", "p99(port_search) < 1s", "max(ports_visited) < 100", "p99(total) < 1s"];
    let (found, code) = verdicts("tracepoint-calm", &rules);
    assert_eq!((found.join(" "), code), ("PASS INDETERMINATE INDETERMINATE PASS".into(), 4));
    // The sockets show the cliff on any tier.
    let (found, code) = verdicts("tracepoint-cliff", &["headroom > 20 %", "p99(port_search) < 1s"]);
    assert_eq!((found.join(" "), code), ("FAIL INDETERMINATE".into(), 3));
}

#[test]
fn what_was_shed_is_indeterminate() {
    let rules = ["count(outcome = no_port) = 0", "p99(total) < 1s", "total < 1s", "headroom > 20 %"];
    let (found, code) = verdicts("sampled-calm", &rules);
    assert_eq!((found.join(" "), code), ("INDETERMINATE INDETERMINATE INDETERMINATE PASS".into(), 4));
    assert_eq!(verdicts("sampled-calm", &["count(outcome = established) = 0"]).1, 3, "what is certain stays certain");
}

#[test]
fn a_truncated_recording_is_indeterminate() {
    let folder = tempfile::tempdir().expect("a folder");
    let bytes = fs::read(recording("fentry-calm")).expect("a recording");
    let path = folder.path().join("truncated.rec");
    fs::write(&path, &bytes[..bytes.len() - 20]).expect("a file");
    let ran = check(&path, &["--rule", "count(outcome = no_port) = 0", "--format", "json"]);
    assert_eq!(ran.status.code(), Some(4), "{ran:?}");
    let lines = lines(&ran);
    let unknown = lines.iter().find(|line| line["type"] == "condition").map(|line| line["unknown"].to_string());
    assert!(unknown.is_some_and(|why| why.contains("truncated")), "{lines:?}");
    // Damage is a failure, and no verdict.
    let mut bytes = bytes;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(&path, &bytes).expect("a file");
    let ran = check(&path, &["--rule", "count(outcome = no_port) = 0"]);
    assert_eq!((ran.status.code(), ran.stdout.len()), (Some(1), 0), "{ran:?}");
}

#[test]
fn a_recording_of_the_first_version_has_verdicts() {
    // Its ledger counts runs that were missed.
    let (found, code) = verdicts("layout-1", &["count(outcome = no_port) = 0", "p99(total) < 1us", "total > 1ns"]);
    assert_eq!((found.join(" "), code), ("FAIL FAIL INDETERMINATE".into(), 3));
}

#[test]
fn text_shows_the_worst_first_with_evidence_and_accounts() {
    let ran = check(&recording("fentry-cliff"), &["--preset", "egress-proxy"]);
    let text = String::from_utf8(ran.stdout).expect("UTF-8");
    assert!(text.starts_with("tcp-trace check  kernel 6.12."), "{text}");
    let place = |words: &str| text.find(words).unwrap_or_else(|| panic!("no {words}:\n{text}"));
    assert!(
        place("\nFAIL           share(second_pass) < 1 %") < place("\nPASS           count(outcome = no_port) = 0")
    );
    assert!(place(" of 100 ports (0.0 %) left from 127.0.0.1 to 127.0.0.1:8080") < place("ledger: made"));
    assert!(text.lines().all(|line| line.len() <= 80), "{text}");
}

/// roxmltree did not write it, and rejects what is no XML.
#[test]
fn junit_is_xml_that_says_the_same() {
    let rules = ["max(ports_visited) < 100", "comm != 'a<b>&\"c' or total < 1s", "warn: p50(total) < 1ns"];
    let arguments: Vec<&str> = rules.iter().flat_map(|rule| ["--rule", *rule]).collect();
    for name in ["fentry-cliff", "tracepoint-cliff", "sampled-calm", "layout-1"] {
        let of = |format| check(&recording(name), &[&arguments[..], &["--format", format]].concat());
        let json = lines(&of("json"));
        let total = json.last().expect("a line");
        let ran = of("junit");
        let text = String::from_utf8(ran.stdout).expect("UTF-8");
        let document = roxmltree::Document::parse(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let suite = document.descendants().find(|node| node.has_tag_name("testsuite")).expect("a suite");
        let count = |name| suite.attribute(name).and_then(|count| count.parse::<u64>().ok());
        assert_eq!(count("tests"), Some(3));
        assert_eq!((count("failures"), count("errors")), (total["failed"].as_u64(), total["indeterminate"].as_u64()));
        let cases: Vec<_> = suite.children().filter(|node| node.has_tag_name("testcase")).collect();
        let of_rules = json.iter().filter(|line| line["type"] == "rule");
        for (case, line) in cases.iter().zip(of_rules) {
            assert_eq!(case.attribute("name"), line["rule"].as_str(), "{text}");
            let has = |tag| case.children().any(|child| child.has_tag_name(tag));
            let verdict = line["verdict"].as_str().expect("a verdict");
            assert_eq!((has("failure"), has("error")), (verdict == "FAIL", verdict == "INDETERMINATE"), "{text}");
        }
        assert_eq!(cases.len(), 3);
        assert!(
            suite.descendants().any(|node| node.text().is_some_and(|text| text.contains("ledger: made"))),
            "{text}"
        );
        assert_eq!(ran.status.code(), total["exit_code"].as_i64().map(|code| code as i32));
    }
}

#[test]
fn rules_come_from_files_and_outputs_go_to_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let (rules, to) = (folder.path().join("site.rules"), folder.path().join("verdicts"));
    fs::write(&rules, "# of the site\n\nmax(ports_visited) < 100\nwarn: headroom > 90 %\n").expect("a file");
    let (rules, output) = (rules.to_str().expect("UTF-8"), to.to_str().expect("UTF-8"));
    let ran = check(&recording("fentry-calm"), &["--rules", rules, "--rule", "count(no_port) = 0", "-o", output]);
    assert_eq!((ran.status.code(), ran.stdout.len()), (Some(0), 0), "{ran:?}");
    let text = fs::read_to_string(&to).expect("verdicts");
    assert!(text.contains("\n3 PASS\n") || text.contains("\n1 WARN, 2 PASS\n"), "{text}");
    fs::write(rules, "count(no_port) = 0\ncount(no_prt) = 0\n").expect("a file");
    let wrong = check(&recording("fentry-calm"), &["--rules", rules]);
    let said = String::from_utf8(wrong.stderr).expect("UTF-8");
    assert!(wrong.status.code() == Some(2) && said.contains("site.rules:2: no such outcome"), "{said}");
}

#[test]
fn what_cannot_be_checked_is_a_usage_error() {
    let calm = recording("fentry-calm");
    for (arguments, words) in [
        (&[][..], "there is no rule"),
        (&["--rule", "outcome = no_port or headroom > 5"], "`or` combines"),
        (&["--rule", "p99(port_serch) < 1ms"], "no such phase"),
        (&["--preset", "client", "--pid", "1"], "a recording is checked as a whole"),
        (&["--preset", "client", "--duration", "1s"], "cannot be used with"),
        (&["--rules", "/nonexistent/rules"], "cannot read rules from"),
    ] {
        let ran = check(&calm, arguments);
        let said = String::from_utf8(ran.stderr).expect("UTF-8");
        assert!(ran.status.code() == Some(2) && said.contains(words), "{arguments:?}: {said}");
    }
}
