//! Who the client is, by what `x-forwarded-client-cert` says and how the proxies are set up.

use http::HeaderMap;

use super::certificates::Certificates;
use super::{ForwardedError, ForwardedPeer, XFCC, XfccElement, XfccHeader, XfccKey};
use crate::identity::SpiffeId;
use crate::identity::svid::{TrustBundles, X509Svid, verify_x509_svid};
use crate::text::Excerpt;
use crate::time::Timestamp;

/// How `x-forwarded-client-cert` comes to be, as the proxies are configured. It cannot be seen in the header.
///
/// Envoy's modes `SANITIZE`, `FORWARD_ONLY` and `ALWAYS_FORWARD_ONLY` are not here: by them the header is absent, or the
/// client's own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum XfccTopology {
    /// The proxy replaces what it is sent by one element (Envoy's `SANITIZE_SET`; Istio's gateways).
    SanitizeSet,
    /// Each proxy adds an element to what it is sent (Envoy's `APPEND_FORWARD`; Istio's sidecars). The one that counts
    /// is the one that was written by the last of so many proxies, seen from here.
    AppendForward {
        /// How many.
        hops: usize,
    },
    /// A waypoint writes `By=..;URI=..` (Istio's ambient mode with `ambient.istio.io/xfcc-include-client-identity`).
    IstioWaypoint,
}

/// How the client is read out of `x-forwarded-client-cert`.
///
/// Prefer [`Xfcc::sanitize_set`], and let the proxy write the certificate too, to be verified here. In any case the proxy
/// must be set to write `uri`.
///
/// ```
/// use agentauth_core::identity::forwarded::Xfcc;
/// use agentauth_core::identity::svid::TrustBundles;
/// use agentauth_core::Timestamp;
///
/// let sidecar = Xfcc::append_forward("spiffe://cluster.local/ns/court/sa/tools".parse()?);
/// let hash = "ab".repeat(32);
/// let lawyer = "spiffe://cluster.local/ns/bar/sa/lawyer";
/// let header = format!("By=spiffe://cluster.local/ns/court/sa/tools;Hash={hash};URI={lawyer}");
/// let peer = sidecar.read_value(header.as_bytes(), &TrustBundles::new(), Timestamp::from_secs(0))?.unwrap();
/// assert_eq!(peer.id().as_str(), lawyer);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Xfcc {
    form: Form,
    /// The proxies that write the elements that count, the nearest first. At most one, unless they add.
    proxies: Vec<SpiffeId>,
    verifies: bool,
}

#[derive(Debug, Clone, Copy)]
enum Form {
    SanitizeSet,
    AppendForward,
    IstioWaypoint,
}

impl Xfcc {
    /// For a proxy that replaces the header.
    #[must_use]
    pub const fn sanitize_set() -> Self {
        Self::new(Form::SanitizeSet, Vec::new())
    }

    /// For a proxy with the SPIFFE ID `proxy` that adds to the header. A sidecar has the ID of the workload that it is
    /// beside.
    ///
    /// Its element must be the last one, and say so (`By`), and have the `Hash` of the client's certificate; and no other
    /// element may say that it is that proxy's.
    #[must_use]
    pub fn append_forward(proxy: SpiffeId) -> Self {
        Self::append_forward_behind(proxy, [])
    }

    /// For a proxy that adds to the header, behind others that do so too, the nearest of them first: a sidecar behind a
    /// gateway, for instance. Each must be the client of the next; who comes past one is refused.
    #[must_use]
    pub fn append_forward_behind(proxy: SpiffeId, others: impl IntoIterator<Item = SpiffeId>) -> Self {
        Self::new(Form::AppendForward, std::iter::once(proxy).chain(others).collect())
    }

    /// For a waypoint that is set to write `By=..;URI=..`.
    ///
    /// There is no certificate behind this, and the connection comes from whoever can reach this server: it is worth
    /// something only where the network lets nobody but the waypoint do so.
    #[must_use]
    pub const fn istio_waypoint() -> Self {
        Self::new(Form::IstioWaypoint, Vec::new())
    }

    const fn new(form: Form, proxies: Vec<SpiffeId>) -> Self {
        Self { form, proxies, verifies: false }
    }

