//! JSON objects of which a fixed few members are read: each in one pass, borrowed, everything else skipped.
//!
//! serde's derive is not used for them because a derived struct also accepts an array of its fields in order, its errors
//! quote values (rows hold personal data), and amounts need the literal text of numbers.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::cell::Cell;

/// Cells of an object, one for each member that is read; declared by [`columns!`].
pub(crate) trait Columns<'a>: Default {
    const NAMES: &'static [&'static str];

    /// The place of a column among those that are read; `None` for one that is not.
    fn place(name: &str) -> Option<usize>;

    fn cells(&mut self) -> &mut [Cell<'a>];

    /// Where the value of a column goes, with the column's static name; `None` for a column that is not read.
    fn slot(&mut self, name: &str) -> Option<(&'static str, &mut Cell<'a>)> {
        let place = Self::place(name)?;
        Some((Self::NAMES[place], &mut self.cells()[place]))
    }
}

/// Declares the columns that are read of a table: a cell for each, and a method that names it.
macro_rules! columns {
    ($(#[$meta:meta])* $vis:vis struct $name:ident { $($field:ident = $column:literal),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Default)]
        $vis struct $name<'a>([$crate::event::cell::Cell<'a>; [$($column),*].len()]);

        const _: () = {
            #[allow(non_camel_case_types, reason = "they are the methods' names")]
            enum Place { $($field),* }

            impl<'a> $crate::event::object::Columns<'a> for $name<'a> {
                const NAMES: &'static [&'static str] = &[$($column),*];

                fn place(name: &str) -> Option<usize> {
                    match name {
                        $($column => Some(Place::$field as usize),)*
                        _ => None,
                    }
                }

                fn cells(&mut self) -> &mut [$crate::event::cell::Cell<'a>] {
                    &mut self.0
                }
            }

            impl<'a> $name<'a> {
                $($vis fn $field(&self, of: &'static str) -> $crate::event::cell::Column<'a> {
                    $crate::event::cell::Column { of, name: $column, cell: self.0[Place::$field as usize] }
                })*
            }
        };
    };
}
pub(crate) use columns;

/// A member that should be an object.
#[derive(Debug, Default)]
pub(crate) struct Object<R> {
    pub shape: Shape,
    pub row: R,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Not there, or null.
    #[default]
    Absent,
    Object,
    NotAnObject,
    /// A column that is read stands there twice.
    Duplicate(&'static str),
}

/// Fills an object from JSON. Fails only where the input is not JSON; all else is told by the shape.
pub(crate) struct Fill<'r, R>(pub &'r mut Object<R>);

impl<'de, R: Columns<'de>> DeserializeSeed<'de> for Fill<'_, R> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let shape = deserializer.deserialize_any(FillVisitor(&mut self.0.row))?;
        self.0.shape = shape;
        Ok(())
    }
}

struct FillVisitor<'r, R>(&'r mut R);

impl<'de, R: Columns<'de>> Visitor<'de> for FillVisitor<'_, R> {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Shape, A::Error> {
        let mut shape = Shape::Object;
        while let Some(slot) = map.next_key_seed(Slot(&mut *self.0, PhantomData))? {
            match slot {
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
                Some((name, cell)) => {
                    let value = Cell::from_json(map.next_value::<&RawValue>()?);
                    if *cell != Cell::Absent {
                        shape = Shape::Duplicate(name);
                    }
                    *cell = value;
                }
            }
        }
        Ok(shape)
    }

    fn visit_unit<E>(self) -> Result<Shape, E> {
        Ok(Shape::Absent)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Shape, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Shape::NotAnObject)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Shape, E> {
        Ok(Shape::NotAnObject)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Shape, E> {
        Ok(Shape::NotAnObject)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Shape, E> {
        Ok(Shape::NotAnObject)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Shape, E> {
        Ok(Shape::NotAnObject)
    }

    fn visit_str<E>(self, _: &str) -> Result<Shape, E> {
        Ok(Shape::NotAnObject)
    }
}

/// Finds the slot of a member's name without keeping the name.
struct Slot<'r, 'a, R>(&'r mut R, PhantomData<&'a ()>);

impl<'de: 'r, 'r, R: Columns<'de>> DeserializeSeed<'de> for Slot<'r, 'de, R> {
    type Value = Option<(&'static str, &'r mut Cell<'de>)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de: 'r, 'r, R: Columns<'de>> Visitor<'de> for Slot<'r, 'de, R> {
    type Value = Option<(&'static str, &'r mut Cell<'de>)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.slot(name))
    }
}
