// Calls a protected resource with a DPoP-bound token (RFC 9449), by
// `oauth4webapi`, which shares no code with the crates under test. See
// README.md for the flags.
import { createHash } from 'node:crypto';

import { fail, load, oneOf, parseFlags, printLine } from './command_line.mjs';

const DEADLINE_SECONDS = 30;
const ALGORITHMS = ['ES256', 'EdDSA', 'Ed25519', 'RS256', 'PS256'];
const MISUSES = ['replay', 'wrong-htm', 'wrong-htu', 'wrong-ath', 'bearer', 'no-proof', 'stolen'];

function httpUrl(flag, text) {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url;
  return fail(2, `--${flag} must be an http or https URL, not '${text}'`);
}

function readOptions() {
  const flags = parseFlags({
    issuer: { type: 'string' },
    'client-id': { type: 'string' },
    'client-secret': { type: 'string', default: process.env.OIDC_CLIENT_SECRET },
    resource: { type: 'string' },
    url: { type: 'string' },
    'htu-origin': { type: 'string' },
    method: { type: 'string', default: 'GET' },
    body: { type: 'string' },
    alg: { type: 'string', default: 'ES256' },
    misuse: { type: 'string' },
  });
  for (const flag of ['issuer', 'client-id', 'client-secret', 'resource', 'url']) {
    if (!flags[flag]) fail(2, `--${flag} is missing`);
  }
  const address = httpUrl('url', flags.url);
  let publicUrl = address;
  if (flags['htu-origin'] !== undefined) {
    const origin = httpUrl('htu-origin', flags['htu-origin']);
    if (origin.href !== `${origin.origin}/`) {
      fail(2, `--htu-origin must be a scheme, a host and a port only, not '${flags['htu-origin']}'`);
    }
    publicUrl = new URL(`${origin.origin}${address.pathname}${address.search}`);
  }
  return {
    issuer: httpUrl('issuer', flags.issuer),
    clientId: flags['client-id'],
    clientSecret: flags['client-secret'],
    resource: flags.resource,
    address,
    publicUrl,
    method: flags.method.toUpperCase(),
    body: flags.body,
    alg: oneOf('alg', flags.alg, ALGORITHMS),
    misuse: flags.misuse && oneOf('misuse', flags.misuse, MISUSES),
  };
}

const options = readOptions();
setTimeout(() => fail(1, `no answer within ${DEADLINE_SECONDS} seconds`), DEADLINE_SECONDS * 1000).unref();

const oauth = await load('oauth4webapi');
const client = { client_id: options.clientId };
const insecure = { [oauth.allowInsecureRequests]: true };

function newKey() {
  return oauth.generateKeyPair(options.alg === 'EdDSA' ? 'Ed25519' : options.alg);
}

// A maker of proofs with this key, that changes claims as `misuse` says.
function prover(key, misuse) {
  return oauth.DPoP(client, key, {
    [oauth.modifyAssertion](header, claims) {
      // The library knows only the newer of the two names (RFC 9864 section 2.2).
      if (options.alg === 'EdDSA') header.alg = 'EdDSA';
      if (misuse === 'wrong-htm') claims.htm = claims.htm === 'GET' ? 'POST' : 'GET';
      if (misuse === 'wrong-htu') claims.htu += '-elsewhere';
      if (misuse === 'wrong-ath') claims.ath = createHash('sha256').update('another token').digest('base64url');
    },
  });
}

async function boundToken(proofs) {
  const found = await oauth.discoveryRequest(options.issuer, { ...insecure, algorithm: 'oauth2' });
  const server = await oauth.processDiscoveryResponse(options.issuer, found);
  const answer = await oauth.clientCredentialsGrantRequest(
    server,
    client,
    oauth.ClientSecretBasic(options.clientSecret),
    new URLSearchParams({ resource: options.resource }),
    { ...insecure, DPoP: proofs },
  );
  const { access_token: token, token_type: type } = await oauth.processClientCredentialsResponse(server, client, answer);
  if (type !== 'dpop') fail(1, `the issuer gave a token of type '${type}', not one that is bound by DPoP`);
  return token;
}

const attempts = [];

// One request, by the library; `change` has the last word about its headers.
async function attempt(token, proofs, change = () => {}) {
  let sent;
  let challenge;
  const response = await oauth.protectedResourceRequest(
    token,
    options.method,
    options.publicUrl,
    new Headers(options.body === undefined ? {} : { 'content-type': 'application/json' }),
    options.body,
    {
      ...insecure,
      DPoP: proofs,
      [oauth.customFetch](_publicUrl, init) {
        sent = init.headers;
        change(sent);
        return fetch(options.address, init);
      },
    },
  ).catch((error) => {
    if (!(error instanceof oauth.WWWAuthenticateChallengeError)) throw error;
    challenge = error;
    return error.response;
  });
  const proof = sent.dpop && JSON.parse(Buffer.from(sent.dpop.split('.')[1], 'base64url'));
  attempts.push({
    scheme: sent.authorization.split(' ')[0],
    proof: proof ?? null,
    status: response.status,
    www_authenticate: response.headers.get('www-authenticate'),
    challenges: challenge?.cause ?? null,
    dpop_nonce: response.headers.get('dpop-nonce'),
  });
  const nonceAsked = oauth.isDPoPNonceError(challenge) && response.headers.has('dpop-nonce');
  return { response, nonceAsked, sent };
}

async function call(token, key) {
  switch (options.misuse) {
    case 'bearer':
      return attempt(token);
    case 'no-proof':
      return attempt(token, prover(key), (headers) => { delete headers.dpop; });
    default: {
      const proofs = prover(options.misuse === 'stolen' ? await newKey() : key, options.misuse);
      let last = await attempt(token, proofs);
      // The library remembers the nonce, and puts it into the next proof.
      if (last.nonceAsked) last = await attempt(token, proofs);
      if (options.misuse !== 'replay') return last;
      return attempt(token, proofs, (headers) => { headers.dpop = last.sent.dpop; });
    }
  }
}

function jsonOrText(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

try {
  const key = await newKey();
  const proofs = prover(key);
  const { response } = await call(await boundToken(proofs), key);
  printLine({ jkt: await proofs.calculateThumbprint(), attempts, body: jsonOrText(await response.text()) });
} catch (error) {
  const challenged = error instanceof oauth.WWWAuthenticateChallengeError && error.cause[0].parameters.error;
  const reason = error.error ?? (challenged || error.cause?.code || error.cause?.message);
  fail(1, `${error.message.replace(/\.$/, '')}${reason ? ` (${reason})` : ''}`);
}
