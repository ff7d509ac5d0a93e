//! The gRPC service `SpiffeWorkloadAPI`, as far as it is used (workload.proto of the SPIFFE Workload API).
//!
//! Written by hand, over tonic: the client of the crate `spiffe` reads each message whole or not at all, so that a key
//! without `kid`, one federated bundle or one SVID that it cannot read takes all others with it; and it knows no ES512.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use agentauth_core::Excerpt;
use http::uri::PathAndQuery;
use tonic::client::Grpc;
use tonic::codec::Streaming;
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint as Target};
use tonic::{Request, Status};
use tonic_prost::ProstCodec;

use super::WorkloadApiError;
use super::endpoint::Endpoint;

/// The security header of every request (SPIFFE_Workload_Endpoint.md §3): what only forwards requests does not know it.
const SECURITY_HEADER: &str = "workload.spiffe.io";

/// What gRPC libraries agree on. It has room for some thousand bundles.
const MAX_MESSAGE_BYTES: usize = 4 * 1024 * 1024;

/// The endpoint is on this host.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How often a connection on which nothing happens is asked whether it is still there, and for how long it may be silent
/// then. SPIRE's side takes offence at more than one question in five minutes.
const KEEP_ALIVE: Duration = Duration::from_secs(6 * 60);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(20);

// Private keys and tokens are in these messages, so they have no `Debug`.

#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
pub(super) struct X509SvidRequest {}

#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
pub(super) struct X509SvidResponse {
    #[prost(message, repeated, tag = "1")]
    pub(super) svids: Vec<X509SvidMessage>,
    #[prost(bytes = "vec", repeated, tag = "2")]
    pub(super) crl: Vec<Vec<u8>>,
    #[prost(map = "string, bytes", tag = "3")]
    pub(super) federated_bundles: HashMap<String, Vec<u8>>,
}

#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
pub(super) struct X509SvidMessage {
    #[prost(string, tag = "1")]
    pub(super) spiffe_id: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(super) x509_svid: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    pub(super) x509_svid_key: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    pub(super) bundle: Vec<u8>,
    #[prost(string, tag = "5")]
    pub(super) hint: String,
}

#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
pub(super) struct JwtBundlesRequest {}

#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
pub(super) struct JwtBundlesResponse {
    #[prost(map = "string, bytes", tag = "1")]
    pub(super) bundles: HashMap<String, Vec<u8>>,
}

#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
pub(super) struct JwtSvidRequest {
    #[prost(string, repeated, tag = "1")]
    pub(super) audience: Vec<String>,
    #[prost(string, tag = "2")]
    pub(super) spiffe_id: String,
}

#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
pub(super) struct JwtSvidResponse {
    #[prost(message, repeated, tag = "1")]
    pub(super) svids: Vec<JwtSvidMessage>,
}

#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
pub(super) struct JwtSvidMessage {
    #[prost(string, tag = "1")]
    pub(super) spiffe_id: String,
    #[prost(string, tag = "2")]
    pub(super) svid: String,
    #[prost(string, tag = "3")]
    pub(super) hint: String,
}

/// A client of the Workload API. It connects when it is used, and again when the connection is gone; clones share it.
#[derive(Clone)]
pub(super) struct Rpc {
    channel: Channel,
    endpoint: Arc<str>,
}

impl Rpc {
    pub(super) fn new(endpoint: &Endpoint) -> Result<Self, WorkloadApiError> {
        let target = match endpoint {
            Endpoint::Unix(path) => Target::from_shared(format!("unix:{path}")),
            Endpoint::Tcp(address) => Target::from_shared(format!("http://{address}")),
        };
        let endpoint: Arc<str> = endpoint.to_string().into();
        let refused =
            |_| WorkloadApiError::Endpoint { endpoint: Excerpt::of(&endpoint), reason: "it cannot be dialled" };
        let target = target.map_err(refused)?.connect_timeout(CONNECT_TIMEOUT);
        let target = target.http2_keep_alive_interval(KEEP_ALIVE).keep_alive_timeout(KEEP_ALIVE_TIMEOUT);
        Ok(Self { channel: target.connect_lazy(), endpoint })
    }

    /// Who is asked, for people.
    pub(super) fn endpoint(&self) -> Arc<str> {
        Arc::clone(&self.endpoint)
    }

    pub(super) async fn x509_svids(&self) -> Result<Streaming<X509SvidResponse>, Status> {
        self.stream(X509SvidRequest {}, "/SpiffeWorkloadAPI/FetchX509SVID").await
    }

    pub(super) async fn jwt_bundles(&self) -> Result<Streaming<JwtBundlesResponse>, Status> {
        self.stream(JwtBundlesRequest {}, "/SpiffeWorkloadAPI/FetchJWTBundles").await
    }

    pub(super) async fn jwt_svids(&self, request: JwtSvidRequest) -> Result<JwtSvidResponse, Status> {
        let path = PathAndQuery::from_static("/SpiffeWorkloadAPI/FetchJWTSVID");
        let mut client = self.client().await?;
        let response = client.unary(with_header(request), path, ProstCodec::default()).await?;
        Ok(response.into_inner())
    }

    async fn stream<Q, A>(&self, request: Q, path: &'static str) -> Result<Streaming<A>, Status>
    where
        Q: prost::Message + 'static,
        A: prost::Message + Default + 'static,
    {
        let mut client = self.client().await?;
        let path = PathAndQuery::from_static(path);
        let response = client.server_streaming(with_header(request), path, ProstCodec::default()).await?;
        Ok(response.into_inner())
    }

    async fn client(&self) -> Result<Grpc<Channel>, Status> {
        let mut client = Grpc::new(self.channel.clone()).max_decoding_message_size(MAX_MESSAGE_BYTES);
        client.ready().await.map_err(|error| Status::from_error(error.into()))?;
        Ok(client)
    }
}

fn with_header<M>(message: M) -> Request<M> {
    let mut request = Request::new(message);
    request.metadata_mut().insert(SECURITY_HEADER, MetadataValue::from_static("true"));
    request
}
