//! The file of grants: what it says, how soon a change counts, and what is said about mistakes.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use agentauth_core::Timestamp;
use agentauth_core::delegation::{FileGrants, GrantsFileError, MAX_GRANTS_BYTES};
use agentauth_core::scope::DetailTypes;
use serde_json::json;

use crate::support::certs::NOW;
use crate::support::court::{ACCEPTED, Court, LAWYER, RESOURCE, STS, claims_of};
use crate::support::office::{Office, RECORDS, SCOPES, request, request_for, set};

const NOT_PERMITTED: &str = "exchange_actor_not_permitted";
const UNAVAILABLE: &str = "exchange_grants_unavailable";

/// A file of one test's own, gone with it.
struct Register(PathBuf);

impl Register {
    fn new(text: &str) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("grants-{}-{}.json", std::process::id(), NEXT.fetch_add(1, Ordering::SeqCst));
        let register = Self(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name));
        register.write(text);
        register
    }

    fn write(&self, text: &str) {
        fs::write(&self.0, text).unwrap();
    }

    fn open(&self) -> Result<FileGrants, GrantsFileError> {
        FileGrants::open(&self.0)
    }
}

impl Drop for Register {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn text(entries: &str) -> String {
    format!("{{\n  \"grants\": [{entries}]\n}}\n")
}

/// One grant, a member a line: the id is in line 4.
fn entry(id: &str, more: &str) -> String {
    format!(
        "\n    {{\n      \"id\": \"{id}\",\n      \"principal\": {{\"iss\": \"{STS}\", \"sub\": \"alice\"}},\n      \
         \"agent\": \"{LAWYER}\",\n      \"scope\": \"{SCOPES}\"{more}\n    }}"
    )
}

#[test]
fn a_grant_in_the_file_says_all_that_one_in_memory_does() {
    let end = Timestamp::from_secs(NOW + 40);
    let register = Register::new(&text(&entry("grant:1", &format!(", \"expires\": \"{end}\""))));
    let office = Office::with(|builder| builder.grants(register.open().unwrap()));
    let issued = office.exchange(&office.lawyer, &request(&office.users_token(), RESOURCE)).unwrap();
    let claims = claims_of(issued.token());
    assert_eq!((&claims["exp"], &claims["grant_id"]), (&json!(NOW + 40), &json!("grant:1")));
    assert_eq!(issued.scopes().to_string(), SCOPES);

    let limits = format!(",\"audiences\": [\"{RESOURCE}\"], \"max_depth\": 2");
    let register = Register::new(&text(&entry("grant:1", &limits)));
    let office = Office::with(|builder| builder.grants(register.open().unwrap()));
    let user = office.users_token();
    assert_eq!(office.code(&office.lawyer, &request(&user, RECORDS)), "exchange_grant_audience");
    let delegable = office.exchange(&office.lawyer, &request(&user, STS)).unwrap();
    let clerks = office.own_token(&office.clerk);
    assert_eq!(office.code(&office.lawyer, &request_for(delegable.token(), &clerks, RESOURCE)), ACCEPTED);

    let named = format!(
        r#"{{"id": "grant:2", "principal": {{"iss": "{STS}", "sub": "alice"}}, "agent": {{"iss": "{STS}", "sub": "bot"}}, "scope": "records:read"}}"#
    );
    let register = Register::new(&text(&named));
    let office = Office::with(|builder| builder.grants(register.open().unwrap()));
    let bots = office.mint(&set(set(office.actor(), "sub", "bot"), "client_id", "bot"));
    assert_eq!(office.code(&office.lawyer, &request_for(&office.users_token(), &bots, RECORDS)), ACCEPTED);
    assert_eq!(office.code(&office.lawyer, &request(&office.users_token(), RECORDS)), NOT_PERMITTED);
}

/// The bound that is promised: a second. Until then nothing is read, and what is not good grants nothing.
#[test]
fn a_change_of_the_file_counts_within_a_second() {
    let register = Register::new(&text(&entry("grant:1", "")));
    let office = Office::new();
    let clock = office.court.clock.clone();
    let grants = FileGrants::open_with(&register.0, DetailTypes::new(), clock).unwrap();
    let issuer = office.court.issuer().resource(RECORDS, "records:read").grants(grants).build().unwrap();
    let office = Office { issuer, ..office };
    let user = office.users_token();
    let at = |second: u64| {
        office.court.at(NOW + second);
        office.code(&office.lawyer, &request(&user, RECORDS))
    };
    assert_eq!(at(0), ACCEPTED);
    register.write(&text(""));
    assert_eq!([at(0), at(1)], [ACCEPTED, NOT_PERMITTED]);
    register.write(&text(&entry("grant:1", "")));
    assert_eq!([at(1), at(2)], [NOT_PERMITTED, ACCEPTED]);
    register.write(&text(&entry("grant:1", ","))); // half written
    assert_eq!([at(3), at(4), at(5)], [UNAVAILABLE; 3]);
    register.write(&text(&entry("grant:1", "")));
    assert_eq!(at(6), ACCEPTED);
    fs::remove_file(&register.0).unwrap();
    assert_eq!(at(7), UNAVAILABLE);
    register.write(&text(&entry("grant:1", "")));
    assert_eq!([at(8), at(9)], [ACCEPTED; 2]);
    // A clock that was put back does not hold a withdrawal off.
    register.write(&text(""));
    assert_eq!(at(0), NOT_PERMITTED);
}

#[test]
fn what_is_wrong_with_the_file_is_said_with_its_line() {
    let good = || entry("grant:1", "");
    let with = |from: &str, to: &str| text(&good().replace(from, to));
    let malformed = "grants_file_malformed";
    for (text, code, message) in [
        (text(&good()), ACCEPTED, ""),
        (text(""), ACCEPTED, ""),
        ("{".into(), malformed, "EOF while parsing an object at line 1 column 1"),
        (String::new(), malformed, "EOF while parsing a value at line 1 column 0"),
        ("[]".into(), malformed, "invalid type: sequence, expected an object with grants, an array at line 1 column 0"),
        (
            r#"{"grants": [[]]}"#.into(),
            malformed,
            "invalid type: sequence, expected a grant, which is an object at line 1 column 12",
        ),
        (r#"{"grant": []}"#.into(), malformed, "unknown field `grant`, expected `grants` at line 1 column 8"),
        (
            with("\"scope\"", "\"scopes\""),
            malformed,
            "unknown field `scopes`, expected one of `id`, `principal`, `agent`, `scope`, `authorization_details`, \
             `audiences`, `expires`, `max_depth` at line 7 column 14",
        ),
        (with("\"agent\"", "\"id\""), malformed, "duplicate field `id` at line 6 column 10"),
        (
            with("\"sub\": \"alice\"", "\"sub\": \"alice\", \"sub\": \"bob\""),
            malformed,
            "duplicate field `sub` at line 5 column 77",
        ),
        (
            with("grant:1", "alice"),
            malformed,
            "`alice` is not a grant id: it begins with `grant:`, and 1 to 128 letters, digits, `.`, `_`, `:` and `-` \
             follow at line 4 column 19",
        ),
        (
            with(LAWYER, "lawyer"),
            malformed,
            "`lawyer` is not a SPIFFE ID such as spiffe://court.example/agent/lawyer, or an object with iss and sub at \
             line 6 column 23",
        ),
        (
            with(SCOPES, "records:read,motions:file  a"),
            malformed,
            "`records:read,motions:file  a` is not a list of scopes, separated by single spaces at line 7 column 45",
        ),
        (
            text(&entry("grant:1", ",\n\"max_depth\": -1")),
            malformed,
            "invalid value: integer `-1`, expected u8 at line 8 column 15",
        ),
        (
            text(&entry("grant:1", ",\n\"expires\": \"tomorrow\"")),
            malformed,
            "`tomorrow` is not a time, such as 2027-01-01T00:00:00Z at line 8 column 21",
        ),
        (
            text(&entry("grant:1", ",\n\"audiences\": [\"tools\"]")),
            malformed,
            "`tools` is not a resource identifier, such as https://tools.example.com at line 8 column 21",
        ),
        (
            text(&format!("{},{}", good(), good())),
            "grant_id_taken",
            "line 10: grant id `grant:1` is taken: each grant has an id of its own, and one agent",
        ),
        (
            with(SCOPES, ""),
            "grant_empty",
            "line 4: grant `grant:1` grants nothing: name scopes or authorization details",
        ),
        (
            text(&entry("grant:1", ",\n\"authorization_details\": {}")),
            "detail_malformed",
            "line 4: grant `grant:1`: authorization_details must be an array of objects, each with a type",
        ),
    ] {
        let answer = Register::new(&text).open();
        let found = answer.as_ref().map_or_else(GrantsFileError::code, |_| ACCEPTED);
        assert_eq!(found, code, "{text}");
        assert_eq!(answer.err().map_or_else(String::new, |error| error.to_string()), message, "{text}");
    }
    let missing = FileGrants::open(Path::new(env!("CARGO_TARGET_TMPDIR")).join("no-such-grants.json")).unwrap_err();
    assert_eq!(missing.code(), "grants_file_unreadable");
    let large = Register::new(&" ".repeat(MAX_GRANTS_BYTES + 1)).open().unwrap_err();
    assert_eq!(large.code(), "grants_file_oversize");
    let details = Register::new(&text(&entry("grant:1", r#","authorization_details": [{"type":"x","type":"y"}]"#)));
    assert_eq!(details.open().unwrap_err().to_string(), "member `type` stands twice in one object");
}

/// A limit whose value went missing where the file was made is no limit that was left out.
#[test]
fn a_limit_that_is_null_is_not_one_that_is_left_out() {
    for name in ["scope", "authorization_details", "audiences", "expires", "max_depth"] {
        let more = format!(",\n\"{name}\": null");
        let good = entry("grant:1", &more);
        let good = if name == "scope" { good.replace(&format!("\"scope\": \"{SCOPES}\","), "") } else { good };
        let error = Register::new(&text(&good)).open().unwrap_err();
        assert_eq!(error.code(), "grants_file_malformed", "{name}");
        assert!(error.to_string().starts_with("invalid type: null, expected"), "{name}: {error}");
    }
    let tenant = entry("grant:1", "").replace("\"sub\": \"alice\"", "\"sub\": \"alice\", \"tenant\": null");
    assert_eq!(Register::new(&text(&tenant)).open().unwrap_err().code(), "grants_file_malformed");
}

#[test]
fn what_is_wrong_is_in_the_refusal_for_the_operator() {
    let register = Register::new(&text(&entry("grant:1", "")));
    let court = Court::new();
    let grants = FileGrants::open_with(&register.0, DetailTypes::new(), court.clock.clone()).unwrap();
    assert_eq!(grants.problem(), None);
    register.write(&text(&entry("grant:1", ", \"agents\": 1")));
    court.at(NOW + 1);
    let problem = grants.problem().unwrap().to_string();
    assert!(problem.starts_with("unknown field `agents`") && problem.ends_with("at line 7 column 52"), "{problem}");
    let office = Office::with(|builder| builder.grants(grants));
    let error = office.exchange(&office.lawyer, &request(&office.users_token(), RECORDS)).unwrap_err();
    assert!(error.to_string().contains("unknown field `agents`"), "{error}");
    assert!(error.to_string().contains(&*register.0.to_string_lossy()), "{error}");
}
