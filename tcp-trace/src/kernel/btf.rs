// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reads kernel BTF: offsets of members, parameters of functions, values of enumerators. Every read is checked, so that
//! any bytes yield a result or an error.
//!
//! Format: Documentation/bpf/btf.rst. A header may be longer than the one known here, so sections are located relative
//! to its own length.

use std::collections::BTreeSet;

/// The bytes are not BTF that this reader understands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No BTF header in native byte order.
    #[error("no BTF header")]
    Header,
    /// A section or a type reaches beyond the end.
    #[error("truncated")]
    Truncated,
    /// The type after this one cannot be located, because the size of this one is unknown.
    #[error("type {id} is of the unknown kind {kind}")]
    UnknownKind {
        /// Number of the type.
        id: u32,
        /// Kind of the type.
        kind: u8,
    },
}

/// Why a lookup has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// No type of that name.
    #[error("no such type")]
    Type,
    /// The type has no such member.
    #[error("no such member")]
    Member,
    /// There are two types of that name, with different results.
    #[error("two types of that name disagree")]
    Ambiguous,
    /// The bytes of the type are invalid.
    #[error("malformed")]
    Malformed,
}

/// Place of a member within its structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Offset in bits from the start of the outermost structure.
    pub bit_offset: u32,
    /// Width of a bit-field in bits; 0: not a bit-field.
    pub bit_size: u32,
    /// Size of its type in bytes.
    pub size: u32,
}

/// Return type of a function, as far as callers need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returns {
    /// `void`
    Void,
    /// `bool`
    Bool,
    /// Any other type.
    Other,
}

/// A function's prototype.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    params: Vec<u32>,
    /// Its return type.
    pub returns: Returns,
}

impl Function {
    /// Number of its parameters.
    pub fn param_count(&self) -> usize {
        self.params.len()
    }
}

const INT: u8 = 1;
const PTR: u8 = 2;
const ARRAY: u8 = 3;
const STRUCT: u8 = 4;
const UNION: u8 = 5;
const ENUM: u8 = 6;
const TYPEDEF: u8 = 8;
const VOLATILE: u8 = 9;
const CONST: u8 = 10;
const RESTRICT: u8 = 11;
const FUNC: u8 = 12;
const FUNC_PROTO: u8 = 13;
const VAR: u8 = 14;
const DATASEC: u8 = 15;
const FLOAT: u8 = 16;
const DECL_TAG: u8 = 17;
const TYPE_TAG: u8 = 18;
const ENUM64: u8 = 19;

const KINDS: usize = 20;

/// Length in bytes of the header of a type.
const HEAD: usize = 12;
/// Limit on nested typedefs and structures, more than any kernel has: beyond it the types form a cycle.
const DEPTH: u32 = 32;
/// Limit on the members that are visited for one field; the kernel's largest structures have some hundred.
const MEMBERS: u32 = 65_536;
const INT_BOOL: u32 = 4;

/// Header of a type.
#[derive(Clone, Copy)]
struct Type {
    name: u32,
    kind: u8,
    vlen: usize,
    kind_flag: bool,
    /// `size` or `type`, depending on the kind.
    size_or_type: u32,
    /// Offset of the data after the header.
    data: usize,
}

/// Parsed BTF: borrows the bytes and keeps the offset of each type.
#[derive(Debug)]
pub struct Btf<'a> {
    types: &'a [u8],
    strings: &'a [u8],
    starts: Vec<u32>,
    /// Numbers of the types of each kind, so that a name is searched among types of its kind only.
    of_kind: [Vec<u32>; KINDS],
}

impl<'a> Btf<'a> {
    /// Locates the types.
    ///
    /// # Errors
    /// When the bytes are not BTF, or contain an unknown kind of type.
    pub fn parse(data: &'a [u8]) -> Result<Self, Error> {
        const MAGIC: [u8; 2] = 0xeb9f_u16.to_ne_bytes();
        if data.get(..2) != Some(&MAGIC) {
            return Err(Error::Header);
        }
        let header = word(data, 4).ok_or(Error::Header)? as usize;
        let section = |at: usize| {
            let (offset, length) = (word(data, at)? as usize, word(data, at + 4)? as usize);
            let start = header.checked_add(offset)?;
            data.get(start..start.checked_add(length)?)
        };
        let types = section(8).ok_or(Error::Truncated)?;
        let strings = section(16).ok_or(Error::Truncated)?;
        // Type 0 is void and has no bytes.
        let mut btf = Self { types, strings, starts: vec![u32::MAX], of_kind: Default::default() };
        let mut at = 0;
        while at < types.len() {
            let head = btf.head_at(at).ok_or(Error::Truncated)?;
            let id = btf.starts.len() as u32;
            let own = own_size(head.kind, head.vlen).ok_or(Error::UnknownKind { id, kind: head.kind })?;
            btf.starts.push(at as u32);
            btf.of_kind[usize::from(head.kind)].push(id);
            at = head.data + own;
            if at > types.len() {
                return Err(Error::Truncated);
            }
        }
        Ok(btf)
    }

