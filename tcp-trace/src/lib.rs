// SPDX-License-Identifier: MIT OR Apache-2.0
//! The user side of tcp-trace, in the order of stages: hook -> program -> ring buffer -> source -> decode -> enrich ->
//! aggregate -> view | export. See ARCHITECTURE.md.

pub mod aggregate;
pub mod check;
pub mod cli;
pub mod clock;
pub mod confine;
pub mod decode;
pub mod enrich;
pub mod event;
pub mod exit;
pub mod export;
pub mod findings;
pub mod flame;
pub mod governor;
pub mod hostile;
pub mod inventory;
pub mod kernel;
pub mod lab;
pub mod machine;
pub mod mode;
pub mod model;
pub mod outside;
pub mod probes;
pub mod proc_text;
pub mod recording;
pub mod report;
pub mod session;
pub mod session_info;
pub mod shutdown;
pub mod source;
pub mod stream;
pub mod summarize;
pub mod view;
pub mod what_if;
