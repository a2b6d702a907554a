// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tests of Parquet files with common engines. `cargo xtask test` installs these and sets their path; otherwise the
//! library that wrote the files reads them.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::Command,
};

use parquet::{
    file::reader::{FileReader as _, SerializedFileReader},
    record::{Field, Row},
};
use serde_json::{Value, json};

use super::ParquetWriter;
use crate::{
    event::{Connect, Event, Outcome},
    recording::{
        message::OwnedMessage,
        sample::{at, connect, run},
    },
    stream::{Consumer as _, Message},
};

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("tcp-trace-parquet-{name}-{}", std::process::id()));
    let mut writer = ParquetWriter::create(&folder).expect("a folder");
    run().iter().for_each(|message| writer.consume(message.as_message()).expect("room"));
    folder
}

fn connects() -> Vec<Connect> {
    let connects = run().into_iter().filter_map(|message| match message {
        OwnedMessage::Event(Event::Connect(connect)) => Some(connect),
        _ => None,
    });
    connects.collect()
}

/// Expected results of the three queries in docs/recordings.md, computed by hand.
fn expected() -> Value {
    let mut by_destination = BTreeMap::<(String, u16), (u64, u64, u64)>::new();
    let mut by_second = BTreeMap::<String, (u64, u64, Option<u32>)>::new();
    let mut by_caller = BTreeMap::<(String, u32), (u64, u64)>::new();
    for connect in connects() {
        let search_ns = connect.port_search_ns.unwrap_or(0);
        let row = by_destination.entry((connect.daddr.to_string(), connect.dport)).or_default();
        *row = (row.0 + 1, row.1 + u64::from(connect.second_pass == Some(true)), row.2.max(search_ns));
        let row = by_second.entry(connect.time.strftime("%Y-%m-%d %H:%M:%S").to_string()).or_default();
        let failed = u64::from(connect.outcome != Outcome::Established);
        *row = (row.0 + 1, row.1 + failed, row.2.max(connect.ports_visited));
        let row = by_caller.entry((connect.caller.comm.to_string(), connect.caller.pid)).or_default();
        *row = (row.0 + 1, row.1 + search_ns);
    }
    let mut first: Vec<_> =
        by_destination.into_iter().map(|(key, row)| json!([key.0, key.1, row.0, row.1, row.2])).collect();
    first.sort_by_key(|row| std::cmp::Reverse((row[3].as_u64(), row[2].as_u64())));
    let second: Vec<_> = by_second.into_iter().map(|(at, row)| json!([at, row.0, row.1, row.2])).collect();
    let mut third: Vec<_> = by_caller.into_iter().map(|(key, row)| json!([key.0, key.1, row.0, row.1])).collect();
    third.sort_by_key(|row| std::cmp::Reverse(row[3].as_u64()));
    json!([first, second, third])
}

#[test]
fn what_was_written_can_be_read() {
    let folder = folder("read");
    let file = File::open(folder.join("connect.parquet")).expect("a file");
    let reader = SerializedFileReader::new(file).expect("Parquet");
    assert_eq!(reader.metadata().file_metadata().num_rows() as usize, connects().len());
    let mut names: Vec<_> =
        fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("one").file_name()).collect();
    names.sort();
    assert!(names.len() >= 6 && names.iter().all(|name| name.to_string_lossy().ends_with(".parquet")), "{names:?}");
    fs::remove_dir_all(folder).expect("removed");
}

#[test]
fn an_address_that_was_never_chosen_is_not_known() {
    let folder = std::env::temp_dir().join(format!("tcp-trace-parquet-unchosen-{}", std::process::id()));
    let mut writer = ParquetWriter::create(&folder).expect("a folder");
    for saddr in [Ipv4Addr::UNSPECIFIED, Ipv4Addr::LOCALHOST] {
        let connect = Connect { saddr: saddr.into(), ..connect(1, 0.0) };
        writer.consume(Message::Event(&Event::Connect(connect))).expect("room");
    }
    writer.consume(Message::End(at(1.0))).expect("room");
    let file = File::open(folder.join("connect.parquet")).expect("a file");
    let rows = SerializedFileReader::new(file).expect("Parquet").into_iter();
    let saddr = |row: parquet::errors::Result<Row>| {
        let columns = row.expect("a row").into_columns();
        columns.into_iter().find(|(name, _)| name == "saddr").expect("a column").1
    };
    assert_eq!(rows.map(saddr).collect::<Vec<_>>(), [Field::Null, Field::Str("127.0.0.1".into())]);
    fs::remove_dir_all(folder).expect("removed");
}

#[test]
#[ignore = "asks DuckDB, ClickHouse and pandas, which `cargo xtask test` installs"]
fn engines_answer_the_questions_of_the_documentation() {
    let python = std::env::var_os("TCP_TRACE_ENGINES").expect("TCP_TRACE_ENGINES: a Python that has them");
    let folder = folder("engines");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let expected = expected();
    for engine in ["duckdb", "chdb", "pandas"] {
        let mut command = Command::new(&python);
        command.arg(root.join("tests/engines/ask.py")).arg(engine).arg(root.join("docs/recordings.md")).arg(&folder);
        let output = command.output().expect("a Python");
        assert!(output.status.success(), "{engine}: {}", String::from_utf8_lossy(&output.stderr));
        let answers: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let answered = answers.as_array().expect("answers").len();
        assert_eq!(answered, if engine == "pandas" { 1 } else { 3 }, "{engine}");
        for (number, answer) in answers.as_array().expect("answers").iter().enumerate() {
            assert_eq!(*answer, expected[number], "{engine}, question {number}");
        }
    }
    fs::remove_dir_all(folder).expect("removed");
}