    /// Place of `path` (members joined by dots) in `struct name`, through typedefs and anonymous members.
    ///
    /// # Errors
    /// When there is no such type or member.
    pub fn field(&self, name: &str, path: &str) -> Result<Field, Missing> {
        let (mut found, mut left) = (None, MEMBERS);
        for id in self.named(STRUCT, name) {
            let field = self.walk(id, path, &mut left)?;
            if found.is_some_and(|other| other != field) {
                return Err(Missing::Ambiguous);
            }
            found = Some(field);
        }
        found.ok_or(Missing::Type)
    }

    /// Whether there is a `struct name`.
    pub fn has_struct(&self, name: &str) -> bool {
        self.named(STRUCT, name).next().is_some()
    }

    /// The prototype of a function; `None` if there is no function of that name, or several that differ.
    pub fn function(&self, name: &str) -> Option<Function> {
        let mut found = None;
        for id in self.named(FUNC, name) {
            let function = self.prototype(self.head(id)?.size_or_type)?;
            if found.as_ref().is_some_and(|other: &Function| *other != function) {
                return None;
            }
            found = Some(function);
        }
        found
    }

    /// The names among `names` that are functions in this BTF.
    pub fn functions_among<'n>(&self, names: &[&'n str]) -> BTreeSet<&'n str> {
        names.iter().filter(|name| self.named(FUNC, name).next().is_some()).copied().collect()
    }

    /// Whether a tracepoint of this name exists: each has a typedef for its probe function.
    pub fn has_tracepoint(&self, name: &str) -> bool {
        self.named(TYPEDEF, &format!("btf_trace_{name}")).next().is_some()
    }

    /// Size in bytes of a function's parameter, counted from 0.
    pub fn param_size(&self, function: &Function, index: usize) -> Option<u32> {
        self.size(*function.params.get(index)?, DEPTH)
    }

    /// Whether a parameter has type `enum name`.
    pub fn param_is_enum(&self, function: &Function, index: usize, name: &str) -> bool {
        let Some(&id) = function.params.get(index) else { return false };
        self.strip(id).is_some_and(|(_, ty)| matches!(ty.kind, ENUM | ENUM64) && self.is_named(ty.name, name))
    }

    /// The value of an enumerator of `enum name`, or of any enum if `name` is `None`.
    pub fn enumerator(&self, name: Option<&str>, enumerator: &str) -> Option<u64> {
        let ids = self.of_kind[usize::from(ENUM)].iter().chain(&self.of_kind[usize::from(ENUM64)]);
        ids.filter_map(|id| self.head(*id))
            .filter(|ty| name.is_none_or(|name| self.is_named(ty.name, name)))
            .find_map(|ty| self.value_of(&ty, enumerator))
    }

    fn value_of(&self, ty: &Type, enumerator: &str) -> Option<u64> {
        let step = if ty.kind == ENUM { 8 } else { 12 };
        let index = (0..ty.vlen).find(|index| {
            word(self.types, ty.data + step * index).is_some_and(|name| self.is_named(name, enumerator))
        })?;
        let at = ty.data + step * index;
        let low = u64::from(word(self.types, at + 4)?);
        if ty.kind == ENUM { Some(low) } else { Some(low | u64::from(word(self.types, at + 8)?) << 32) }
    }

    fn prototype(&self, id: u32) -> Option<Function> {
        let proto = self.head(id).filter(|ty| ty.kind == FUNC_PROTO)?;
        let params =
            (0..proto.vlen).map(|index| word(self.types, proto.data + 8 * index + 4)).collect::<Option<_>>()?;
        let returns = if proto.size_or_type == 0 {
            Returns::Void
        } else {
            let (_, ty) = self.strip(proto.size_or_type)?;
            let is_bool = ty.kind == INT && (word(self.types, ty.data)? >> 24) & INT_BOOL != 0;
            if is_bool { Returns::Bool } else { Returns::Other }
        };
        Some(Function { params, returns })
    }

    fn walk(&self, mut id: u32, path: &str, left: &mut u32) -> Result<Field, Missing> {
        let mut base = 0_u32;
        let mut segments = path.split('.').peekable();
        while let Some(segment) = segments.next() {
            let (_, ty) = self.strip(id).ok_or(Missing::Malformed)?;
            let (bits, width, member) = self.member(&ty, segment, base, DEPTH, left)?.ok_or(Missing::Member)?;
            if segments.peek().is_none() {
                let size = self.size(member, DEPTH).ok_or(Missing::Malformed)?;
                return Ok(Field { bit_offset: bits, bit_size: width, size });
            }
            (id, base) = (member, bits);
        }
        Err(Missing::Member)
    }

    /// Bit offset, bit width and type of a member, also within anonymous structures and unions.
    fn member(
        &self,
        ty: &Type,
        want: &str,
        base: u32,
        depth: u32,
        left: &mut u32,
    ) -> Result<Option<(u32, u32, u32)>, Missing> {
        if !matches!(ty.kind, STRUCT | UNION) {
            return Ok(None);
        }
        for index in 0..ty.vlen {
            *left = left.checked_sub(1).ok_or(Missing::Malformed)?;
            let at = ty.data + 12 * index;
            let [name, id, offset] =
                [0, 4, 8].map(|part| word(self.types, at + part)).map(|read| read.ok_or(Missing::Malformed));
            let (name, id, offset) = (name?, id?, offset?);
            // With the kind flag set the upper eight bits are the width of a bit-field.
            let (bits, width) = if ty.kind_flag { (offset & 0x00ff_ffff, offset >> 24) } else { (offset, 0) };
            let bits = base.checked_add(bits).ok_or(Missing::Malformed)?;
            if self.is_named(name, want) {
                return Ok(Some((bits, width, id)));
            }
            if self.is_named(name, "")
                && depth > 0
                && let Some((_, inner)) = self.strip(id)
                && let Some(found) = self.member(&inner, want, bits, depth - 1, left)?
            {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The type behind typedefs and qualifiers.
    fn strip(&self, mut id: u32) -> Option<(u32, Type)> {
        for _ in 0..DEPTH {
            let ty = self.head(id)?;
            match ty.kind {
                TYPEDEF | VOLATILE | CONST | RESTRICT | TYPE_TAG => id = ty.size_or_type,
                _ => return Some((id, ty)),
            }
        }
        None
    }

    fn size(&self, id: u32, depth: u32) -> Option<u32> {
        let (_, ty) = self.strip(id)?;
        match ty.kind {
            INT | STRUCT | UNION | ENUM | ENUM64 | FLOAT | DATASEC => Some(ty.size_or_type),
            PTR => Some(size_of::<usize>() as u32),
            ARRAY if depth > 0 => {
                let element = self.size(word(self.types, ty.data)?, depth - 1)?;
                element.checked_mul(word(self.types, ty.data + 8)?)
            }
            _ => None,
        }
    }

    fn named<'s>(&'s self, kind: u8, name: &'s str) -> impl Iterator<Item = u32> + 's {
        let ids = self.of_kind[usize::from(kind)].iter().copied();
        ids.filter(move |id| self.head(*id).is_some_and(|ty| self.is_named(ty.name, name)))
    }

    fn is_named(&self, offset: u32, name: &str) -> bool {
        let rest = self.strings.get(offset as usize..).unwrap_or_default();
        // Compares the end first, because one byte distinguishes most names.
        rest.get(name.len()) == Some(&0) && rest.starts_with(name.as_bytes())
    }

    fn head(&self, id: u32) -> Option<Type> {
        self.head_at(*self.starts.get(id as usize)? as usize)
    }

    fn head_at(&self, at: usize) -> Option<Type> {
        let info = word(self.types, at.checked_add(4)?)?;
        Some(Type {
            name: word(self.types, at)?,
            kind: (info >> 24) as u8 & 0x1f,
            vlen: (info & 0xffff) as usize,
            kind_flag: info >> 31 == 1,
            size_or_type: word(self.types, at.checked_add(8)?)?,
            data: at + HEAD,
        })
    }
}

fn own_size(kind: u8, vlen: usize) -> Option<usize> {
    Some(match kind {
        INT | VAR | DECL_TAG => 4,
        ARRAY => 12,
        STRUCT | UNION | DATASEC | ENUM64 => 12 * vlen,
        ENUM | FUNC_PROTO => 8 * vlen,
        // PTR, FWD, typedefs and qualifiers, FUNC, FLOAT.
        2 | 7..=12 | FLOAT | TYPE_TAG => 0,
        _ => return None,
    })
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_ne_bytes(bytes.try_into().ok()?))
}
