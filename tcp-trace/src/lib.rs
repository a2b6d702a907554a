// SPDX-License-Identifier: MIT OR Apache-2.0
//! tcp-trace's user side, in the order of the road: hook -> program -> ring buffer -> source -> decode -> enrich ->
//! aggregate -> view | export. ARCHITECTURE.md draws it.

pub mod aggregate;
pub mod answer;
pub mod books;
pub mod circumstances;
pub mod cli;
pub mod clock;
pub mod confine;
pub mod decode;
pub mod enrich;
pub mod event;
pub mod exit;
pub mod export;
pub mod flame;
pub mod governor;
pub mod hostile;
pub mod inventory;
pub mod kernel;
pub mod lab;
pub mod machine;
pub mod model;
pub mod outside;
pub mod pipeline;
pub mod probes;
pub mod proc_text;
pub mod question;
pub mod reckoning;
pub mod recording;
pub mod report;
pub mod road;
pub mod shutdown;
pub mod source;
pub mod view;
pub mod what_if;
