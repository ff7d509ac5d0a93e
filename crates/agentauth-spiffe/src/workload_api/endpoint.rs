//! Where the Workload API is (SPIFFE_Workload_Endpoint.md §4).

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use agentauth_core::Excerpt;

use super::WorkloadApiError;

/// The environment variable that counts where nothing else is configured.
pub const SPIFFE_ENDPOINT_SOCKET: &str = "SPIFFE_ENDPOINT_SOCKET";

/// What Linux has room for in the address of a socket, with the byte that ends it.
const MAX_SOCKET_PATH_BYTES: usize = 107;

/// The address of a Workload API: `unix:///path/of/a/socket` or `tcp://127.0.0.1:8000`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Endpoint {
    Unix(String),
    Tcp(SocketAddr),
}

impl Endpoint {
    pub(super) fn from_environment() -> Result<Self, WorkloadApiError> {
        match std::env::var_os(SPIFFE_ENDPOINT_SOCKET) {
            None => Err(WorkloadApiError::NoEndpoint),
            Some(value) if value.is_empty() => Err(WorkloadApiError::NoEndpoint),
            Some(value) => value.to_string_lossy().parse(),
        }
    }
}

impl FromStr for Endpoint {
    type Err = WorkloadApiError;

    fn from_str(uri: &str) -> Result<Self, WorkloadApiError> {
        let refuse = |reason| WorkloadApiError::Endpoint { endpoint: Excerpt::of(uri), reason };
        if !uri.bytes().all(|byte| byte.is_ascii_graphic()) || uri.contains(['?', '#', '%']) {
            return Err(refuse("it has no query, no fragment, no spaces and nothing percent-encoded"));
        }
        match uri.split_once(':') {
            Some(("unix", rest)) => unix(rest).map_err(refuse),
            Some(("tcp", rest)) => tcp(rest).map_err(refuse),
            _ => Err(refuse("its scheme is unix or tcp, in lower case")),
        }
    }
}

fn unix(rest: &str) -> Result<Endpoint, &'static str> {
    let path = match rest.strip_prefix("//") {
        Some(path) if path.starts_with('/') => path,
        Some(_) => return Err("unix has no authority: three slashes, then the path of the socket"),
        None => rest,
    };
    if !path.starts_with('/') || path.ends_with('/') || path.starts_with("//") {
        return Err("unix is followed by the absolute path of a socket: unix:///run/spire/agent.sock");
    }
    if path.len() > MAX_SOCKET_PATH_BYTES {
        return Err("the path of a socket has no more than 107 bytes");
    }
    Ok(Endpoint::Unix(path.to_owned()))
}

fn tcp(rest: &str) -> Result<Endpoint, &'static str> {
    let address = rest.strip_prefix("//").ok_or("tcp is followed by two slashes, an IP address and a port")?;
    if address.contains(['/', '@']) {
        return Err("tcp has neither a path nor user information");
    }
    match address.parse::<SocketAddr>() {
        Ok(address) if address.port() != 0 => Ok(Endpoint::Tcp(address)),
        _ => Err("tcp is followed by an IP address, not a name, and a port: tcp://127.0.0.1:8000"),
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{path}"),
            Self::Tcp(address) => write!(f, "tcp://{address}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_socket_or_an_address_with_a_port() {
        for (text, endpoint) in [
            ("unix:///run/spire/agent.sock", Endpoint::Unix("/run/spire/agent.sock".into())),
            ("unix:/run/agent.sock", Endpoint::Unix("/run/agent.sock".into())),
            ("tcp://127.0.0.1:8000", Endpoint::Tcp(([127, 0, 0, 1], 8000).into())),
            ("tcp://[::1]:8000", Endpoint::Tcp("[::1]:8000".parse().unwrap())),
        ] {
            assert_eq!(text.parse(), Ok(endpoint), "{text}");
        }
        let shown: Endpoint = "unix:/run/agent.sock".parse().unwrap();
        assert_eq!(shown.to_string(), "unix:///run/agent.sock");
    }

    #[test]
    fn any_other_endpoint_is_refused() {
        let long = format!("unix:///{}", "x".repeat(MAX_SOCKET_PATH_BYTES));
        for text in [
            "",
            "/run/agent.sock",
            "unix",
            "unix:",
            "unix://",
            "unix:///",
            "unix:run/agent.sock",
            "unix://run/agent.sock",
            "unix://localhost/run/agent.sock",
            "unix:////run/agent.sock",
            "unix:///run/agent.sock?x=1",
            "unix:///run/agent.sock#x",
            "unix:///run/a%20b",
            "unix:///run/a b",
            "unix:///run/\u{e9}",
            "UNIX:///run/agent.sock",
            "http://127.0.0.1:8000",
            "tcp:127.0.0.1:8000",
            "tcp://127.0.0.1",
            "tcp://127.0.0.1:0",
            "tcp://127.0.0.1:8000/",
            "tcp://127.0.0.1:8000/path",
            "tcp://user@127.0.0.1:8000",
            "tcp://localhost:8000",
            "tcp://::1:8000",
            &long,
        ] {
            let refused = text.parse::<Endpoint>().unwrap_err();
            assert_eq!(refused.code(), "workload_api_endpoint_malformed", "{text}");
        }
    }
}
