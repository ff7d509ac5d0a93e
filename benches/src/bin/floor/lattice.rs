//! Two authorities with 20 grants each: is the one within the other, and what do both allow? There is no floor: nothing of
//! it has to be.

use std::error::Error;

use agentauth_core::scope::{Constraint, Grant};
use agentauth_core::{Authority, ResourceId, ScopeSet, Timestamp};

use agentauth_benches::case::Case;
use agentauth_benches::specimen::AUDIENCE;

/// Grants of an authority: two of each action.
const GRANTS: usize = 20;

const ENDS: u64 = 1_900_000_000;

/// What is held, what is passed on within it, and what somebody else holds, whose grants each overlap with one that is held,
/// and are neither within it nor around it.
pub(crate) struct Pairs {
    held: Authority,
    narrower: Authority,
    crossing: Authority,
}

impl Pairs {
    /// A pair that is ordered and one that crosses; and the same, with one grant that has no counterpart.
    pub(crate) fn new() -> Result<(Self, Self), Box<dyn Error>> {
        let pairs = |last: usize| {
            Ok::<_, Box<dyn Error>>(Self {
                held: authority(GRANTS, |grant, of| fee(grant.below("case", &format!("2026/{of}"))?, 0..=500, ENDS))?,
                narrower: authority(last, |grant, of| {
                    fee(grant.on("case", &format!("2026/{of}/17"))?, 0..=120, ENDS - 60)
                })?,
                crossing: authority(last, |grant, of| {
                    fee(grant.below("case", &format!("2026/{of}/17"))?, 100..=900, ENDS + 60)
                })?,
            })
        };
        Ok((pairs(GRANTS)?, pairs(GRANTS + 1)?))
    }
}

/// The grants up to `last`, but for the first ones if there would be more than [`GRANTS`].
fn authority(
    last: usize,
    limit: impl Fn(Grant, usize) -> Result<Grant, Box<dyn Error>>,
) -> Result<Authority, Box<dyn Error>> {
    let first = last.saturating_sub(GRANTS);
    let grant = |number: usize| limit(Grant::new(&format!("court:action-{}", number / 2))?, number);
    Ok(Authority::new(ScopeSet::none(), (first..last).map(grant).collect::<Result<Vec<_>, _>>()?)?)
}

fn fee(grant: Grant, range: std::ops::RangeInclusive<i64>, until: u64) -> Result<Grant, Box<dyn Error>> {
    let grant = grant.argument("fee", Constraint::integers(range)?)?;
    Ok(grant.audience(ResourceId::new(AUDIENCE)?).valid_until(Timestamp::from_secs(until)))
}

pub(crate) fn cases() -> Vec<Case<'static, Pairs>> {
    vec![
        Case::new("lattice/within".into(), None, |pairs: &Pairs| {
            if pairs.narrower.is_within(&pairs.held) { Ok(()) } else { Err("it is not within".into()) }
        }),
        Case::new("lattice/meet".into(), None, |pairs: &Pairs| {
            let met = pairs.crossing.meet(&pairs.held);
            if met.grants().count() == GRANTS { Ok(()) } else { Err("there are other grants".into()) }
        }),
        Case::new("lattice/meet/ordered".into(), None, |pairs: &Pairs| {
            let met = pairs.held.meet(&pairs.narrower);
            if met == pairs.narrower { Ok(()) } else { Err("it is not the lower one".into()) }
        }),
    ]
}
