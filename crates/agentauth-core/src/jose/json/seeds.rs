//! One visitor for each type that a member can be asked for.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::guard::Guard;
use super::{Loose, Members, Scalar, Texts, Value};

/// An object of which nothing is kept.
pub(super) struct Unread;

impl<'de> Members<'de> for Unread {
    fn member<A: MapAccess<'de>>(&mut self, _: &str, value: Value<'_, 'de, A>) -> Result<(), A::Error> {
        value.skip()
    }
}

/// The name of a member, or a value that must be a string.
pub(super) struct Text<'de>(pub(super) Cow<'de, str>);

pub(super) struct TextSeed;

impl<'de> DeserializeSeed<'de> for TextSeed {
    type Value = Text<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Text<'de>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for TextSeed {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Owned(text.to_owned())))
    }
}

/// A NumericDate, or a number that is none.
pub(super) struct Number(pub(super) Option<u64>);

pub(super) struct NumberSeed;

impl<'de> DeserializeSeed<'de> for NumberSeed {
    type Value = Number;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Number, D::Error> {
        deserializer.deserialize_u64(self)
    }
}

impl Visitor<'_> for NumberSeed {
    type Value = Number;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of seconds")
    }

    fn visit_u64<E>(self, secs: u64) -> Result<Number, E> {
        Ok(Number(Scalar::Unsigned(secs).seconds()))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Number, E> {
        Ok(Number(None))
    }

    fn visit_f64<E>(self, secs: f64) -> Result<Number, E> {
        Ok(Number(Scalar::Float(secs).seconds()))
    }
}

pub(super) struct Anything<'g> {
    pub(super) guard: &'g Guard,
}

impl<'de> DeserializeSeed<'de> for Anything<'_> {
    type Value = Scalar<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Scalar<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Anything<'_> {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Unsigned(value))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Other)
    }

    fn visit_f64<E>(self, value: f64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Float(value))
    }

    fn visit_unit<E>(self) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Scalar<'de>, A::Error> {
        self.guard.nested(|| {
            while items.next_element_seed(Anything { guard: self.guard })?.is_some() {}
            Ok(Scalar::Other)
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Scalar<'de>, A::Error> {
        self.guard.members(map, &mut Unread).map(|()| Scalar::Other)
    }
}

/// An object, or anything else, of which nothing is kept.
pub(super) struct ObjectIfAny<'g, 't, T> {
    pub(super) guard: &'g Guard,
    pub(super) target: &'t mut T,
}

impl<'de, T: Members<'de>> DeserializeSeed<'de> for ObjectIfAny<'_, '_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: Members<'de>> Visitor<'de> for ObjectIfAny<'_, '_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<(), A::Error> {
        Anything { guard: self.guard }.visit_seq(items).map(|_| ())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        self.guard.members(map, self.target)
    }
}

pub(super) struct Keep<'g> {
    pub(super) guard: &'g Guard,
}

impl<'de> DeserializeSeed<'de> for Keep<'_> {
    type Value = Loose<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Loose<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Keep<'_> {
    type Value = Loose<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Loose<'de>, E> {
        Ok(Loose::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Loose<'de>, E> {
        Ok(Loose::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Loose<'de>, E> {
        Ok(Loose::Flag(value))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Loose<'de>, E> {
        Ok(Loose::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Loose<'de>, E> {
        Ok(Loose::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Loose<'de>, E> {
        Ok(Loose::Other)
    }

    fn visit_unit<E>(self) -> Result<Loose<'de>, E> {
        Ok(Loose::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Loose<'de>, A::Error> {
        self.guard.nested(|| {
            let mut texts = Vec::new();
            let mut is_list = true;
            while let Some(item) = items.next_element_seed(Anything { guard: self.guard })? {
                match item {
                    Scalar::Text(text) => texts.push(text),
                    _ => is_list = false,
                }
            }
            Ok(if is_list { Loose::Texts(texts) } else { Loose::Other })
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Loose<'de>, A::Error> {
        self.guard.members(map, &mut Unread).map(|()| Loose::Other)
    }
}

pub(super) struct Object<'a, T> {
    pub(super) guard: &'a Guard,
    pub(super) target: &'a mut T,
}

impl<'de, T: Members<'de>> DeserializeSeed<'de> for Object<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, T: Members<'de>> Visitor<'de> for Object<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    #[inline]
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        self.guard.members(map, self.target)
    }
}

pub(super) struct Objects<'g, T> {
    pub(super) guard: &'g Guard,
    pub(super) name: &'g str,
    pub(super) limit: usize,
    pub(super) marker: std::marker::PhantomData<T>,
}

impl<'de, T: Members<'de> + Default> DeserializeSeed<'de> for Objects<'_, T> {
    type Value = Vec<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<T>, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, T: Members<'de> + Default> Visitor<'de> for Objects<'_, T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
        self.guard.nested(|| {
            let mut objects = Vec::new();
            let mut next = T::default();
            while items.next_element_seed(Object { guard: self.guard, target: &mut next })?.is_some() {
                if objects.len() >= self.limit {
                    return Err(self.guard.wrong_type(self.name));
                }
                objects.push(std::mem::take(&mut next));
            }
            Ok(objects)
        })
    }
}

pub(super) struct TextsSeed<'g> {
    pub(super) guard: &'g Guard,
}

impl<'de> DeserializeSeed<'de> for TextsSeed<'_> {
    type Value = Texts<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for TextsSeed<'_> {
    type Value = Texts<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or an array of strings")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Texts::One(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Texts::One(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        self.guard.nested(|| {
            let mut texts = Vec::new();
            while let Some(item) = items.next_element_seed(Anything { guard: self.guard })? {
                match item {
                    Scalar::Text(text) => texts.push(text),
                    _ => return Err(A::Error::custom("not a string")),
                }
            }
            Ok(Texts::Many(texts))
        })
    }
}
