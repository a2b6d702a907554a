// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reads and writes many elements of a BPF map with one system call, which the library does not offer.
//!
//! While the kernel accesses a map for a system call, it runs no tracing programs on that CPU: fewer calls mean fewer
//! missed runs.

use std::{
    hash::Hash,
    io,
    os::fd::{AsFd as _, AsRawFd as _, RawFd},
};

use anyhow::{Context as _, bail};
use aya::{
    Ebpf, Pod,
    maps::{HashMap, Map, MapData},
};

/// `union bpf_attr` of the batch commands.
#[repr(C)]
#[derive(Default)]
struct Request {
    in_batch: u64,
    out_batch: u64,
    keys: u64,
    values: u64,
    count: u32,
    map_fd: u32,
    elem_flags: u64,
    flags: u64,
}

const BPF_MAP_LOOKUP_BATCH: libc::c_long = 24;
const BPF_MAP_LOOKUP_AND_DELETE_BATCH: libc::c_long = 25;
const BPF_MAP_UPDATE_BATCH: libc::c_long = 26;

/// Elements per call: more than a bucket of a hash map holds, because a bucket is returned as a whole.
const AT_ONCE: usize = 512;

fn call(command: libc::c_long, request: &mut Request) -> io::Result<()> {
    // SAFETY: the callers keep the memory behind the request valid for the call.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(request), size_of::<Request>()) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// A hash map of the kernel side that is read and emptied as a whole.
pub struct Table<K, V> {
    map: HashMap<MapData, K, V>,
    fd: RawFd,
    room: usize,
}

impl<K: Pod + Eq + Hash, V: Pod> Table<K, V> {
    /// Takes the map out of the object.
    ///
    /// # Errors
    /// When the object has no such map.
    pub fn take(ebpf: &mut Ebpf, name: &str) -> anyhow::Result<Self> {
        let map = ebpf.take_map(name).with_context(|| format!("no map {name} in the object"))?;
        let Map::HashMap(data) = &map else { bail!("{name} is not a hash map") };
        let (fd, room) = (data.fd().as_fd().as_raw_fd(), data.info()?.max_entries() as usize);
        Ok(Self { map: HashMap::try_from(map)?, fd, room })
    }

    /// Capacity of the map.
    pub fn room(&self) -> usize {
        self.room
    }

    /// Shows all elements.
    ///
    /// # Errors
    /// When the kernel rejects the call.
    pub fn read(&self, show: impl FnMut(&K, &V)) -> anyhow::Result<()> {
        let mut show = show;
        match self.each(BPF_MAP_LOOKUP_BATCH, &mut show) {
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                for entry in self.map.iter() {
                    let (key, value) = entry?;
                    show(&key, &value);
                }
                Ok(())
            }
            result => Ok(result?),
        }
    }

    /// Shows all elements and removes them.
    ///
    /// # Errors
    /// When the kernel rejects the call; elements that were removed until then were shown.
    pub fn drain(&mut self, show: impl FnMut(&K, &V)) -> anyhow::Result<()> {
        let mut show = show;
        match self.each(BPF_MAP_LOOKUP_AND_DELETE_BATCH, &mut show) {
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                let left: Vec<_> = self.map.iter().collect::<Result<_, _>>()?;
                for (key, value) in left {
                    self.map.remove(&key)?;
                    show(&key, &value);
                }
                Ok(())
            }
            result => Ok(result?),
        }
    }

    /// Inserts a value for a key without one, if there is room.
    pub fn put_if_absent(&mut self, key: &K, value: V) -> bool {
        const BPF_NOEXIST: u64 = 1;
        self.map.insert(key, value, BPF_NOEXIST).is_ok()
    }

    /// Removes an element; `false`: there was none.
    pub fn remove(&mut self, key: &K) -> bool {
        self.map.remove(key).is_ok()
    }

    /// Inserts the same value for each key.
    ///
    /// # Errors
    /// When the kernel rejects the call.
    pub fn put(&mut self, keys: &[K], value: V) -> io::Result<()> {
        let values = vec![value; keys.len().min(AT_ONCE)];
        for keys in keys.chunks(AT_ONCE) {
            let mut request = Request {
                keys: keys.as_ptr() as u64,
                values: values.as_ptr() as u64,
                count: keys.len() as u32,
                map_fd: self.fd as u32,
                ..Request::default()
            };
            call(BPF_MAP_UPDATE_BATCH, &mut request)?;
        }
        Ok(())
    }

    fn each(&self, command: libc::c_long, show: &mut impl FnMut(&K, &V)) -> io::Result<()> {
        let (mut keys, mut values) = (Vec::<K>::with_capacity(AT_ONCE), Vec::<V>::with_capacity(AT_ONCE));
        let mut cursor = None::<u32>;
        loop {
            let mut next = 0_u32;
            let mut request = Request {
                in_batch: cursor.as_mut().map_or(0, |cursor| std::ptr::from_mut(cursor) as u64),
                out_batch: (&raw mut next) as u64,
                keys: keys.as_mut_ptr() as u64,
                values: values.as_mut_ptr() as u64,
                count: AT_ONCE as u32,
                map_fd: self.fd as u32,
                ..Request::default()
            };
            let over = match call(command, &mut request) {
                Ok(()) => false,
                Err(error) if error.raw_os_error() == Some(libc::ENOENT) => true,
                Err(error) => return Err(error),
            };
            let count = (request.count as usize).min(AT_ONCE);
            // SAFETY: the vector has room for `count` elements, and the kernel wrote them; plain data is valid for
            // every bit pattern.
            unsafe {
                keys.set_len(count);
                values.set_len(count);
            }
            for (key, value) in keys.iter().zip(&values) {
                show(key, value);
            }
            if over {
                return Ok(());
            }
            cursor = Some(next);
        }
    }
}
