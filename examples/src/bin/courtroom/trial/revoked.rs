//! Taken back in the middle of the trial: what descends from it does not count from the next request on, and all else does.

use std::time::Duration;

use agentauth_core::delegation::ExchangeRequest;
use agentauth_core::state::revocation::Revocation;
use agentauth_core::{Clock as _, SubjectToken, SystemClock};

use super::hops::Hops;
use super::offline::Offline;
use super::{Held, Less, Trial, motion, pages, pages_of_the_case};
use crate::world::{ALICES_CASE, World};
use crate::{Error, forgery};

impl Trial<'_> {
    /// Alice withdraws the consent from which the exchanged tokens descend, and not the other one.
    pub(super) async fn what_descends_from_a_grant(
        &mut self,
        held: &Held,
        hops: &Hops,
        offline: &Offline,
    ) -> Result<(), Error> {
        self.scene = "after Alice has withdrawn her consent";
        let World { lawyer, clerk, robot, court, archive, service, .. } = self.world;
        let claims = forgery::claims(&hops.robots)?;
        let grant = claims.get("grant_id").and_then(|id| id.as_str()).ok_or("the token names no grant")?;
        // No token of this trial lasts longer.
        let end = SystemClock.now().plus(Duration::from_secs(600));
        let issuer = service.issuer().id().clone();
        service.revoke(&Revocation::grant(issuer, grant, end).by("alice").because("the case is settled")).await?;

        let answer = robot.send(pages(archive, ALICES_CASE, 10)?, Some(&hops.robots)).await?;
        self.note("read on with the same token", robot, "alice", &answer, "grant_revoked")?;

        let answer = lawyer.send(motion(court, ALICES_CASE, 120)?, Some(&held.for_court)).await?;
        self.note("file with a token from before", lawyer, "alice", &answer, "grant_revoked")?;

        let ten = Less::Details(pages_of_the_case(10)?);
        let answer = self.pass_on(clerk, &hops.clerks, robot, archive, ten).await?;
        self.note("pass on a token from before", clerk, "alice", &answer, "grant_revoked")?;

        let answer = robot.present(pages(archive, ALICES_CASE, 10)?, &offline.chain).await?;
        self.note("read with the chain, which is of another grant", robot, "alice", &answer, "allowed")
    }

    /// The court's people learn that the clerk's key has leaked.
    pub(super) async fn what_has_passed_through_an_agent(&mut self, offline: &Offline) -> Result<(), Error> {
        self.scene = "after the clerk has been revoked";
        let World { lawyer, clerk, robot, court, archive, sts, service, .. } = self.world;
        service.revoke(&Revocation::agent(clerk.id().clone()).by("security").because("a leaked key")).await?;

        let answer = robot.present(pages(archive, ALICES_CASE, 10)?, &offline.chain).await?;
        self.note("read on with what the clerk passed on", robot, "alice", &answer, "agent_revoked")?;

        let answer = clerk.ask_own_token(sts).await?;
        self.note("ask for a token of its own", clerk, "nobody", &answer, "agent_revoked")?;

        let fresh = service.consent(&self.world.alices_consent()).await?;
        let for_court = ExchangeRequest::new(SubjectToken::new(fresh.token()), court.clone());
        let for_court = lawyer.exchange(&for_court).await?;
        let answer = lawyer.send(motion(court, ALICES_CASE, 120)?, Some(&for_court)).await?;
        self.note("file under a new consent", lawyer, "alice", &answer, "allowed")
    }
}
