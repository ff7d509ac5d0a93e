//! Biscuits: an authority block, and blocks that attenuate it, each signed with a fresh Ed25519 key.

use std::error::Error;

use biscuit_auth::builder::{Algorithm, BlockBuilder};
use biscuit_auth::{Biscuit, KeyPair, PublicKey};

use crate::chain::Presented;
use agentauth_benches::case::{Case, Verdict};

/// A biscuit with as many blocks as a chain has tokens, and the root's key.
pub(crate) struct Biscuits {
    root: PublicKey,
    pub(crate) genuine: Vec<u8>,
    /// The same, with one bit of the last block's signature flipped.
    pub(crate) forged: Vec<u8>,
}

impl Biscuits {
    pub(crate) fn new(attenuations: usize) -> Result<Self, Box<dyn Error>> {
        let root = KeyPair::new_with_algorithm(Algorithm::Ed25519);
        let mut biscuit = Biscuit::builder()
            .code(
                r#"user("8c1f7a52-6f0e-4b7e-9d55-2b1d3a90c7e4"); right("records", "read"); right("records", "list");
                check if time($time), $time < 2050-01-01T00:00:00Z;"#,
            )?
            .build(&root)?;
        for _ in 0..attenuations {
            let block = BlockBuilder::new().code(r#"check if operation("read"), resource("records");"#)?;
            biscuit = biscuit.append(block)?;
        }
        let genuine = biscuit.to_vec()?;
        let signature = biscuit.revocation_identifiers().pop().ok_or("a biscuit has blocks")?;
        let at = genuine.windows(signature.len()).position(|bytes| bytes == signature).ok_or("a block is signed")?;
        let mut forged = genuine.clone();
        if let Some(byte) = forged.get_mut(at + signature.len() / 2) {
            *byte ^= 1;
        }
        Ok(Self { root: root.public(), genuine, forged })
    }

    /// Reading a biscuit verifies its signatures. What its blocks check is not run.
    pub(crate) fn cases(&self, attenuations: usize, raw: &str) -> Vec<Case<'static, Presented>> {
        let root = self.root;
        let verify = move |shown: &Presented| -> Verdict { Ok(Biscuit::from(&shown.biscuit, root).map(drop)?) };
        vec![Case::new(format!("peer/biscuit/{attenuations}"), Some(raw), verify)]
    }
}
