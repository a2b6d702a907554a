// SPDX-License-Identifier: MIT OR Apache-2.0
//! Makes a test fixture of a kernel's BTF: what the facts are taken from, and nothing else. It stays valid BTF, which
//! bpftool reads.
//!
//!     cargo run -p tcp-trace --example shrink-btf -- /sys/kernel/btf/vmlinux tcp-trace/tests/fixtures/kernels/NEW/btf

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
};

use anyhow::{Context as _, ensure};
use tcp_trace::kernel::{btf::Btf, hooks, offsets, rules::SearchRules};

const INT: u32 = 1;
const PTR: u32 = 2;
const ARRAY: u32 = 3;
const STRUCT: u32 = 4;
const UNION: u32 = 5;
const ENUM: u32 = 6;
const TYPEDEF: u32 = 8;
const FUNC: u32 = 12;
const FUNC_PROTO: u32 = 13;
const ENUM64: u32 = 19;

const MEMBERS: [(&str, &str); 2] =
    [("netns_ipv4", "sysctl_ip_local_port_step_width"), ("inet_bind2_bucket", "fastreuse")];
const STRUCTS: [&str; 1] = ["bpf_map_memory"];
const FUNCTIONS: [&str; 2] = ["bpf_get_current_task_btf", "inet_sk_get_local_port_range"];
const ENUMERATORS: [&str; 4] =
    ["BPF_MAP_TYPE_RINGBUF", "BPF_CGROUP_INET4_CONNECT", "CGROUP_INET4_CONNECT", "INET_FLAGS_DEFER_CONNECT"];

fn main() -> anyhow::Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [from, to] = &arguments[..] else { anyhow::bail!("usage: shrink-btf FROM TO") };
    let whole = fs::read(from).with_context(|| format!("cannot read {from}"))?;
    let reduced = Shrink::read(&whole).context("not BTF")?.run().context("malformed BTF")?;
    let (before, after) = (Btf::parse(&whole)?, Btf::parse(&reduced)?);
    ensure!(offsets::resolve(&before) == offsets::resolve(&after), "offsets changed");
    ensure!(SearchRules::from_btf(&before) == SearchRules::from_btf(&after), "rules changed");
    ensure!(before.functions_among(hooks::FUNCTIONS) == after.functions_among(hooks::FUNCTIONS), "functions changed");
    fs::write(to, &reduced).with_context(|| format!("cannot write {to}"))?;
    println!("{to}: {} of {} bytes", reduced.len(), whole.len());
    Ok(())
}

/// A type as it is stored: head, then its own words.
#[derive(Clone)]
struct Type {
    name: String,
    info: u32,
    size_or_type: u32,
    own: Vec<u32>,
}

impl Type {
    fn kind(&self) -> u32 {
        self.info >> 24 & 0x1f
    }

    fn is_named(&self, kind: u32, name: &str) -> bool {
        self.kind() == kind && self.name == name
    }
}

struct Shrink<'a> {
    strings: &'a [u8],
    types: Vec<Type>,
    /// Of structures and unions, the members that are needed.
    keep: BTreeMap<u32, BTreeSet<usize>>,
    out: Vec<u32>,
    out_strings: Vec<u8>,
    known_strings: HashMap<String, u32>,
    /// Old number -> new number.
    written: HashMap<u32, u32>,
}

impl<'a> Shrink<'a> {
    fn read(data: &'a [u8]) -> Option<Self> {
        let word = |at: usize| Some(u32::from_ne_bytes(data.get(at..at + 4)?.try_into().ok()?));
        let header = word(4)? as usize;
        let section = |at| {
            Some((header + word(at)? as usize, word(at + 4)? as usize)).map(|(start, length)| start..start + length)
        };
        let (types, strings) = (section(8)?, data.get(section(16)?)?);
        let void = Type { name: String::new(), info: 0, size_or_type: 0, own: Vec::new() };
        let mut shrink = Self {
            strings,
            types: vec![void],
            keep: BTreeMap::new(),
            out: Vec::new(),
            out_strings: vec![0],
            known_strings: HashMap::from([(String::new(), 0)]),
            written: HashMap::from([(0, 0)]),
        };
        let mut at = types.start;
        while at < types.end {
            let info = word(at + 4)?;
            let vlen = (info & 0xffff) as usize;
            let words = match info >> 24 & 0x1f {
                INT | 14 | 17 => 1,
                ARRAY => 3,
                STRUCT | UNION | 15 | ENUM64 => 3 * vlen,
                ENUM | FUNC_PROTO => 2 * vlen,
                _ => 0,
            };
            let own = (0..words).map(|index| word(at + 12 + 4 * index)).collect::<Option<_>>()?;
            let name = shrink.string(word(at)?)?;
            shrink.types.push(Type { name, info, size_or_type: word(at + 8)?, own });
            at += 12 + 4 * words;
        }
        Some(shrink)
    }

