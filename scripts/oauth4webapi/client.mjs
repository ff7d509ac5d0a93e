// Exchanges a token at a token service (RFC 8693) by `oauth4webapi`, which
// shares no code with the crates under test. See README.md for its input.
import { webcrypto } from 'node:crypto';
import { text } from 'node:stream/consumers';

const DEADLINE_SECONDS = 30;
const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';

function fail(message) {
  console.error(`client: ${message}.`);
  process.exit(1);
}

setTimeout(() => fail(`no answer within ${DEADLINE_SECONDS} seconds`), DEADLINE_SECONDS * 1000).unref();

const oauth = await import('oauth4webapi').catch(() => fail("the dependencies are missing, run 'npm ci' next to this program first"));
const input = JSON.parse(await text(process.stdin));
const client = { client_id: input.client_id };

function privateKey() {
  const der = Buffer.from(input.key, 'base64');
  return webcrypto.subtle.importKey('pkcs8', der, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign']);
}

// How the client proves who it is, with one thing done wrong.
async function authentication() {
  if (input.secret !== undefined) {
    return input.method === 'post' ? oauth.ClientSecretPost(input.secret) : oauth.ClientSecretBasic(input.secret);
  }
  const key = input.misuse === 'wrong-key' ? (await oauth.generateKeyPair('ES256')).privateKey : await privateKey();
  return oauth.PrivateKeyJwt({ key, kid: input.kid }, {
    [oauth.modifyAssertion](_header, claims) {
      if (input.misuse === 'wrong-audience') claims.aud = 'https://other.example';
      if (input.misuse === 'many-audiences') claims.aud = [claims.aud, 'https://other.example'];
      if (input.misuse === 'endpoint-audience') claims.aud = `${claims.aud}/token`;
      if (input.misuse === 'old-assertion') claims.exp = claims.iat - 60;
    },
  });
}

const requests = [];

// Sends what the library makes, and notes the answer; `change` has the last word about headers and form.
function noting(endpoint, change = () => {}) {
  return async (url, init) => {
    change(init);
    const response = await fetch(url, init);
    const body = await response.clone().json().catch(() => null);
    requests.push({
      endpoint,
      status: response.status,
      error: body?.error ?? null,
      evaluation_id: body?.evaluation_id ?? null,
      cache_control: response.headers.get('cache-control'),
      www_authenticate: response.headers.get('www-authenticate'),
      gave_nonce: response.headers.has('dpop-nonce'),
    });
    return response;
  };
}

async function exchange(server, proof, proofs, change) {
  const parameters = new URLSearchParams({
    subject_token: input.subject_token,
    subject_token_type: ACCESS_TOKEN,
    resource: input.resource,
  });
  if (input.scope !== undefined) parameters.set('scope', input.scope);
  const response = await oauth.genericTokenEndpointRequest(server, client, proof, TOKEN_EXCHANGE, parameters, {
    DPoP: proofs,
    [oauth.customFetch]: noting('token', change),
  });
  return oauth.processGenericTokenEndpointResponse(server, client, response);
}

// As `exchange`, and again with the nonce that the server asked for.
async function exchangeWithNonce(server, proof, proofs, change) {
  try {
    return await exchange(server, proof, proofs, change);
  } catch (error) {
    if (!oauth.isDPoPNonceError(error)) throw error;
    return exchange(server, proof, proofs, change);
  }
}

async function call(token, proofs) {
  const options = { DPoP: proofs, [oauth.customFetch]: noting('resource') };
  const once = () => oauth.protectedResourceRequest(token, 'GET', new URL(input.url), new Headers(), undefined, options);
  try {
    return await once();
  } catch (error) {
    if (!oauth.isDPoPNonceError(error)) throw error;
    return once();
  }
}

async function introspect(server, proof, token) {
  const options = { [oauth.customFetch]: noting('introspection') };
  const response = await oauth.introspectionRequest(server, client, proof, token, options);
  return oauth.processIntrospectionResponse(server, client, response);
}

async function run(report) {
  const issuer = new URL(input.issuer);
  const found = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2' });
  const server = await oauth.processDiscoveryResponse(issuer, found);
  report.metadata = server;
  const proof = await authentication();
  const key = await oauth.generateKeyPair('ES256');
  const proofs = oauth.DPoP(client, key, {
    [oauth.modifyAssertion](_header, claims) {
      if (input.misuse === 'wrong-htu') claims.htu = server.introspection_endpoint;
    },
  });
  let sent;
  const change = (init) => {
    if (input.misuse === 'no-proof') delete init.headers.dpop;
    sent = init.body.get('client_assertion');
    if (input.misuse === 'two-proofs') init.headers.authorization = `Basic ${btoa('app:secret')}`;
  };
  let token = await exchangeWithNonce(server, proof, proofs, change);
  if (input.misuse === 'reused-assertion') {
    // That of the request that was granted, and nothing else of it.
    const granted = sent;
    token = await exchange(server, proof, proofs, (init) => init.body.set('client_assertion', granted));
  }
  report.token = { token_type: token.token_type, scope: token.scope, issued_token_type: token.issued_token_type };
  const called = await call(token.access_token, input.misuse === 'bearer' ? undefined : proofs);
  report.resource = await called.text();
  report.introspection = await introspect(server, proof, token.access_token);
  if (server.revocation_endpoint !== undefined) {
    const options = { [oauth.customFetch]: noting('revocation') };
    await oauth.processRevocationResponse(await oauth.revocationRequest(server, client, proof, token.access_token, options));
    report.after_revocation = await introspect(server, proof, token.access_token);
  }
}

const report = { requests };
try {
  await run(report);
} catch (error) {
  const challenged = error instanceof oauth.WWWAuthenticateChallengeError && error.cause[0].parameters.error;
  report.refused = error.error ?? (challenged || `${error.message} ${error.cause?.message ?? ''}`);
}
process.stdout.write(`${JSON.stringify(report)}\n`);
