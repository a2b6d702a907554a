// SPDX-License-Identifier: MIT OR Apache-2.0
//! docs/schema/tcp-trace.schema.json against real output, and docs/json.md against the schema.
//!
//! The schema uses a small subset of JSON Schema 2020-12. The checker below knows all of that subset and rejects every
//! other keyword, so that no part of the schema is ignored.

use std::{collections::BTreeSet, fmt::Write as _, fs, process::Command};

use serde_json::{Map, Value};

const SCHEMA: &str = include_str!("../../docs/schema/tcp-trace.schema.json");
const GOLDEN: &str = include_str!("golden/events.jsonl");
const RECORDINGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/recordings");
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/json.md");
/// Everything below this line of docs/json.md is rendered from the schema.
const MARK: &str = "<!-- below: rendered from schema/tcp-trace.schema.json by tcp-trace/tests/json_schema.rs -->\n";

/// Commands whose replay is checked.
const COMMANDS: [&[&str]; 8] = [
    &["connect-latency", "--events", "connect,time-wait,summary"],
    &["ports"],
    &["time-wait", "--events"],
    &["bind", "--events"],
    &["listen", "--events"],
    &["states", "--events"],
    &["what-if"],
    &["doctor"],
];

fn schema() -> Value {
    serde_json::from_str(SCHEMA).expect("the schema is JSON")
}

/// Why `value` does not match `rule`; `None`: it matches.
fn mismatch(root: &Value, rule: &Value, value: &Value, place: &str) -> Option<String> {
    let rule = rule.as_object().expect("a rule is an object");
    for (keyword, of) in rule {
        let wrong = match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" => None,
            "$ref" => {
                let name = of.as_str().and_then(|path| path.strip_prefix("#/$defs/")).expect("a local reference");
                mismatch(root, root["$defs"].get(name).unwrap_or_else(|| panic!("no definition {name}")), value, place)
            }
            "const" => (of != value).then(|| format!("{place}: {value} is not {of}")),
            "enum" => {
                let known = of.as_array().expect("a list").contains(value);
                (!known).then(|| format!("{place}: {value} is none of {of}"))
            }
            "type" => {
                let fits =
                    of.as_array().map_or_else(|| is_of(value, of), |all| all.iter().any(|one| is_of(value, one)));
                (!fits).then(|| format!("{place}: {value} is not of type {of}"))
            }
            "minimum" | "maximum" => value.as_f64().and_then(|number| {
                let limit = of.as_f64().expect("a number");
                let within = if keyword == "minimum" { number >= limit } else { number <= limit };
                (!within).then(|| format!("{place}: {number} is beyond the {keyword} {limit}"))
            }),
            "anyOf" => any_of(root, of.as_array().expect("a list"), value, place),
            "items" => value.as_array().and_then(|items| {
                items
                    .iter()
                    .enumerate()
                    .find_map(|(index, item)| mismatch(root, of, item, &format!("{place}[{index}]")))
            }),
            "properties" => value.as_object().and_then(|object| {
                of.as_object().expect("an object").iter().find_map(|(name, rule)| {
                    object.get(name).and_then(|value| mismatch(root, rule, value, &format!("{place}.{name}")))
                })
            }),
            "required" => value.as_object().and_then(|object| {
                let names = of.as_array().expect("a list").iter().filter_map(Value::as_str);
                names.into_iter().find(|name| !object.contains_key(*name)).map(|name| format!("{place}: no {name}"))
            }),
            "additionalProperties" => value.as_object().and_then(|object| extra(root, rule, of, object, place)),
            _ => panic!("the checker does not know {keyword}"),
        };
        if wrong.is_some() {
            return wrong;
        }
    }
    None
}

