//! What makes reading strict: depth, width, and no name twice.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};

use serde::de::MapAccess;
use smallvec::SmallVec;

use super::seeds::{Text, TextSeed};
use super::{JsonError, MAX_DEPTH, MAX_MEMBERS, Members, Value};
use crate::text::Excerpt;

/// What one reading shares among its visitors: how deep it is, and the first thing that was wrong.
#[derive(Default)]
pub(super) struct Guard {
    depth: Cell<u8>,
    fault: RefCell<Option<JsonError>>,
}

impl Guard {
    pub(super) fn fail<E: serde::de::Error>(&self, fault: JsonError) -> E {
        self.fault.borrow_mut().get_or_insert(fault);
        E::custom("refused")
    }

    pub(super) fn wrong_type<E: serde::de::Error>(&self, name: &str) -> E {
        self.fail(JsonError::WrongType(Excerpt::of(name)))
    }

    /// Takes `error` for a type mismatch at `name`, unless something inside has said more already.
    pub(super) fn presume_type<E>(&self, name: &str, error: E) -> E {
        self.fault.borrow_mut().get_or_insert_with(|| JsonError::WrongType(Excerpt::of(name)));
        error
    }

    /// The fault behind a failed reading: what a visitor recorded, if it was not the syntax that failed.
    pub(super) fn blame(&self, error: &serde_json::Error) -> JsonError {
        self.fault.take().filter(|_| error.is_data()).unwrap_or(JsonError::Syntax)
    }

    pub(super) fn nested<R, E: serde::de::Error>(&self, inside: impl FnOnce() -> Result<R, E>) -> Result<R, E> {
        let depth = self.depth.get();
        if depth >= MAX_DEPTH {
            return Err(self.fail(JsonError::TooDeep));
        }
        self.depth.set(depth + 1);
        let result = inside();
        self.depth.set(depth);
        result
    }

    #[inline]
    pub(super) fn members<'de, A: MapAccess<'de>, T: Members<'de>>(
        &self,
        mut map: A,
        target: &mut T,
    ) -> Result<(), A::Error> {
        self.nested(|| {
            let mut seen: SmallVec<[(u64, Cow<'de, str>); 16]> = SmallVec::new();
            while let Some(Text(name)) = map.next_key_seed(TextSeed)? {
                let mark = mark(&name);
                if seen.iter().any(|(known, other)| *known == mark && *other == name) {
                    return Err(self.fail(JsonError::DuplicateMember(Excerpt::of(&name))));
                }
                if seen.len() >= MAX_MEMBERS {
                    return Err(self.fail(JsonError::TooManyMembers));
                }
                let marker = std::marker::PhantomData;
                target.member(&name, Value { map: &mut map, guard: self, name: &name, marker })?;
                seen.push((mark, name));
            }
            Ok(())
        })
    }
}

/// The first eight bytes of a name: other marks, other names.
pub(super) fn mark(name: &str) -> u64 {
    name.bytes().take(8).fold(0, |mark, byte| mark << 8 | u64::from(byte))
}