    /// Demands that the nearest proxy says that it is `proxy` (`By`): in a sidecar, that is this server's own ID.
    #[must_use]
    pub fn expect_by(mut self, proxy: SpiffeId) -> Self {
        match self.proxies.first_mut() {
            Some(nearest) => *nearest = proxy,
            None => self.proxies.push(proxy),
        }
        self
    }

    /// Verifies the client's certificate here too: the proxy must be set to write `cert` or `chain`, and `uri` and `dns`.
    ///
    /// The certificate must be the one with the `Hash`, prove the client's SPIFFE ID as
    /// [`verify_x509_svid`] has it, and have just the names that the element says; and so must the certificate of every
    /// other element that has one, whoever wrote it. A waypoint writes no certificate.
    #[must_use]
    pub const fn verify_certificates(mut self) -> Self {
        self.verifies = true;
        self
    }

    /// The topology that is read.
    #[must_use]
    pub const fn topology(&self) -> XfccTopology {
        match self.form {
            Form::SanitizeSet => XfccTopology::SanitizeSet,
            Form::AppendForward => XfccTopology::AppendForward { hops: self.proxies.len() },
            Form::IstioWaypoint => XfccTopology::IstioWaypoint,
        }
    }

    /// Reads who the client is, from the headers of a request that the proxy has sent. None if there is no header, or if
    /// the client's certificate has no URI name.
    ///
    /// # Errors
    /// [`ForwardedError::Repeated`], and as [`Xfcc::read_value`].
    pub fn read(
        &self,
        headers: &HeaderMap,
        bundles: &TrustBundles,
        now: Timestamp,
    ) -> Result<Option<ForwardedPeer>, ForwardedError> {
        let mut values = headers.get_all(XFCC).iter();
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(ForwardedError::Repeated);
        }
        self.read_value(value.as_bytes(), bundles, now)
    }

    /// Reads who the client is, from the value of the header. `bundles` and `now` are looked at where
    /// [certificates are verified](Self::verify_certificates).
    ///
    /// # Errors
    /// Each rule has its own [`ForwardedError`].
    pub fn read_value(
        &self,
        value: &[u8],
        bundles: &TrustBundles,
        now: Timestamp,
    ) -> Result<Option<ForwardedPeer>, ForwardedError> {
        let header = XfccHeader::parse(value)?;
        let element = self.element(&header)?;
        if matches!(self.form, Form::IstioWaypoint) && is_nobodys(element) {
            return Ok(None);
        }
        if self.verifies {
            check_names(&header)?;
        }
        self.check_proxies(&header)?;
        let thumbprint = hash(element)?;
        let Some(id) = uri(element)? else { return Ok(None) };
        let svid = if self.verifies { Some(verify(element, thumbprint, &id, bundles, now)?) } else { None };
        Ok(Some(ForwardedPeer { id, thumbprint, svid }))
    }

    /// The element that is about the client, by where it stands.
    fn element<'a, 'h>(&self, header: &'a XfccHeader<'h>) -> Result<&'a XfccElement<'h>, ForwardedError> {
        match (self.form, header.elements()) {
            (Form::AppendForward, elements) => {
                let expected = self.proxies.len();
                let from_right = elements.iter().rev().nth(expected.saturating_sub(1));
                from_right.ok_or(ForwardedError::HopsMissing { found: elements.len(), expected })
            }
            (Form::SanitizeSet, [element]) => Ok(element),
            (Form::IstioWaypoint, [element]) => {
                let keys = element.pairs().iter().map(super::XfccPair::key);
                let is_waypoints = keys.eq([XfccKey::By, XfccKey::Uri]);
                if is_waypoints { Ok(element) } else { Err(ForwardedError::NotWaypointForm) }
            }
            (_, elements) => Err(ForwardedError::NotOneElement(elements.len())),
        }
    }

    /// The elements of the proxies that are known say that they are theirs, and each is the client of the next.
    fn check_proxies(&self, header: &XfccHeader<'_>) -> Result<(), ForwardedError> {
        let elements = header.elements().iter().rev();
        let others = self.proxies.iter().skip(1).map(Some).chain([None]);
        for ((element, proxy), client) in elements.zip(&self.proxies).zip(others) {
            check_by(element, proxy)?;
            if matches!(self.form, Form::AppendForward) {
                check_once(header, proxy)?;
                hash(element)?.ok_or(ForwardedError::HashMissing)?;
            }
            if let Some(expected) = client
                && uri(element)?.as_ref() != Some(expected)
            {
                return Err(ForwardedError::HopUnexpected { expected: expected.clone() });
            }
        }
        Ok(())
    }
}

