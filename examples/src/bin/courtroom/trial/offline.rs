//! The same three hops with no server in the loop: the lawyer narrows its token for the clerk, the clerk for the robot.

use agentauth_core::delegation::ExchangeRequest;
use agentauth_core::delegation::chain::Chain;
use agentauth_core::{Clock as _, SubjectToken, SystemClock, SystemRandom};
use serde_json::json;

use super::{Trial, pages, pages_of_the_case, record};
use crate::agent::Agent;
use crate::world::{ALICES_CASE, World};
use crate::{Error, forgery};

/// What the holders have made.
pub(super) struct Offline {
    /// Alice's consent, which is another one than before.
    pub(super) consent: String,
    /// The lawyer's token, the link for the clerk, and the one for the robot.
    pub(super) chain: Chain,
}

impl Trial<'_> {
    pub(super) async fn what_holders_pass_on(&mut self) -> Result<Offline, Error> {
        self.scene = "three hops, offline";
        let World { lawyer, clerk, robot, archive, .. } = self.world;
        let consent = self.world.service.consent(&self.world.alices_consent()).await?;
        let to_archive = ExchangeRequest::new(SubjectToken::new(consent.token()), archive.clone());
        let root = lawyer.exchange_for_key(&to_archive).await?;
        let lawyers = Chain::read(&root)?;
        let clerks = narrowed(&lawyers, lawyer, clerk, 20, 1)?;
        let robots = narrowed(&clerks, clerk, robot, 10, 0)?;

        let answer = robot.present(pages(archive, ALICES_CASE, 10)?, &robots).await?;
        self.note_third("read 10 pages of Alice's case", robot, &answer)?;
        let answer = robot.present(pages(archive, ALICES_CASE, 11)?, &robots).await?;
        self.note("read 11 pages of it", robot, "alice", &answer, "delegated_with_other_arguments")?;

        self.what_chains_do_not_allow(&lawyers, &clerks, &robots).await?;
        Ok(Offline { consent: consent.token().to_owned(), chain: robots })
    }

    async fn what_chains_do_not_allow(&mut self, lawyers: &Chain, clerks: &Chain, robots: &Chain) -> Result<(), Error> {
        let World { lawyer, clerk, robot, thief, archive, records, .. } = self.world;
        let read = || pages(archive, ALICES_CASE, 10);

        let wider = narrowed(lawyers, lawyer, clerk, 500, 1)?;
        let moved = below(&wider, robots.leaf())?;
        let answer = robot.present(read()?, &moved).await?;
        self.note("hang the last link below a wider one", robot, "alice", &answer, "chain_parent_mismatch")?;

        let details = pages_of_the_case(21)?.to_details();
        let widened = forgery::link(robots.leaf(), clerk.key(), &[("authorization_details", details)]).await?;
        let answer = robot.present(read()?, &below(clerks, &widened)?).await?;
        self.note("show a link for more pages", robot, "alice", &answer, "chain_authority_widened")?;

        let to_thief = [("client_id", json!(thief.id())), ("cnf", json!({"jkt": thief.key().key_id()}))];
        let borrowed = forgery::link(robots.leaf(), thief.key(), &to_thief).await?;
        let answer = thief.present(read()?, &below(clerks, &borrowed)?).await?;
        self.note("sign a link that is the clerk's to sign", thief, "alice", &answer, "chain_key_borrowed")?;

        let back = [("client_id", json!(lawyer.id()))];
        let back = forgery::link(robots.leaf(), clerk.key(), &back).await?;
        let answer = lawyer.present(read()?, &below(clerks, &back)?).await?;
        self.note("be passed what one has passed on", lawyer, "alice", &answer, "chain_actor_loop")?;

        let answer = thief.present(read()?, robots).await?;
        self.note("show the robot's chain", thief, "alice", &answer, "dpop_key_mismatch")?;

        let answer = robot.present(record(records, ALICES_CASE)?, robots).await?;
        self.note("show the chain to the records office", robot, "alice", &answer, "audience_wrong")?;

        let answer = robot.present_under(read()?, robots, &[robots, &moved]).await?;
        self.note("show two chains at once", robot, "alice", &answer, "chain_header_repeated")
    }
}

/// `holder` passes so many pages on to `next`, which may pass them on `hops` times.
fn narrowed(chain: &Chain, holder: &Agent, next: &Agent, pages: i64, hops: u64) -> Result<Chain, Error> {
    let agent = next.id().clone().into();
    let link = chain.attenuate(holder.key(), &agent, next.key().key_id().parse()?);
    let link = link.authority(pages_of_the_case(pages)?).may_be_passed_on(hops);
    Ok(link.sign(SystemClock.now(), &SystemRandom)?)
}

/// A chain that ends in `link`, whoever has made that.
fn below(chain: &Chain, link: &str) -> Result<Chain, Error> {
    Ok(Chain::read(&format!("{}~{link}", chain.reveal()))?)
}
