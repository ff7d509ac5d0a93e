//! The service `SpiffeWorkloadAPI` as a server sees it, written by hand after workload.proto: once more, so that a mistake
//! in the client's messages is not made here too.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::body::Body;
use tonic::server::{Grpc, ServerStreamingService, UnaryService};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;
use tower_service::Service;

use super::{Called, Shared};

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct X509SvidResponse {
    #[prost(message, repeated, tag = "1")]
    pub(crate) svids: Vec<X509Svid>,
    #[prost(bytes = "vec", repeated, tag = "2")]
    pub(crate) crl: Vec<Vec<u8>>,
    #[prost(btree_map = "string, bytes", tag = "3")]
    pub(crate) federated_bundles: BTreeMap<String, Vec<u8>>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct X509Svid {
    #[prost(string, tag = "1")]
    pub(crate) spiffe_id: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) x509_svid: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) x509_svid_key: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    pub(crate) bundle: Vec<u8>,
    #[prost(string, tag = "5")]
    pub(crate) hint: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct JwtBundlesResponse {
    #[prost(btree_map = "string, bytes", tag = "1")]
    pub(crate) bundles: BTreeMap<String, Vec<u8>>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct JwtSvidRequest {
    #[prost(string, repeated, tag = "1")]
    pub(crate) audience: Vec<String>,
    #[prost(string, tag = "2")]
    pub(crate) spiffe_id: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct JwtSvidResponse {
    #[prost(message, repeated, tag = "1")]
    pub(crate) svids: Vec<JwtSvid>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct JwtSvid {
    #[prost(string, tag = "1")]
    pub(crate) spiffe_id: String,
    #[prost(string, tag = "2")]
    pub(crate) svid: String,
    #[prost(string, tag = "3")]
    pub(crate) hint: String,
}

/// A message that nobody looks into.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Empty {}

type Answers<M> = Result<Response<UnboundedReceiverStream<Result<M, Status>>>, Status>;

/// The service, at its HTTP.
#[derive(Clone)]
pub(crate) struct WorkloadApiService(pub(super) Arc<Shared>);

impl Service<http::Request<Body>> for WorkloadApiService {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let shared = Arc::clone(&self.0);
        Box::pin(async move {
            let path = request.uri().path().to_owned();
            Ok(match path.strip_prefix("/SpiffeWorkloadAPI/") {
                Some("FetchX509SVID") => {
                    Grpc::new(ProstCodec::default()).server_streaming(X509Svids(shared), request).await
                }
                Some("FetchJWTBundles") => {
                    Grpc::new(ProstCodec::default()).server_streaming(JwtBundles(shared), request).await
                }
                Some("FetchJWTSVID") => Grpc::new(ProstCodec::default()).unary(JwtSvids(shared), request).await,
                other => {
                    let method = other.unwrap_or(&path).to_owned();
                    Grpc::new(ProstCodec::default()).unary(Unknown(shared, method), request).await
                }
            })
        })
    }
}

struct X509Svids(Arc<Shared>);

impl ServerStreamingService<Empty> for X509Svids {
    type Response = X509SvidResponse;
    type ResponseStream = UnboundedReceiverStream<Result<X509SvidResponse, Status>>;
    type Future = Ready<Answers<X509SvidResponse>>;

    fn call(&mut self, request: Request<Empty>) -> Self::Future {
        let called = Called::by("FetchX509SVID", &request);
        ready(self.0.open(called, |inner| &mut inner.x509).map(Response::new))
    }
}

struct JwtBundles(Arc<Shared>);

impl ServerStreamingService<Empty> for JwtBundles {
    type Response = JwtBundlesResponse;
    type ResponseStream = UnboundedReceiverStream<Result<JwtBundlesResponse, Status>>;
    type Future = Ready<Answers<JwtBundlesResponse>>;

    fn call(&mut self, request: Request<Empty>) -> Self::Future {
        let called = Called::by("FetchJWTBundles", &request);
        ready(self.0.open(called, |inner| &mut inner.jwt_bundles).map(Response::new))
    }
}

struct JwtSvids(Arc<Shared>);

impl UnaryService<JwtSvidRequest> for JwtSvids {
    type Response = JwtSvidResponse;
    type Future = Pin<Box<dyn Future<Output = Result<Response<JwtSvidResponse>, Status>> + Send>>;

    fn call(&mut self, request: Request<JwtSvidRequest>) -> Self::Future {
        let called = Called::by("FetchJWTSVID", &request).with(request.get_ref());
        let (shared, wanted) = (Arc::clone(&self.0), request.into_inner().spiffe_id);
        Box::pin(async move { shared.jwt_svids(called, &wanted).await.map(Response::new) })
    }
}

struct Unknown(Arc<Shared>, String);

impl UnaryService<Empty> for Unknown {
    type Response = Empty;
    type Future = Ready<Result<Response<Empty>, Status>>;

    fn call(&mut self, request: Request<Empty>) -> Self::Future {
        let called = Called::by(&self.1, &request);
        ready(self.0.admit(called).and(Err(Status::unimplemented("not offered here"))))
    }
}
