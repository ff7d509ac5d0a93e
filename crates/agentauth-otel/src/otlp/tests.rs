use super::*;

fn read(endpoint: &str) -> Result<String, &'static str> {
    Endpoint::read(endpoint, false).map(|endpoint| endpoint.of("v1/traces")).map_err(|error| error.code())
}

#[test]
fn an_endpoint_is_over_tls_or_on_this_host() {
    for (endpoint, expected) in [
        ("https://collector.example", "https://collector.example/v1/traces"),
        ("https://collector.example:4318/otlp/", "https://collector.example:4318/otlp/v1/traces"),
        ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
        ("http://[::1]:4318", "http://[::1]:4318/v1/traces"),
        ("http://localhost:4318/", "http://localhost:4318/v1/traces"),
    ] {
        assert_eq!(read(endpoint).as_deref(), Ok(expected));
    }
    for endpoint in
        ["http://collector.example", "http://10.0.0.1:4318", "http://127.0.0.1.example", "http://localhost.example"]
    {
        assert_eq!(read(endpoint), Err("otlp_plaintext"), "{endpoint}");
        assert!(Endpoint::read(endpoint, true).is_ok_and(|endpoint| !endpoint.is_tls()));
    }
    for endpoint in
        ["", "collector", "/v1", "ftp://collector.example", "https://c.example/?a=b", "https://u:pw@c.example"]
    {
        assert_eq!(read(endpoint), Err("otlp_endpoint"), "{endpoint}");
    }
}

#[test]
fn no_error_and_no_debug_shows_a_secret() {
    for endpoint in ["https://user:hunter2@c.example", "https://c.example?api_key=hunter2", "c.example/?key=hunter2"] {
        let error = Otlp::to(endpoint).install().unwrap_err();
        assert_eq!(error.code(), "otlp_endpoint");
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    }
    let otlp = Otlp::to("https://c.example").header("authorization", "Bearer hunter2\n");
    assert!(!format!("{otlp:?}").contains("hunter2"));
    let error = otlp.install().unwrap_err();
    assert_eq!(error.code(), "otlp_header");
    assert!(!format!("{error} {error:?}").contains("hunter2"));
    assert_eq!(OtlpError::Start("no thread".into()).code(), "otlp_start");
}
