//! What no agent may do alone.

use serde_json::Value;

use super::{Held, Trial, motion};
use crate::Error;
use crate::world::{ALICES_CASE, World};

impl Trial<'_> {
    pub(super) async fn what_needs_a_humans_word(&mut self, held: &Held) -> Result<(), Error> {
        self.scene = "what needs a human's word";
        let World { lawyer, court, approvals, .. } = self.world;
        let file = || async { lawyer.send(motion(court, ALICES_CASE, 800)?, Some(&held.for_court)).await };

        let answer = file().await?;
        self.note("file with a fee of 800", lawyer, "alice", &answer, "approval_required")?;
        let asked: Value = serde_json::from_slice(answer.body())?;
        let asked = asked.get("approval_id").and_then(Value::as_str).ok_or("the court names what it asks for")?;
        // On a page of the court's own, where she has signed in.
        approvals.approve(asked, "alice").await?;

        self.note("file it once Alice has approved it", lawyer, "alice", &file().await?, "allowed")?;
        self.note("file it once more", lawyer, "alice", &file().await?, "approval_used")
    }
}
