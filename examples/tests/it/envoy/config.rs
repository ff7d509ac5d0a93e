//! Envoy's configuration, as JSON: its names stand as Envoy's documentation has them.

use serde_json::{Value, json};

use super::world::Certified;

const API: &str = "type.googleapis.com/envoy.extensions";

/// What an Envoy listens for, and where it sends that.
pub(super) struct Listener<'a> {
    pub(super) name: String,
    /// `forward_client_cert_details`.
    pub(super) mode: &'a str,
    /// What is written about the client, beside its URI and DNS names.
    pub(super) details: Details,
    /// Whether the header is overwritten as a waypoint does it.
    pub(super) waypoint: bool,
    /// The listener's certificate, and the roots of its clients; none for plain HTTP.
    pub(super) tls: Option<(&'a Certified, &'a str)>,
    pub(super) cluster: &'a str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Details {
    Nothing,
    Subject,
    /// And its certificates.
    Everything,
}

impl Listener<'_> {
    fn json(&self) -> Value {
        let mut filters = Vec::new();
        if self.waypoint {
            filters.extend(waypoint());
        }
        filters.push(typed("envoy.filters.http.router", "filters.http.router.v3.Router", json!({})));
        let manager = json!({
            "stat_prefix": "in",
            "codec_type": "HTTP1",
            "forward_client_cert_details": self.mode,
            "set_current_client_cert_details": {
                "uri": true,
                "dns": true,
                "subject": self.details != Details::Nothing,
                "cert": self.details == Details::Everything,
                "chain": self.details == Details::Everything,
            },
            "route_config": {"virtual_hosts": [{
                "name": "all", "domains": ["*"],
                "routes": [{"match": {"prefix": "/"}, "route": {"cluster": self.cluster}}],
            }]},
            "http_filters": filters,
        });
        let manager = typed(
            "envoy.filters.network.http_connection_manager",
            "filters.network.http_connection_manager.v3.HttpConnectionManager",
            manager,
        );
        let mut chain = json!({"filters": [manager]});
        if let Some((own, roots)) = self.tls {
            let context = json!({
                "require_client_certificate": true,
                "common_tls_context": common(own, &json!({"trusted_ca": {"inline_string": roots}})),
            });
            chain["transport_socket"] =
                typed("envoy.transport_sockets.tls", "transport_sockets.tls.v3.DownstreamTlsContext", context);
        }
        json!({"name": self.name, "address": loopback(0), "filter_chains": [chain]})
    }
}

/// Where requests go.
pub(super) struct Cluster<'a> {
    pub(super) name: &'a str,
    pub(super) port: u16,
    /// The certificate that is shown there, and the ID and the roots that are expected; none for plain HTTP.
    pub(super) tls: Option<(&'a Certified, &'a str, &'a str)>,
}

impl Cluster<'_> {
    fn json(&self) -> Value {
        let endpoint = json!({"endpoint": {"address": loopback(self.port)}});
        let mut cluster = json!({
            "name": self.name,
            "type": "STATIC",
            "load_assignment": {"cluster_name": self.name, "endpoints": [{"lb_endpoints": [endpoint]}]},
        });
        if let Some((own, peer, roots)) = self.tls {
            let validation = json!({
                "trusted_ca": {"inline_string": roots},
                "match_typed_subject_alt_names": [{"san_type": "URI", "matcher": {"exact": peer}}],
            });
            let context = json!({"common_tls_context": common(own, &validation)});
            cluster["transport_socket"] =
                typed("envoy.transport_sockets.tls", "transport_sockets.tls.v3.UpstreamTlsContext", context);
        }
        cluster
    }
}

/// The whole configuration. The administration interface is at a port that the system chooses.
pub(super) fn envoy(listeners: &[Listener<'_>], clusters: &[Cluster<'_>]) -> Value {
    json!({
        "admin": {"address": loopback(0)},
        "static_resources": {
            "listeners": listeners.iter().map(Listener::json).collect::<Vec<_>>(),
            "clusters": clusters.iter().map(Cluster::json).collect::<Vec<_>>(),
        },
    })
}

/// The filters by which a waypoint writes who its client is, with what a mesh would have found out taken from the
/// connection.
fn waypoint() -> [Value; 2] {
    let state = |key: &str, format: &str| {
        json!({
            "object_key": key,
            "factory_key": "envoy.string",
            "format_string": {"text_format_source": {"inline_string": format}, "omit_empty_values": true},
            "skip_if_empty": true,
        })
    };
    let principals = json!({"on_request_headers": [
        state("io.istio.local_principal", "%DOWNSTREAM_LOCAL_URI_SAN%"),
        state("io.istio.peer_principal", "%DOWNSTREAM_PEER_URI_SAN%"),
    ]});
    let header = json!({
        "key": "x-forwarded-client-cert",
        "value": "By=%FILTER_STATE(io.istio.local_principal:PLAIN)%;URI=%FILTER_STATE(io.istio.peer_principal:PLAIN)%",
    });
    let mutation = json!({"mutations": {"request_mutations": [
        {"append": {"header": header, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}},
    ]}});
    [
        typed("envoy.filters.http.set_filter_state", "filters.http.set_filter_state.v3.Config", principals),
        typed("envoy.filters.http.header_mutation", "filters.http.header_mutation.v3.HeaderMutation", mutation),
    ]
}

fn common(own: &Certified, validation: &Value) -> Value {
    json!({
        "tls_certificates": [{
            "certificate_chain": {"inline_string": own.pem()},
            "private_key": {"inline_string": own.key_pem()},
        }],
        "validation_context": validation,
    })
}

fn typed(name: &str, of: &str, mut config: Value) -> Value {
    config["@type"] = format!("{API}.{of}").into();
    json!({"name": name, "typed_config": config})
}

fn loopback(port: u16) -> Value {
    json!({"socket_address": {"address": "127.0.0.1", "port_value": port}})
}
