//! Patterns of SPIFFE IDs: by whole segments, within one trust domain.

use agentauth_core::identity::svid::verify_x509_svid;
use agentauth_core::{SpiffeId, SpiffeIdError, SpiffePattern, SpiffePatternError, Timestamp, TrustDomainAliases};
use proptest::prelude::*;

use crate::support::certs::{Ca, NOW, raw_names, uri_names};

fn pattern(text: &str) -> SpiffePattern {
    text.parse().unwrap()
}

fn id(text: &str) -> SpiffeId {
    text.parse().unwrap()
}

#[test]
fn a_wildcard_is_for_whole_segments() {
    for (pattern, inside, outside) in [
        ("spiffe://td/a/b", &["/a/b"][..], &["", "/a", "/a/b/c", "/a/bc", "/a/B"][..]),
        ("spiffe://td", &[""], &["/a"]),
        ("spiffe://td/*", &["/a", "/a.b"], &["", "/a/b"]),
        ("spiffe://td/**", &["/a", "/a/b/c"], &[""]),
        (
            "spiffe://td/ns/*/sa/lawyer",
            &["/ns/a/sa/lawyer"],
            &["/ns/sa/lawyer", "/ns/a/b/sa/lawyer", "/ns/a/sa/lawyer-2"],
        ),
        ("spiffe://td/ns/court/**", &["/ns/court/sa", "/ns/court/sa/x"], &["/ns/court", "/ns/court-evil/sa"]),
        ("spiffe://td/*/b/**", &["/a/b/c", "/x/b/c/d"], &["/a/b", "/b/c", "/a/c/b"]),
    ] {
        let parsed = self::pattern(pattern);
        assert_eq!(parsed.to_string(), pattern);
        for (paths, expected) in [(inside, true), (outside, false)] {
            for path in paths {
                assert_eq!(parsed.matches(&id(&format!("spiffe://td{path}"))), expected, "{pattern} {path}");
                for other in ["td2", "t", "td.x", "a"] {
                    assert!(!parsed.matches(&id(&format!("spiffe://{other}{path}"))), "{pattern} {other}{path}");
                }
            }
        }
    }
}

#[test]
fn what_would_match_by_a_beginning_is_no_pattern() {
    for (text, expected) in [
        ("spiffe://td/ns/a/sa-*", "part of segment"),
        ("spiffe://td/*-a", "part of segment"),
        ("spiffe://td/***", "part of segment"),
        ("spiffe://td/a**", "part of segment"),
        ("spiffe://td/**/a", "not last"),
        ("spiffe://td/**/**", "not last"),
        ("spiffe://*/a", "trust domain"),
        ("spiffe://**", "trust domain"),
        ("spiffe://td*/a", "trust domain"),
        ("", "scheme"),
        ("*", "scheme"),
        ("td/ns/*", "scheme"),
        ("spiffe:///*", "domain missing"),
        ("spiffe://TD/*", "domain character"),
        ("spiffe://td/a/", "empty segment"),
        ("spiffe://td//**", "empty segment"),
        ("spiffe://td/../*", "dot segment"),
        ("spiffe://td/a?/*", "path character"),
        ("spiffe://td/[ab]", "path character"),
        (&format!("spiffe://td/{}", "p".repeat(2048)), "too long"),
    ] {
        let found = match text.parse::<SpiffePattern>().unwrap_err() {
            SpiffePatternError::PartOfSegment(_) => "part of segment",
            SpiffePatternError::NotLast(_) => "not last",
            SpiffePatternError::TrustDomain(_) => "trust domain",
            SpiffePatternError::Id(SpiffeIdError::Scheme(_)) => "scheme",
            SpiffePatternError::Id(SpiffeIdError::TrustDomainMissing(_)) => "domain missing",
            SpiffePatternError::Id(SpiffeIdError::TrustDomainCharacter(_)) => "domain character",
            SpiffePatternError::Id(SpiffeIdError::EmptySegment(_)) => "empty segment",
            SpiffePatternError::Id(SpiffeIdError::DotSegment(_)) => "dot segment",
            SpiffePatternError::Id(SpiffeIdError::PathCharacter(_)) => "path character",
            SpiffePatternError::Id(SpiffeIdError::TooLong) => "too long",
            other => panic!("an error without a test: {other}"),
        };
        assert_eq!(found, expected, "{text}");
    }
    let error = "spiffe://td/ns/a/sa-*".parse::<SpiffePattern>().unwrap_err();
    assert_eq!(
        error.to_string(),
        "`spiffe://td/ns/a/sa-*` has a wildcard for a part of a segment; * stands for a whole one"
    );
}

