// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tcp-trace flamegraph`: which call paths lead to slow connect() calls?

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{
    live::{self, LiveArgs},
    progress::Watched,
};
use crate::{
    exit::{Failure, Tried},
    export::{sink::Sink, whole_file::WholeFile},
    flame::{
        graph::Split,
        picture::{Format, Picture, PictureOptions, PictureTarget},
        weight::Weight,
    },
    mode::Mode,
    probes::table::Signal,
    session::request::TraceRequest,
};

const EXAMPLES: &str = "\
Examples:
  sudo tcp-trace flamegraph --duration 30s -o connect.svg                 who waits in the port search; open it in a browser
  sudo tcp-trace flamegraph --duration 30s                                the heaviest call paths in words
  sudo tcp-trace flamegraph --duration 30s --weight handshake --split-by destination -o handshake.svg
  sudo tcp-trace flamegraph --duration 30s -o before.folded               keep it, and later:
  sudo tcp-trace flamegraph --duration 30s --baseline before.folded -o change.svg";

/// Where the flame graph is written, and in which format.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Output")]
pub struct Output {
    /// Output format [default: by the extension of --output; text without one]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Output file, created once it is complete: .svg .folded .json (speedscope) .pb.gz (pprof) .txt
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Flame graph of the call paths that lead to connect(), weighted by what their connects cost
///
/// User stacks are unwound in user space from .eh_frame, so programs built without frame pointers work too. The graph
/// shows what could not be unwound and what was lost.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, mut_arg("fail_on", |fail_on| fail_on.hide(true)))]
pub struct Args {
    /// What the width of a frame measures
    #[arg(long, value_enum, default_value_t)]
    weight: Weight,
    /// Frames to add at the root, outermost first
    #[arg(long, value_enum, value_delimiter = ',', default_value = "process")]
    split_by: Vec<Split>,
    /// Compare with the folded stacks of another run: red grew, blue shrank
    #[arg(long, value_name = "FILE.folded")]
    baseline: Option<PathBuf>,
    #[command(flatten)]
    pub(super) live: LiveArgs<Output>,
}

/// Traces until the run ends, then writes the flame graph.
///
/// # Errors
/// See [`live::follow`]; also when there is nothing to draw.
pub fn run(args: &Args, verbose: u8) -> Result<u8, Failure> {
    let Output { format, output } = &args.live.output;
    let format = match (format, output) {
        (Some(format), _) => *format,
        (None, Some(path)) => by_extension(path)?,
        (None, None) => Format::Text,
    };
    let options = PictureOptions {
        weight: args.weight,
        split: args.split_by.clone(),
        format,
        baseline: args.baseline.as_deref().map(|path| baseline(path, format)).transpose()?,
        top: usize::from(args.live.top),
    };
    let target = match output {
        Some(path) => PictureTarget::File(WholeFile::create(path)?),
        None => PictureTarget::Stream(Sink::open(None)?),
    };
    let samples = (args.weight == Weight::OnCpu).then_some(Signal::OnCpu);
    let signals: Vec<_> = [Signal::Stack].into_iter().chain(samples).collect();
    let request = TraceRequest {
        events: vec![Signal::Stack],
        extra: signals.clone(),
        outputs: output.clone().into_iter().collect(),
        ..TraceRequest::for_mode(Mode::ConnectLatency, false, verbose)
    };
    let duration = args.live.duration;
    let ran = live::follow(&args.live.options()?, args.live.recording.as_ref(), &request, |known| {
        if let Some(signal) = signals.iter().find(|signal| !known.signals.contains_key(signal)) {
            return Err(without(*signal, known.traced));
        }
        let picture = Picture::new(known, options, target);
        Ok(Watched::new(picture, "tracing", known.begin.monotonic_ns, duration))
    })?;
    ran.recorded.map(|()| 0)
}

/// The failure for a signal that the recording lacks or this kernel cannot trace.
fn without(signal: Signal, traced: bool) -> Failure {
    let headline = match signal {
        Signal::OnCpu => "on-CPU samples need the fentry or the kprobe tier, and recordings do not contain them",
        _ if traced => "no call stacks were recorded",
        _ => "call stacks need eBPF programs in the kernel, and none is attached",
    };
    let try_next = vec!["`tcp-trace record --stacks FILE` records them".into(), "tcp-trace doctor".into()];
    Failure::KernelLacks { headline: headline.into(), tried: Vec::new(), try_next }
}

fn by_extension(path: &Path) -> Result<Format, Failure> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let known = [
        (".svg", Format::Svg),
        (".folded", Format::Folded),
        (".json", Format::Speedscope),
        (".pb.gz", Format::Pprof),
        (".pprof", Format::Pprof),
        (".txt", Format::Text),
    ];
    known.into_iter().find(|(extension, _)| name.ends_with(extension)).map(|(_, format)| format).ok_or_else(|| {
        Failure::Usage {
            headline: format!("the extension of {} names no format", path.display()),
            try_next: vec!["use a name that ends in .svg, .folded, .json, .pb.gz or .txt, or add --format".into()],
        }
    })
}

fn baseline(path: &Path, format: Format) -> Result<Vec<u8>, Failure> {
    if !matches!(format, Format::Svg | Format::Folded) {
        return Err(Failure::Usage {
            headline: "--baseline needs .svg or .folded output".into(),
            try_next: vec!["use --output change.svg, or change.folded for both counts in each line".into()],
        });
    }
    let failed = |why: String| Failure::Failed {
        headline: format!("cannot compare with {}", path.display()),
        tried: vec![Tried::new("folded stacks", why)],
        try_next: vec!["use a file that `tcp-trace flamegraph --output FILE.folded` wrote".into()],
    };
    let bytes = fs::read(path).map_err(|error| failed(error.to_string()))?;
    let folds = |line: &[u8]| {
        line.rsplit(|byte| *byte == b' ').next().is_some_and(|n| !n.is_empty() && n.iter().all(u8::is_ascii_digit))
    };
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    match lines.enumerate().find(|(_, line)| !folds(line)) {
        Some((number, _)) => Err(failed(format!("line {} does not end in a count", number + 1))),
        None if bytes.is_empty() => Err(failed("it is empty".into())),
        None => Ok(bytes),
    }
}
