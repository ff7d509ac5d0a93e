//! Chains by which holders narrow their tokens offline.

mod cases;
mod forge;
mod holder;
mod presented;
mod recorded;
mod rules;
mod together;

use serde_json::Value;

use crate::matrix::Answer;

/// The claims of a good link, and what is said to a link with any `typ` and claims, signed with the right key.
pub(crate) fn one_link() -> (Value, Answer) {
    let cast = forge::Cast::new();
    let root = cast.root();
    let claims = cast.link_claims(&root, 1);
    let answer = move |typ: Option<&str>, claims: &Value| {
        let mut header = cast.agents[0].header();
        header["typ"] = typ.into();
        header.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        forge::code(&cast, &[root.clone(), cast.agents[0].sign(&header, claims.to_string())])
    };
    (claims, Box::new(answer))
}
