// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tests: a replay equals the run, and a truncated or damaged recording is reported as such.

mod answers;
mod damage;
mod file;
mod flight;
mod pseudonyms;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use tcp_trace_common::config::Config;

use super::{
    block::Broken,
    message::OwnedMessage,
    player::{Ending, Player},
    recorder::Recorder,
    replay::{Replay, ReplayOptions},
    sample::{known, run},
    writer::Target,
};
use crate::{
    exit::Failure,
    export::{format::Format, sink::Sink},
    mode::Mode,
    probes::table::Signal,
    session::output::{Answer, OutputOptions},
    stream::Consumer as _,
    view::screen::Layout,
};

/// A temporary folder, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tcp-trace-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn record(target: Target, message: &[OwnedMessage]) {
    let mut recorder = Recorder::begin(target, &known()).expect("a file");
    message.iter().for_each(|message| recorder.consume(message.as_message()).expect("room"));
}

fn recorded(folder: &Folder) -> Vec<u8> {
    let path = folder.file("run.rec");
    record(Target::plain(&path), &run());
    fs::read(path).expect("a recording")
}

fn replayed(bytes: &[u8]) -> Result<(Vec<OwnedMessage>, Ending), Broken> {
    let mut player = Player::new(bytes)?;
    let mut all = Vec::new();
    loop {
        let ending = player.block(|message| {
            all.push(message);
            Ok(())
        });
        if let Some(ending) = ending.expect("the visitor accepts") {
            return Ok((all, ending));
        }
    }
}

fn debugged(message: &[OwnedMessage]) -> Vec<String> {
    message.iter().map(|message| format!("{message:?}")).collect()
}

fn wanted(format: Format) -> OutputOptions {
    let layout = Layout { width: 80, top: 5, colours: false, unicode: false, verbose: true };
    OutputOptions {
        format,
        connects: true,
        signals: true,
        intervals: true,
        min_latency: None,
        second_pass_only: false,
        layout,
    }
}

fn cut(mode: Mode) -> ReplayOptions {
    let streamed = vec![Signal::TimeWait, Signal::Bind, Signal::Listen, Signal::State, Signal::Stack];
    ReplayOptions { mode, streamed, filters: Config::EMPTY, interval: Duration::from_secs(1), duration: None }
}

fn replay(path: &Path, cut: ReplayOptions, format: Format, to: &Path) -> Result<String, Failure> {
    let player = Player::open(path)?;
    let mode = cut.mode;
    let replay = Replay::new(player, path, cut)?;
    let sink = Sink::open(Some(to))?;
    replay.play(None, |_| (), |known| Answer::new(mode, known, wanted(format), sink)).map(drop)?;
    Ok(fs::read_to_string(to).expect("an answer"))
}
