//! Three hops through the token service: lawyer, clerk, robot, each with less than the one before.

use super::{Held, Less, Trial, pages, pages_of_the_case};
use crate::Error;
use crate::agent::token_in;
use crate::world::{ALICES_CASE, BOBS_CASE, World};

/// What the exchanges have made of the lawyer's token.
pub(super) struct Hops {
    /// What the clerk passes on.
    pub(super) clerks: String,
    /// What the robot shows to the archive.
    pub(super) robots: String,
}

impl Trial<'_> {
    pub(super) async fn what_is_passed_on_twice(&mut self, held: &Held) -> Result<Hops, Error> {
        self.scene = "three hops, by exchanges";
        let World { lawyer, clerk, robot, archive, sts, .. } = self.world;
        let twenty = Less::Details(pages_of_the_case(20)?);
        let clerks = token_in(&self.pass_on(lawyer, &held.passed_on, clerk, sts, twenty).await?)?;
        let ten = Less::Details(pages_of_the_case(10)?);
        let robots = token_in(&self.pass_on(clerk, &clerks, robot, archive, ten).await?)?;

        let answer = robot.send(pages(archive, ALICES_CASE, 10)?, Some(&robots)).await?;
        self.note_third("read 10 pages of Alice's case", robot, &answer)?;
        let answer = robot.send(pages(archive, ALICES_CASE, 11)?, Some(&robots)).await?;
        self.note("read 11 pages of it", robot, "alice", &answer, "delegated_with_other_arguments")?;

        let answer = robot.send(pages(archive, BOBS_CASE, 10)?, Some(&robots)).await?;
        self.note("read another case", robot, "alice", &answer, "delegated_on_other_resources")?;

        let more = Less::Details(pages_of_the_case(21)?);
        let answer = self.pass_on(clerk, &clerks, robot, archive, more).await?;
        self.note("pass on more pages than the lawyer did", clerk, "alice", &answer, "exchange_details_widened")?;

        let other = Less::Scopes("records:read".parse()?);
        let answer = self.pass_on(clerk, &clerks, robot, archive, other).await?;
        self.note("pass on what the lawyer did not", clerk, "alice", &answer, "exchange_scope_widened")?;
        Ok(Hops { clerks, robots })
    }
}
