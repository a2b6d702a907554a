// SPDX-License-Identifier: MIT OR Apache-2.0
//! pprof's profile.proto, gzipped: all weights in one file, the requested one as the default.

use std::{
    collections::HashMap,
    io::{self, Write as _},
};

use flate2::{Compression, write::GzEncoder};
use prost::Message;

use super::{
    graph::{Drawn, Graph},
    weight::Weight,
};

#[derive(Clone, PartialEq, Message)]
struct Profile {
    #[prost(message, repeated, tag = "1")]
    sample_type: Vec<ValueType>,
    #[prost(message, repeated, tag = "2")]
    sample: Vec<Sample>,
    #[prost(message, repeated, tag = "3")]
    mapping: Vec<Mapping>,
    #[prost(message, repeated, tag = "4")]
    location: Vec<Location>,
    #[prost(message, repeated, tag = "5")]
    function: Vec<Function>,
    #[prost(string, repeated, tag = "6")]
    string_table: Vec<String>,
    #[prost(int64, repeated, tag = "13")]
    comment: Vec<i64>,
    #[prost(int64, tag = "14")]
    default_sample_type: i64,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct ValueType {
    #[prost(int64, tag = "1")]
    r#type: i64,
    #[prost(int64, tag = "2")]
    unit: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Sample {
    /// Locations, innermost first.
    #[prost(uint64, repeated, tag = "1")]
    location_id: Vec<u64>,
    #[prost(int64, repeated, tag = "2")]
    value: Vec<i64>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Mapping {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(int64, tag = "5")]
    filename: i64,
    #[prost(bool, tag = "7")]
    has_functions: bool,
}

#[derive(Clone, PartialEq, Message)]
struct Location {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(uint64, tag = "2")]
    mapping_id: u64,
    #[prost(message, repeated, tag = "4")]
    line: Vec<Line>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Line {
    #[prost(uint64, tag = "1")]
    function_id: u64,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Function {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(int64, tag = "2")]
    name: i64,
}

/// Strings by index in the table, of which the first is empty.
struct Strings {
    table: Vec<String>,
    places: HashMap<String, i64>,
}

impl Strings {
    fn place(&mut self, text: &str) -> i64 {
        if let Some(place) = self.places.get(text) {
            return *place;
        }
        let place = self.table.len() as i64;
        self.table.push(text.into());
        self.places.insert(text.into(), place);
        place
    }
}

/// Encodes the profile.
///
/// # Errors
/// When it cannot be compressed.
pub fn pprof(graph: &Graph, subtitle: &str) -> io::Result<Vec<u8>> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(&profile(graph, subtitle).encode_to_vec())?;
    gzip.finish()
}

fn profile(graph: &Graph, subtitle: &str) -> Profile {
    let mut strings = Strings { table: vec![String::new()], places: HashMap::from([(String::new(), 0)]) };
    let unit = |weight: Weight| if weight.unit() == "ns" { "nanoseconds" } else { "count" };
    let sample_type = Weight::ALL
        .iter()
        .map(|weight| ValueType { r#type: strings.place(weight.name()), unit: strings.place(unit(*weight)) })
        .collect();
    let mut profile = Profile { sample_type, ..Profile::default() };
    let mut locations: HashMap<&Drawn, u64> = HashMap::new();
    let mut mappings: HashMap<&str, u64> = HashMap::new();
    for (frames, weights) in &graph.stacks {
        let mut location_id = Vec::new();
        for frame in frames.iter().rev() {
            let next = locations.len() as u64 + 1;
            let id = *locations.entry(frame).or_insert(next);
            location_id.push(id);
            if id != next {
                continue;
            }
            let mapping_id = frame.module.as_deref().map_or(0, |module| {
                let next = mappings.len() as u64 + 1;
                let id = *mappings.entry(module).or_insert(next);
                if id == next {
                    profile.mapping.push(Mapping { id, filename: strings.place(module), has_functions: true });
                }
                id
            });
            profile.function.push(Function { id, name: strings.place(&frame.name) });
            profile.location.push(Location { id, mapping_id, line: vec![Line { function_id: id }] });
        }
        let value = Weight::ALL.map(|weight| i64::try_from(weight.of(weights)).unwrap_or(i64::MAX)).into();
        profile.sample.push(Sample { location_id, value });
    }
    profile.comment.push(strings.place(subtitle));
    profile.comment.extend(graph.notes.iter().map(|note| strings.place(note)));
    profile.default_sample_type = strings.place(graph.weight.name());
    profile.string_table = strings.table;
    profile
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Read as _;

    use flate2::read::GzDecoder;

    use super::*;
    use crate::flame::graph::tests::graph;

    fn unpacked(bytes: &[u8]) -> Profile {
        let mut raw = Vec::new();
        GzDecoder::new(bytes).read_to_end(&mut raw).expect("gzip");
        Profile::decode(&raw[..]).expect("a profile")
    }

    /// Every text that is in a profile.
    pub(crate) fn strings(bytes: &[u8]) -> Vec<String> {
        unpacked(bytes).string_table
    }

    #[test]
    fn every_number_leads_somewhere() {
        let bytes = pprof(&graph(Weight::Search), "a title").expect("memory takes every write");
        let profile = unpacked(&bytes);
        assert_eq!(profile.string_table[0], "");
        assert_eq!(profile.sample_type.len(), Weight::ALL.len());
        let text = |place: i64| profile.string_table[place as usize].as_str();
        assert_eq!(text(profile.default_sample_type), "port_search");
        let name = |id: &u64| {
            let location = &profile.location[*id as usize - 1];
            text(profile.function[location.line[0].function_id as usize - 1].name)
        };
        let heaviest = profile.sample.iter().max_by_key(|sample| sample.value[0]).expect("samples");
        let names: Vec<_> = heaviest.location_id.iter().map(name).collect();
        assert_eq!(names.first(), Some(&"__inet_hash_connect"), "the innermost first");
        assert_eq!(names.last(), Some(&"proxy"));
    }
}