/// A line is compared with the alternatives of its type, so that the reason names a key.
fn any_of(root: &Value, rules: &[Value], value: &Value, place: &str) -> Option<String> {
    let kind_of_rule = |rule: &Value| {
        let name = rule["$ref"].as_str()?.strip_prefix("#/$defs/")?;
        root["$defs"][name]["properties"]["type"]["const"].as_str()
    };
    let is_other = |rule: &&Value| kind_of_rule(rule).is_some_and(|kind| value["type"] != kind);
    let mut reasons = vec![format!("{place}: no alternative fits {value}")];
    for rule in rules.iter().filter(|rule| !is_other(rule)) {
        reasons.push(mismatch(root, rule, value, place)?);
    }
    reasons.pop()
}

fn extra(
    root: &Value,
    rule: &Map<String, Value>,
    of: &Value,
    object: &Map<String, Value>,
    place: &str,
) -> Option<String> {
    let known = rule.get("properties").and_then(Value::as_object);
    let mut others = object.iter().filter(|(name, _)| known.is_none_or(|known| !known.contains_key(*name)));
    others.find_map(|(name, value)| match of {
        Value::Bool(false) => Some(format!("{place}: {name} is not in the schema")),
        rule => mismatch(root, rule, value, &format!("{place}.{name}")),
    })
}

fn is_of(value: &Value, kind: &Value) -> bool {
    match kind.as_str().expect("the name of a type") {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        other => panic!("no type {other}"),
    }
}

/// Output lines of a command.
fn output(arguments: &[&str]) -> String {
    let ran = Command::new(env!("CARGO_BIN_EXE_tcp-trace")).args(arguments).args(["--format", "json"]).output();
    String::from_utf8(ran.expect("it runs").stdout).expect("UTF-8")
}

#[test]
fn real_output_matches_the_schema() {
    let schema = schema();
    let mut lines = GOLDEN.to_owned();
    for recording in fs::read_dir(RECORDINGS).expect("fixtures") {
        let recording = recording.expect("a fixture").path();
        for command in COMMANDS {
            let path = recording.to_str().expect("UTF-8");
            lines += &output(&[&["replay", path], command].concat());
        }
        let path = recording.to_str().expect("UTF-8");
        lines += &output(&["check", path, "--preset", "egress-proxy", "--preset", "client", "--rule", "total < 1ms"]);
    }
    lines += &output(&["what-if", "--hosts", "4", "--rate", "1200", "--lasts", "1s"]);
    // The fixture is older than facts and verdicts: those of this machine.
    lines += &output(&["doctor"]);
    let mut seen = BTreeSet::new();
    for line in lines.lines().filter(|line| !line.is_empty()) {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let kind = value["type"].as_str().expect("a type").to_owned();
        if let Some(wrong) = mismatch(&schema, &schema, &value, &kind) {
            panic!("{wrong}\n{line}");
        }
        seen.insert(kind);
    }
    // A rule that no line was compared with proves nothing. No fixture has a handshake that waited.
    let ruled: BTreeSet<_> = line_rules(&schema).map(|(_, rule)| kind_of(rule)).collect();
    let unseen: Vec<_> = ruled.difference(&seen).filter(|kind| *kind != "slow_handshakes").collect();
    assert!(unseen.is_empty(), "no line of type {unseen:?}");
}

#[test]
fn wrong_lines_do_not_match() {
    let schema = schema();
    let line: Value = serde_json::from_str(GOLDEN.lines().next().expect("a line")).expect("JSON");
    let changed = |change: &dyn Fn(&mut Map<String, Value>)| {
        let mut line = line.clone();
        change(line.as_object_mut().expect("an object"));
        mismatch(&schema, &schema, &line, "line")
    };
    assert_eq!(changed(&|_| ()), None);
    assert!(changed(&|line| drop(line.remove("pid"))).is_some_and(|wrong| wrong == "line: no pid"));
    assert!(changed(&|line| drop(line.insert("more".into(), 1.into()))).is_some_and(|wrong| wrong.contains("more")));
    assert!(changed(&|line| drop(line.insert("pid".into(), "7".into()))).is_some_and(|wrong| wrong.contains("pid")));
    assert!(changed(&|line| drop(line.insert("outcome".into(), "won".into()))).is_some());
    assert!(changed(&|line| drop(line.insert("dport".into(), 65_536.into()))).is_some());
}

