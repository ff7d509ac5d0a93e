//! One entry: is it the next one, and is it what was written?

use super::erased::{Erasures, Place};
use super::fault::FaultKind;
use super::walk::{Position, Walk};
use crate::format::{Body, EntryKind, commitment, is_erased};
use crate::read::Entry;
use crate::tree::{Hash, leaf_hash};

impl Walk<'_, '_> {
    pub(super) fn entry(&mut self, index: usize, entry: &Entry<'_>) {
        let place = Place { segment: index, offset: entry.offset };
        self.report.entries += 1;
        let body = match entry.read() {
            Ok(body) => body,
            Err(error) => {
                let next = self.at.next;
                self.fault(place, next, FaultKind::Body(error));
                self.at = Position { next: next.and_then(|next| next.checked_add(1)), ..Position::default() };
                return;
            }
        };
        self.follow(place, &body);
        self.mark(&body);
        if body.kind != EntryKind::Retired {
            self.side(place, &body, entry.side);
        }
        let leaf = entry.leaf(&body).unwrap_or_else(|| {
            self.fault(place, Some(body.number), FaultKind::Payload);
            leaf_hash(entry.body)
        });
        self.account(place, &body);
        self.at.previous = Some(leaf);
        self.at.next = body.number.checked_add(1);
        self.at.kind = Some(body.kind);
        self.at.micros = body.micros;
        if let Some(tree) = &mut self.at.tree {
            tree.push(leaf);
        }
        if self.is_sound {
            self.sound = self.mark_here();
        }
        self.compare_known();
    }

    /// Whether it is the next one, and continues the one before it.
    fn follow(&mut self, place: Place, body: &Body<'_>) {
        let wrong = match (self.at.next, self.at.previous) {
            (Some(expected), _) if expected != body.number => FaultKind::Number { expected, found: body.number },
            (_, Some(previous)) if previous != body.previous => FaultKind::Link,
            _ => return,
        };
        self.fault(place, self.at.next, wrong);
        (self.at.tree, self.at.kind) = (None, None);
    }

    /// Whether what is personal is what was written, or was erased.
    fn side(&mut self, place: Place, body: &Body<'_>, side: &[u8]) {
        if commitment(side) == body.commitment {
            return;
        }
        let kind = if side.is_empty() {
            FaultKind::SideMissing
        } else if body.commitment == Hash::default() || !is_erased(side) {
            FaultKind::Side
        } else if self.erasures.found(body.number, place) {
            return;
        } else {
            FaultKind::TooManyErased(Erasures::most())
        };
        self.fault(place, Some(body.number), kind);
    }
}
