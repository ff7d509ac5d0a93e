//! A value of any shape, kept whole: strictly read, and bounded in size and depth.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value as Json;

use super::guard::Guard;
use super::{JsonError, Members, Value};

/// What one value, and each separator, takes at least when it is written.
const LEAST_BYTES: usize = 2;

pub(super) struct Tree<'g> {
    pub(super) guard: &'g Guard,
    /// How many bytes are left, about as the value would be written.
    pub(super) bytes: &'g Cell<usize>,
    pub(super) levels: u8,
}

impl Tree<'_> {
    fn take<E: serde::de::Error>(&self, bytes: usize) -> Result<(), E> {
        match self.bytes.get().checked_sub(bytes.saturating_add(LEAST_BYTES)) {
            Some(left) => {
                self.bytes.set(left);
                Ok(())
            }
            None => Err(self.guard.fail(JsonError::Oversize)),
        }
    }

    fn inner<E: serde::de::Error>(&self) -> Result<Self, E> {
        match self.levels.checked_sub(1) {
            Some(levels) => Ok(Self { levels, ..*self }),
            None => Err(self.guard.fail(JsonError::TooDeep)),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Tree<'_> {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree<'_> {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Json, E> {
        self.take(text.len())?;
        Ok(text.into())
    }

    fn visit_bool<E: serde::de::Error>(self, flag: bool) -> Result<Json, E> {
        self.take(0)?;
        Ok(flag.into())
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Json, E> {
        self.take(0)?;
        Ok(number.into())
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Json, E> {
        self.take(0)?;
        Ok(number.into())
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Json, E> {
        self.take(0)?;
        Ok(number.into())
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Json, E> {
        self.take(0)?;
        Ok(Json::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        self.take(0)?;
        self.guard.nested(|| {
            let mut array = Vec::new();
            while let Some(item) = items.next_element_seed(self.inner()?)? {
                array.push(item);
            }
            Ok(Json::Array(array))
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Json, A::Error> {
        self.take(0)?;
        let mut object = Object { tree: self.inner()?, members: serde_json::Map::new() };
        self.guard.members(map, &mut object)?;
        Ok(Json::Object(object.members))
    }
}

struct Object<'g> {
    tree: Tree<'g>,
    members: serde_json::Map<String, Json>,
}

impl<'de> Members<'de> for Object<'_> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, value: Value<'_, 'de, A>) -> Result<(), A::Error> {
        self.tree.take(name.len())?;
        let value = value.map.next_value_seed(Tree { ..self.tree })?;
        self.members.insert(name.to_owned(), value);
        Ok(())
    }
}
