// Runs `oidc-provider` on loopback as an authorization server that shares no
// code with the crates under test. See README.md for the flags.
import { Console } from 'node:console';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';

import { fail, load, oneOf, parseFlags, printLine } from './command_line.mjs';

const HOST = '127.0.0.1';
const CLIENT_ID = 'tool-client';
const RESOURCE_SERVER_ID = 'tool-server';
const LIFETIME_SECONDS = 600;

const KEY_PARAMETERS = {
  RS256: ['rsa', { modulusLength: 2048 }],
  PS256: ['rsa', { modulusLength: 2048 }],
  ES256: ['ec', { namedCurve: 'P-256' }],
  EdDSA: ['ed25519'],
};

// Standard output carries one line only; oidc-provider prints its notices
// through `console.info`, which would otherwise land there too.
globalThis.console = new Console(process.stderr);

function integer(flag, text, min, max) {
  const value = /^\d+$/.test(text) ? Number(text) : NaN;
  if (value >= min && value <= max) return value;
  return fail(2, `--${flag} must be a whole number from ${min} to ${max}, not '${text}'`);
}

// RFC 8707 section 2: an absolute URI without a fragment.
function checkResource(flag, resource) {
  if (URL.canParse(resource) && !resource.includes('#')) return;
  fail(2, `--${flag} must be an absolute URL without a fragment, not '${resource}'`);
}

function readOptions() {
  const flags = parseFlags({
    port: { type: 'string', default: '0' },
    alg: { type: 'string', default: 'RS256' },
    kid: { type: 'string' },
    resource: { type: 'string', multiple: true, default: [] },
    'opaque-resource': { type: 'string', multiple: true, default: [] },
    scopes: { type: 'string', default: 'tools:echo tools:add' },
    ttl: { type: 'string', default: '300' },
    'client-secret': { type: 'string', default: process.env.OIDC_CLIENT_SECRET },
    'resource-server-secret': { type: 'string', default: process.env.OIDC_RESOURCE_SERVER_SECRET },
  });
  const port = integer('port', flags.port, 0, 65535);
  const ttl = integer('ttl', flags.ttl, 1, 86400);
  const alg = oneOf('alg', flags.alg, Object.keys(KEY_PARAMETERS));
  if (flags.kid === '') fail(2, '--kid must not be empty');

  const formats = new Map();
  for (const [flag, format] of [['resource', 'jwt'], ['opaque-resource', 'opaque']]) {
    for (const resource of flags[flag]) {
      checkResource(flag, resource);
      if ((formats.get(resource) ?? format) !== format) {
        fail(2, `--resource and --opaque-resource must differ, both are '${resource}'`);
      }
      formats.set(resource, format);
    }
  }
  // RFC 6749 section 3.3: the characters of a scope-token.
  const scopes = flags.scopes.split(' ').filter(Boolean);
  if (!scopes.length || !scopes.every((scope) => /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(scope))) {
    fail(2, `--scopes must be scope names separated by spaces, not '${flags.scopes}'`);
  }

  const secretOrNew = (secret) => secret || randomBytes(32).toString('base64url');
  return {
    port,
    ttl,
    alg,
    kid: flags.kid,
    formats,
    scopes,
    clientSecret: secretOrNew(flags['client-secret']),
    resourceServerSecret: secretOrNew(flags['resource-server-secret']),
  };
}

// Without a name, oidc-provider names the key by its thumbprint (RFC 7638).
function newSigningKey(alg, kid) {
  const { privateKey } = generateKeyPairSync(...KEY_PARAMETERS[alg]);
  return { ...privateKey.export({ format: 'jwk' }), alg, use: 'sig', ...(kid && { kid }) };
}

function clients({ alg, scopes, clientSecret, resourceServerSecret }) {
  const common = {
    // oidc-provider takes the secret in the form body from such a client too.
    token_endpoint_auth_method: 'client_secret_basic',
    response_types: [],
    redirect_uris: [],
    // The RS256 defaults are refused when no RSA key exists, used or not.
    id_token_signed_response_alg: alg,
    introspection_signed_response_alg: alg,
  };
  return [
    {
      ...common,
      client_id: CLIENT_ID,
      client_secret: clientSecret,
      grant_types: ['client_credentials'],
      scope: scopes.join(' '),
    },
    {
      ...common,
      client_id: RESOURCE_SERVER_ID,
      client_secret: resourceServerSecret,
      grant_types: [],
    },
  ];
}

function configuration(options, InvalidTarget) {
  const { alg, kid, formats, scopes, ttl } = options;
  const scope = scopes.join(' ');
  return {
    jwks: { keys: [newSigningKey(alg, kid)] },
    scopes,
    clients: clients(options),
    enabledJWA: { dPoPSigningAlgValues: [...Object.keys(KEY_PARAMETERS), 'Ed25519'] },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      // A token request with a proof gets a bound token, one without a bearer token.
      dPoP: { enabled: true },
      introspection: {
        enabled: true,
        // Any other client is told `active: false` (RFC 7662 section 2.2).
        allowedPolicy: (ctx, client) => client.clientId === RESOURCE_SERVER_ID,
      },
      jwtIntrospection: { enabled: true },
      revocation: {
        enabled: true,
        allowedPolicy: (ctx, client, token) => client.clientId === token.clientId,
      },
      resourceIndicators: {
        enabled: true,
        // oidc-provider sets `typ: at+jwt` itself, and `sub` to the client id
        // for this grant (RFC 9068 section 2.2), so no claim is added here.
        getResourceServerInfo(ctx, resource) {
          if (!formats.has(resource)) throw new InvalidTarget();
          // RFC 6749 section 3.3 lets a server have a default scope;
          // oidc-provider would issue a token without any.
          ctx.oidc.params.scope ??= scope;
          return {
            scope,
            audience: resource,
            accessTokenTTL: ttl,
            accessTokenFormat: formats.get(resource),
            jwt: { sign: { alg } },
          };
        },
      },
    },
  };
}

function stopWithParent() {
  const stop = () => process.exit(0);
  for (const event of ['end', 'close', 'error']) process.stdin.on(event, stop);
  process.stdin.resume();
  for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, stop);
  setTimeout(() => {
    console.error(`server: stopping after ${LIFETIME_SECONDS} seconds.`);
    stop();
  }, LIFETIME_SECONDS * 1000);
}

const options = readOptions();
stopWithParent();

const { Provider, errors } = await load('oidc-provider');

// The issuer names the port, so the socket is bound before the provider exists.
const server = createServer();
try {
  server.listen(options.port, HOST);
  await once(server, 'listening');
} catch (error) {
  fail(1, `cannot listen on ${HOST}:${options.port} (${error.code})`);
}

const issuer = `http://${HOST}:${server.address().port}`;
const provider = new Provider(issuer, configuration(options, errors.InvalidTarget));
provider.on('server_error', (_ctx, error) => console.error(error));

// Clients are checked at first use; a bad secret should be told now.
for (const id of [CLIENT_ID, RESOURCE_SERVER_ID]) {
  await provider.Client.find(id).catch((error) => {
    fail(1, `the client ${id} is refused: ${error.error_description ?? error.message}`);
  });
}

server.on('request', provider.callback());
printLine({
  issuer,
  token_endpoint: provider.urlFor('token'),
  jwks_uri: provider.urlFor('jwks'),
  introspection_endpoint: provider.urlFor('introspection'),
  revocation_endpoint: provider.urlFor('revocation'),
  client_id: CLIENT_ID,
  client_secret: options.clientSecret,
  resource_server_id: RESOURCE_SERVER_ID,
  resource_server_secret: options.resourceServerSecret,
});