/// What a waypoint writes about a client that it does not know.
fn is_nobodys(element: &XfccElement<'_>) -> bool {
    element.pairs().iter().all(|pair| pair.value().is_empty())
}

fn check_by(element: &XfccElement<'_>, proxy: &SpiffeId) -> Result<(), ForwardedError> {
    match element.value(XfccKey::By) {
        Some(by) if by == proxy.as_str() => Ok(()),
        Some(by) => Err(ForwardedError::ByMismatch { found: Excerpt::of(by), expected: proxy.clone() }),
        None => Err(ForwardedError::ByMissing),
    }
}

/// The proxy begins its element with its own ID, whatever stood there before, and whatever names it then has to copy from a
/// certificate. If another element has been smuggled in that says it is the proxy's, the ID stands there twice: even where
/// the proxy's own element has been made to look like the inside of a quoted text, which is why the text is searched.
fn check_once(header: &XfccHeader<'_>, proxy: &SpiffeId) -> Result<(), ForwardedError> {
    let text = header.text().to_ascii_lowercase();
    let mark = format!("{}={proxy}", XfccKey::By).to_ascii_lowercase();
    let goes_on = |rest: &str| {
        rest.starts_with(|next: char| next.is_ascii_alphanumeric() || matches!(next, '.' | '-' | '_' | '/'))
    };
    // The first piece stands before the first mark. A longer ID is another one.
    let marks = text.split(&mark).skip(1).filter(|rest| !goes_on(rest)).count();
    if marks == 1 { Ok(()) } else { Err(ForwardedError::ByRepeated(proxy.clone())) }
}

/// Every certificate in the header has the names that are said of it.
fn check_names(header: &XfccHeader<'_>) -> Result<(), ForwardedError> {
    for element in header.elements() {
        if let Some(certificates) = Certificates::of(element)? {
            certificates.check_names(element)?;
        }
    }
    Ok(())
}

/// The workload that an element names; none if its certificate has no URI name. An empty URI is one, too.
fn uri(element: &XfccElement<'_>) -> Result<Option<SpiffeId>, ForwardedError> {
    let mut uris = element.values(XfccKey::Uri);
    let uri = uris.next().ok_or(ForwardedError::UriMissing)?;
    if uris.next().is_some() {
        return Err(ForwardedError::ManyUris);
    }
    if uri.is_empty() {
        return Ok(None);
    }
    let id: SpiffeId = uri.parse().map_err(ForwardedError::NotSpiffeId)?;
    if id.path().is_empty() { Err(ForwardedError::NoPath) } else { Ok(Some(id)) }
}

fn hash(element: &XfccElement<'_>) -> Result<Option<[u8; 32]>, ForwardedError> {
    let Some(digits) = element.value(XfccKey::Hash) else { return Ok(None) };
    let mut hash = [0; 32];
    let is_lower_hex = |digit: &u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
    if digits.len() != 2 * hash.len() || !digits.as_bytes().iter().all(is_lower_hex) {
        return Err(ForwardedError::HashMalformed);
    }
    for (byte, pair) in hash.iter_mut().zip(digits.as_bytes().chunks(2)) {
        let pair = std::str::from_utf8(pair).map_err(|_| ForwardedError::HashMalformed)?;
        *byte = u8::from_str_radix(pair, 16).map_err(|_| ForwardedError::HashMalformed)?;
    }
    Ok(Some(hash))
}

/// The certificate of `element` is the one with this hash, and proves that its holder is `id`.
fn verify(
    element: &XfccElement<'_>,
    thumbprint: Option<[u8; 32]>,
    id: &SpiffeId,
    bundles: &TrustBundles,
    now: Timestamp,
) -> Result<X509Svid, ForwardedError> {
    let certificates = Certificates::of(element)?.ok_or(ForwardedError::CertMissing)?;
    if certificates.thumbprint() != thumbprint.ok_or(ForwardedError::HashMissing)? {
        return Err(ForwardedError::HashMismatch);
    }
    let svid = verify_x509_svid(certificates.chain(), bundles, now)?;
    if svid.id() == id { Ok(svid) } else { Err(ForwardedError::NamesMismatch) }
}