/// Rules of lines, with their names in `$defs`.
fn line_rules(schema: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let all = schema["anyOf"].as_array().expect("a list").iter().filter_map(|rule| rule["$ref"].as_str());
    all.map(|path| path.strip_prefix("#/$defs/").expect("a local reference")).map(|name| (name, &schema["$defs"][name]))
}

fn kind_of(rule: &Value) -> String {
    rule["properties"]["type"]["const"].as_str().expect("a type").to_owned()
}

/// The tables of docs/json.md.
fn rendered(schema: &Value) -> String {
    let mut page = String::new();
    for (_, rule) in line_rules(schema) {
        let _ = writeln!(page, "\n## `{}`\n", kind_of(rule));
        table(&mut page, rule);
    }
    page += "\n## Objects within lines\n";
    let defs = schema["$defs"].as_object().expect("an object");
    for (name, rule) in defs.iter().filter(|(name, rule)| !name.starts_with("line_") && rule["required"].is_array()) {
        let _ = writeln!(page, "\n### {name}\n");
        table(&mut page, rule);
    }
    page
}

fn table(page: &mut String, rule: &Value) {
    if let Some(words) = rule["description"].as_str() {
        let _ = writeln!(page, "{words}\n");
    }
    *page += "| key | type | meaning |\n|---|---|---|\n";
    let required = rule["required"].as_array().expect("a list").iter().filter_map(Value::as_str);
    let required: Vec<_> = required.collect();
    let all = rule["properties"].as_object().expect("an object");
    let optional = all.keys().map(String::as_str).filter(|name| !required.contains(name));
    let optional: Vec<_> = optional.collect();
    for name in required.iter().chain(&optional).filter(|name| !matches!(**name, "v" | "type")) {
        let of = &all[*name];
        let missing = if optional.contains(name) { ", may be missing" } else { "" };
        let words = of["description"].as_str().unwrap_or_default();
        let _ = writeln!(page, "| `{name}` | {}{missing} | {words} |", kind(of).replace('|', "\\|"));
    }
}

/// The type of a property in words.
fn kind(of: &Value) -> String {
    let words = |name: &Value| name.as_str().unwrap_or("null").to_owned();
    if let Some(rules) = of["anyOf"].as_array() {
        return rules.iter().map(kind).collect::<Vec<_>>().join(" or ");
    }
    if let Some(all) = of["enum"].as_array() {
        let all = all.iter().map(|value| value.as_str().map_or_else(|| "null".into(), |word| format!("`{word}`")));
        return all.collect::<Vec<_>>().join(", ");
    }
    if let Some(path) = of["$ref"].as_str() {
        return path.trim_start_matches("#/$defs/").to_owned();
    }
    match &of["type"] {
        Value::Array(all) => all.iter().map(words).collect::<Vec<_>>().join(" or "),
        Value::String(name) if name == "array" => format!("list of {}", kind(&of["items"])),
        name => words(name),
    }
}

#[test]
fn the_page_is_rendered_from_the_schema() {
    let page = fs::read_to_string(PAGE).expect("docs/json.md");
    let (head, tables) = page.split_once(MARK).expect("docs/json.md has the mark");
    let wanted = rendered(&schema());
    if std::env::var_os("TCP_TRACE_BLESS").is_some_and(|bless| bless == "1") {
        fs::write(PAGE, format!("{head}{MARK}{wanted}")).expect("written");
        return;
    }
    assert!(tables == wanted, "docs/json.md is stale: TCP_TRACE_BLESS=1 cargo test -p tcp-trace --test json_schema");
}