    fn run(mut self) -> Option<Vec<u8>> {
        let mut roots = BTreeSet::new();
        for (structure, path) in offsets::members().chain(MEMBERS) {
            for id in self.all(|ty| ty.is_named(STRUCT, structure)) {
                roots.insert(id);
                self.mark(id, path);
            }
        }
        let functions: Vec<_> = hooks::FUNCTIONS.iter().chain(&FUNCTIONS).collect();
        let tracepoints: Vec<_> = hooks::TRACEPOINTS.iter().map(|name| format!("btf_trace_{name}")).collect();
        roots.extend(self.all(|ty| {
            STRUCTS.iter().any(|name| ty.is_named(STRUCT, name))
                || functions.iter().any(|name| ty.is_named(FUNC, name))
                || tracepoints.iter().any(|name| ty.is_named(TYPEDEF, name))
        }));
        let enums = self.all(|ty| matches!(ty.kind(), ENUM | ENUM64));
        roots.extend(enums.into_iter().filter(|id| self.has_wanted_enumerator(*id)));
        for root in roots {
            self.write(root)?;
        }
        let mut bytes = Vec::new();
        bytes.extend(0xeb9f_u16.to_ne_bytes());
        bytes.extend([1, 0]);
        let (types, strings) = (4 * self.out.len() as u32, self.out_strings.len() as u32);
        for word in [24, 0, types, types, strings].iter().chain(&self.out) {
            bytes.extend(word.to_ne_bytes());
        }
        bytes.extend(self.out_strings);
        Some(bytes)
    }

    fn string(&self, offset: u32) -> Option<String> {
        let rest = self.strings.get(offset as usize..)?;
        let end = rest.iter().position(|byte| *byte == 0)?;
        Some(String::from_utf8_lossy(&rest[..end]).into_owned())
    }

    fn all(&self, wanted: impl Fn(&Type) -> bool) -> Vec<u32> {
        (0..self.types.len() as u32).filter(|id| wanted(&self.types[*id as usize])).collect()
    }

    fn strip(&self, mut id: u32) -> u32 {
        while matches!(self.types[id as usize].kind(), 8..=11 | 18) {
            id = self.types[id as usize].size_or_type;
        }
        id
    }

    /// Notes the members along a path, those of anonymous structures included; `false` where it leads nowhere.
    fn mark(&mut self, id: u32, path: &str) -> bool {
        let id = self.strip(id);
        let (first, rest) = path.split_once('.').unwrap_or((path, ""));
        let ty = self.types[id as usize].clone();
        if !matches!(ty.kind(), STRUCT | UNION) {
            return false;
        }
        for (index, member) in ty.own.chunks(3).enumerate() {
            let name = self.string(member[0]).unwrap_or_default();
            let found = if name == first {
                if !rest.is_empty() {
                    self.mark(member[1], rest);
                }
                true
            } else {
                name.is_empty() && self.mark(member[1], path)
            };
            if found {
                self.keep.entry(id).or_default().insert(index);
                return true;
            }
        }
        false
    }

    fn has_wanted_enumerator(&self, id: u32) -> bool {
        let ty = &self.types[id as usize];
        let step = if ty.kind() == ENUM { 2 } else { 3 };
        ty.own.chunks(step).any(|value| self.string(value[0]).is_some_and(|name| ENUMERATORS.contains(&&*name)))
    }

    fn write_string(&mut self, text: &str) -> u32 {
        if let Some(offset) = self.known_strings.get(text) {
            return *offset;
        }
        let offset = self.out_strings.len() as u32;
        self.out_strings.extend(text.bytes().chain([0]));
        self.known_strings.insert(text.to_owned(), offset);
        offset
    }

    /// Writes a type after those it needs. Pointers lead to void, so it ends.
    fn write(&mut self, id: u32) -> Option<u32> {
        if let Some(written) = self.written.get(&id) {
            return Some(*written);
        }
        let Type { name, info, mut size_or_type, mut own } = self.types.get(id as usize)?.clone();
        let mut vlen = info & 0xffff;
        match info >> 24 & 0x1f {
            PTR => size_or_type = 0,
            8..=FUNC | 18 => size_or_type = self.write(size_or_type)?,
            ARRAY => {
                own[0] = self.write(own[0])?;
                own[1] = self.write(own[1])?;
            }
            STRUCT | UNION => {
                let keep = self.keep.get(&id).cloned().unwrap_or_default();
                let members: Vec<_> = keep.iter().map(|index| own[3 * index..3 * index + 3].to_vec()).collect();
                vlen = members.len() as u32;
                own.clear();
                for member in members {
                    let name = self.string(member[0])?;
                    own.extend([self.write_string(&name), self.write(member[1])?, member[2]]);
                }
            }
            ENUM | ENUM64 if !self.has_wanted_enumerator(id) => (vlen, own) = (0, Vec::new()),
            kind @ (ENUM | ENUM64) => {
                for value in own.chunks_mut(if kind == ENUM { 2 } else { 3 }) {
                    let name = self.string(value[0])?;
                    value[0] = self.write_string(&name);
                }
            }
            FUNC_PROTO => {
                size_or_type = self.write(size_or_type)?;
                for parameter in own.chunks_mut(2) {
                    let name = self.string(parameter[0])?;
                    parameter[0] = self.write_string(&name);
                    parameter[1] = self.write(parameter[1])?;
                }
            }
            _ => {}
        }
        let name = self.write_string(&name);
        self.out.extend([name, info & !0xffff | vlen, size_or_type]);
        self.out.extend(own);
        let number = self.written.len() as u32;
        self.written.insert(id, number);
        Some(number)
    }
}
