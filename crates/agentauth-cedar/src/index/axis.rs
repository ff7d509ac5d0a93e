//! One of the things that policies are told apart by.

use std::collections::HashMap;

use cedar_policy::{Entities, EntityTypeName, EntityUid};

use super::place::Place;

/// What stands for a place, so that texts are hashed once a request.
pub(super) type Number = usize;

/// That of [`Place::Anywhere`].
pub(super) const ANYWHERE: Number = 0;

/// The places that policies name on one axis: principals, resources or agents.
#[derive(Debug, Default)]
pub(super) struct Axis {
    kinds: HashMap<EntityTypeName, Number>,
    entities: HashMap<EntityUid, Number>,
}

impl Axis {
    /// The number of a place.
    pub(super) fn number(&mut self, place: Place) -> Number {
        let next = self.kinds.len().saturating_add(self.entities.len()).saturating_add(1);
        match place {
            Place::Anywhere => ANYWHERE,
            Place::Kind(kind) => *self.kinds.entry(kind).or_insert(next),
            Place::At(entity) => *self.entities.entry(entity).or_insert(next),
        }
    }

    /// The numbers of all the places where `uid` is: anywhere, among those of its type, at itself, and in all that it is in.
    /// As much work as it has ancestors, whose number is bounded where entities are made.
    pub(super) fn numbers_of(&self, uid: &EntityUid, entities: &Entities) -> Vec<Number> {
        let mut numbers = vec![ANYWHERE];
        if !self.kinds.is_empty() {
            numbers.extend(self.kinds.get(uid.type_name()));
        }
        if !self.entities.is_empty() {
            numbers.extend(self.entities.get(uid));
            numbers.extend(entities.ancestors(uid).into_iter().flatten().filter_map(|above| self.entities.get(above)));
        }
        numbers
    }
}