#[test]
fn aliases_expand_patterns_of_their_own_domains_and_no_others() {
    let domains = ["old.example", "new.example", "old.example"].map(|name| name.parse().unwrap());
    let expanded = |aliases: &TrustDomainAliases, text: &str| -> Vec<String> {
        aliases.expand(&pattern(text)).iter().map(ToString::to_string).collect()
    };
    let aliases = TrustDomainAliases::new(domains);
    let both = ["spiffe://old.example/a/*", "spiffe://new.example/a/*"];
    assert_eq!(expanded(&aliases, "spiffe://old.example/a/*"), both);
    assert_eq!(expanded(&aliases, "spiffe://new.example/a/*"), both);
    assert_eq!(expanded(&aliases, "spiffe://other.example/a/*"), ["spiffe://other.example/a/*"]);
    assert_eq!(expanded(&TrustDomainAliases::default(), both[0]), [both[0]], "none unless named");
}

/// An alias widens what a policy says, and not what a certificate proves.
#[test]
fn an_alias_chooses_no_keys() {
    let ca = Ca::new("old.example");
    let aliases = TrustDomainAliases::new(["old.example", "new.example"].map(|name| name.parse().unwrap()));
    let patterns = aliases.expand(&pattern("spiffe://old.example/a"));
    assert!(patterns.iter().any(|pattern| pattern.matches(&id("spiffe://new.example/a"))));
    let mut params = ca.leaf("/a");
    raw_names(&mut params, &uri_names(b"spiffe://new.example/a"));
    let leaf = ca.sign(&params);
    let refused = verify_x509_svid(&[leaf], &ca.bundles(), Timestamp::from_secs(NOW)).unwrap_err();
    assert_eq!(refused.code(), "svid_unknown_trust_domain");
}

/// The definition: segment by segment.
fn is_meant(pattern: &[&str], path: &[&str]) -> bool {
    match (pattern, path) {
        (["**"], [_, ..]) | ([], []) => true,
        (["*", pattern @ ..], [_, path @ ..]) => is_meant(pattern, path),
        ([same, pattern @ ..], [segment, path @ ..]) => same == segment && is_meant(pattern, path),
        _ => false,
    }
}

fn segments(of: &'static [&'static str]) -> impl Strategy<Value = Vec<&'static str>> {
    prop::collection::vec(prop::sample::select(of), 0..5)
}

fn joined(domain: &str, segments: &[&str]) -> String {
    segments.iter().fold(format!("spiffe://{domain}"), |text, segment| format!("{text}/{segment}"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn a_pattern_matches_segment_by_segment_within_its_trust_domain(
        domain in "[ab]", other in "[ab]", mut expected in segments(&["a", "b", "ab", "*"]), open in any::<bool>(),
        path in segments(&["a", "b", "ab"]),
    ) {
        if open {
            expected.push("**");
        }
        let (pattern, id) = (pattern(&joined(&domain, &expected)), id(&joined(&other, &path)));
        prop_assert_eq!(pattern.matches(&id), domain == other && is_meant(&expected, &path), "{} {}", pattern, id);
        prop_assert_eq!(pattern.to_string().parse::<SpiffePattern>(), Ok(pattern));
        prop_assert!(SpiffePattern::from(&id).matches(&id));
    }

    #[test]
    fn any_text_is_a_pattern_or_refused(text in "(spiffe://)?[a-z*/.%A]{0,20}") {
        if let Ok(pattern) = text.parse::<SpiffePattern>() {
            prop_assert_eq!(pattern.to_string(), text);
        }
    }
}
