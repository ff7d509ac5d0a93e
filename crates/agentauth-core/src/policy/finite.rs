//! JSON has no NaN and no infinities, and serde_json writes them as `null`. Here they are found before that.

use std::fmt;

use serde::ser::{self, Serialize, Serializer};

/// Whether every floating-point number in `value` is finite. What cannot be serialised is someone else's to refuse.
pub(super) fn is_finite(value: &impl Serialize) -> bool {
    !matches!(value.serialize(Walk), Err(Stop::NotFinite))
}

/// Goes through a value and keeps nothing of it.
#[derive(Clone, Copy)]
struct Walk;

#[derive(Debug)]
enum Stop {
    NotFinite,
    Unserialisable,
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("stopped")
    }
}

impl std::error::Error for Stop {}

impl ser::Error for Stop {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::Unserialisable
    }
}

macro_rules! passes {
    ($($method:ident($($type:ty),*)),* $(,)?) => {$(
        fn $method(self, $(_: $type),*) -> Result<(), Stop> {
            Ok(())
        }
    )*};
}

macro_rules! opens {
    ($($method:ident($($type:ty),*)),* $(,)?) => {$(
        fn $method(self, $(_: $type),*) -> Result<Self, Stop> {
            Ok(self)
        }
    )*};
}

impl Serializer for Walk {
    type Ok = ();
    type Error = Stop;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    fn serialize_f32(self, value: f32) -> Result<(), Stop> {
        self.serialize_f64(value.into())
    }

    fn serialize_f64(self, value: f64) -> Result<(), Stop> {
        if value.is_finite() { Ok(()) } else { Err(Stop::NotFinite) }
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Stop> {
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Stop> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        value: &T,
    ) -> Result<(), Stop> {
        value.serialize(self)
    }

    passes!(
        serialize_bool(bool),
        serialize_i8(i8),
        serialize_i16(i16),
        serialize_i32(i32),
        serialize_i64(i64),
        serialize_i128(i128),
        serialize_u8(u8),
        serialize_u16(u16),
        serialize_u32(u32),
        serialize_u64(u64),
        serialize_u128(u128),
        serialize_char(char),
        serialize_str(&str),
        serialize_bytes(&[u8]),
        serialize_none(),
        serialize_unit(),
        serialize_unit_struct(&'static str),
        serialize_unit_variant(&'static str, u32, &'static str),
    );

    opens!(
        serialize_seq(Option<usize>),
        serialize_tuple(usize),
        serialize_tuple_struct(&'static str, usize),
        serialize_tuple_variant(&'static str, u32, &'static str, usize),
        serialize_map(Option<usize>),
        serialize_struct(&'static str, usize),
        serialize_struct_variant(&'static str, u32, &'static str, usize),
    );
}

macro_rules! walks {
    ($($compound:ident::$method:ident($($name:ty)?)),* $(,)?) => {$(
        impl ser::$compound for Walk {
            type Ok = ();
            type Error = Stop;

            fn $method<T: Serialize + ?Sized>(&mut self, $(_: $name,)? value: &T) -> Result<(), Stop> {
                value.serialize(*self)
            }

            fn end(self) -> Result<(), Stop> {
                Ok(())
            }
        }
    )*};
}

walks!(
    SerializeSeq::serialize_element(),
    SerializeTuple::serialize_element(),
    SerializeTupleStruct::serialize_field(),
    SerializeTupleVariant::serialize_field(),
    SerializeStruct::serialize_field(&'static str),
    SerializeStructVariant::serialize_field(&'static str),
);

impl ser::SerializeMap for Walk {
    type Ok = ();
    type Error = Stop;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Stop> {
        key.serialize(*self)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Stop> {
        value.serialize(*self)
    }

    fn end(self) -> Result<(), Stop> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Serialize;

    use super::*;

    #[derive(Serialize)]
    enum Shape {
        Unit,
        Newtype(f32),
        Tuple(u8, f64),
        Struct { inner: Option<f64> },
    }

    #[test]
    fn a_number_that_is_not_finite_is_found_wherever_it_is() {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(!is_finite(&bad));
            assert!(!is_finite(&Some(bad)) && !is_finite(&(1, bad)) && !is_finite(&vec![1.0, bad]));
            assert!(!is_finite(&BTreeMap::from([("a", bad)])));
            assert!(!is_finite(&Shape::Tuple(1, bad)) && !is_finite(&Shape::Struct { inner: Some(bad) }));
        }
        assert!(!is_finite(&Shape::Newtype(f32::NAN)));
        assert!(is_finite(&(Shape::Unit, Shape::Newtype(1.0), Shape::Struct { inner: None }, "NaN", 1.5)));
    }
}
