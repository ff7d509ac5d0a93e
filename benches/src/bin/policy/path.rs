//! The whole way: from a token that was verified before to a permit.

use std::error::Error;

use agentauth_benches::case::{Case, at_once};
use agentauth_benches::engine::builder;
use agentauth_benches::specimen::{Token, bearer_claims};
use agentauth_core::jose::{Algorithm, SigningKey};
use agentauth_core::{Action, Evidence};
use serde_json::json;

use crate::decide::engine;

pub(crate) const POLICIES: usize = 1_000;

/// A case, what it accepts, and what it must refuse.
pub(crate) fn case() -> Result<(Case<'static, Token>, Token, Token), Box<dyn Error>> {
    let key = SigningKey::generate(Algorithm::EdDsa)?;
    let auth = builder(&key)?.policy(engine(POLICIES)?).build()?;
    let token = Token::signed(&key, &bearer_claims(0))?;
    let forged = token.with_one_bit_flipped()?;
    let arguments = json!({ "title": "A motion to dismiss", "fee": 120 });
    let case = Case::new(format!("path/{POLICIES}"), None, move |token: &Token| {
        let caller = at_once(auth.authenticate(Evidence::bearer(&token.text)))??;
        let action = Action::new("motions:file")?.on("case", "0").with(&arguments)?;
        drop(at_once(caller.authorize(action))??);
        Ok(())
    });
    Ok((case, token, forged))
}

#[cfg(test)]
mod tests {
    use agentauth_benches::case;

    #[test]
    fn a_caller_of_the_token_gets_a_permit() {
        let (path, genuine, forged) = super::case().unwrap();
        case::check(&[path], &genuine, &forged).unwrap();
    }
}
