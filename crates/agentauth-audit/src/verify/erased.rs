//! Sides that are gone, until an entry says why.

use std::collections::BTreeMap;

/// Places that are remembered until they are named: some 40 MB at most. An erasure names its entries together, and a
/// period or a person seldom stands in more places than this.
const MAX_PLACES: usize = 1 << 20;

/// Where an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Which segment, counted from 0.
    pub(super) segment: usize,
    pub(super) offset: u64,
}

/// The entries whose side is gone, and which nobody has named yet.
#[derive(Debug, Default)]
pub(super) struct Erasures {
    gone: BTreeMap<u64, Place>,
}

impl Erasures {
    /// The side of `number` is gone. False if there is no room for it.
    pub(super) fn found(&mut self, number: u64, place: Place) -> bool {
        let has_room = self.gone.len() < MAX_PLACES;
        if has_room {
            self.gone.insert(number, place);
        }
        has_room
    }

    /// An entry says that `number` was erased. Says where that is, if it is so already.
    pub(super) fn named(&mut self, number: u64) -> Option<Place> {
        self.gone.remove(&number)
    }

    /// What nobody has named.
    pub(super) fn rest(&self) -> impl Iterator<Item = (u64, Place)> {
        self.gone.iter().map(|(&number, &place)| (number, place))
    }

    pub(super) const fn most() -> usize {
        MAX_PLACES
    }
}

#[cfg(test)]
mod tests {
    use super::super::FaultKind;
    use super::*;

    #[test]
    fn more_places_than_are_remembered_are_told() {
        let (mut erasures, place) = (Erasures::default(), Place { segment: 0, offset: 0 });
        for number in 0..MAX_PLACES as u64 {
            assert!(erasures.found(number, place));
        }
        assert!(!erasures.found(MAX_PLACES as u64, place));
        assert!(erasures.named(7).is_some() && erasures.named(7).is_none());
        assert_eq!(FaultKind::TooManyErased(MAX_PLACES).code(), "side_erased_many");
    }
}
