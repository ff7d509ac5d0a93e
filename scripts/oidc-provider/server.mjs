// Runs `oidc-provider` on loopback as an authorization server that shares no
// code with the crates under test. See README.md for the flags.
import { Console } from 'node:console';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';

const HOST = '127.0.0.1';
const CLIENT_ID = 'tool-client';
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

function fail(code, message) {
  console.error(`oidc-provider: ${message}.`);
  process.exit(code);
}

function parseFlags(args) {
  try {
    return parseArgs({
      args,
      options: {
        port: { type: 'string', default: '0' },
        alg: { type: 'string', default: 'RS256' },
        resource: { type: 'string', multiple: true, default: [] },
        scopes: { type: 'string', default: 'tools:echo tools:add' },
        ttl: { type: 'string', default: '300' },
      },
    }).values;
  } catch (error) {
    // The rest of the message is advice about positional arguments.
    return fail(2, error.message.split(/\.\s/)[0]);
  }
}

function integer(flag, text, min, max) {
  const value = /^\d+$/.test(text) ? Number(text) : NaN;
  if (value >= min && value <= max) return value;
  return fail(2, `--${flag} must be a whole number from ${min} to ${max}, not '${text}'`);
}

function readOptions(args) {
  const flags = parseFlags(args);
  const port = integer('port', flags.port, 0, 65535);
  const ttl = integer('ttl', flags.ttl, 1, 86400);

  if (!Object.hasOwn(KEY_PARAMETERS, flags.alg)) {
    fail(2, `--alg must be one of ${Object.keys(KEY_PARAMETERS).join(', ')}, not '${flags.alg}'`);
  }
  for (const resource of flags.resource) {
    // RFC 8707 section 2: an absolute URI without a fragment.
    if (!URL.canParse(resource) || resource.includes('#')) {
      fail(2, `--resource must be an absolute URL without a fragment, not '${resource}'`);
    }
  }
  // RFC 6749 section 3.3: the characters of a scope-token.
  const scopes = flags.scopes.split(' ').filter(Boolean);
  if (!scopes.length || !scopes.every((scope) => /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(scope))) {
    fail(2, `--scopes must be scope names separated by spaces, not '${flags.scopes}'`);
  }

  return { port, ttl, alg: flags.alg, resources: new Set(flags.resource), scopes };
}

function newSigningKey(alg) {
  const { privateKey } = generateKeyPairSync(...KEY_PARAMETERS[alg]);
  return { ...privateKey.export({ format: 'jwk' }), alg, use: 'sig' };
}

function configuration({ alg, resources, scopes, ttl }, clientSecret, InvalidTarget) {
  const scope = scopes.join(' ');
  return {
    jwks: { keys: [newSigningKey(alg)] },
    scopes,
    clients: [{
      client_id: CLIENT_ID,
      client_secret: clientSecret,
      // oidc-provider takes the secret in the form body from such a client too.
      token_endpoint_auth_method: 'client_secret_basic',
      grant_types: ['client_credentials'],
      response_types: [],
      redirect_uris: [],
      scope,
      // Never used, but the RS256 default is refused when no RSA key exists.
      id_token_signed_response_alg: alg,
    }],
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        // oidc-provider sets `typ: at+jwt` itself, and `sub` to the client id
        // for this grant (RFC 9068 section 2.2), so no claim is added here.
        getResourceServerInfo(ctx, resource) {
          if (!resources.has(resource)) throw new InvalidTarget();
          // RFC 6749 section 3.3 lets a server have a default scope;
          // oidc-provider would issue a token without any.
          ctx.oidc.params.scope ??= scope;
          return {
            scope,
            audience: resource,
            accessTokenTTL: ttl,
            accessTokenFormat: 'jwt',
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
    console.error(`oidc-provider: stopping after ${LIFETIME_SECONDS} seconds.`);
    stop();
  }, LIFETIME_SECONDS * 1000);
}

const options = readOptions(process.argv.slice(2));
stopWithParent();

// Loaded late, so that a mistyped flag is answered before any notice.
const { Provider, errors } = await import('oidc-provider').catch((error) => {
  if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
  return fail(1, "the dependencies are missing, run 'npm ci' next to server.mjs first");
});

// The issuer names the port, so the socket is bound before the provider exists.
const server = createServer();
try {
  server.listen(options.port, HOST);
  await once(server, 'listening');
} catch (error) {
  fail(1, `cannot listen on ${HOST}:${options.port} (${error.code})`);
}

const issuer = `http://${HOST}:${server.address().port}`;
const clientSecret = process.env.OIDC_CLIENT_SECRET || randomBytes(32).toString('base64url');
const provider = new Provider(issuer, configuration(options, clientSecret, errors.InvalidTarget));
provider.on('server_error', (_ctx, error) => console.error(error));

// Clients are checked at first use; a bad secret should be told now.
await provider.Client.find(CLIENT_ID).catch((error) => {
  fail(1, `the client is refused: ${error.error_description ?? error.message}`);
});

server.on('request', provider.callback());
process.stdout.write(`${JSON.stringify({
  issuer,
  token_endpoint: provider.urlFor('token'),
  jwks_uri: provider.urlFor('jwks'),
  client_id: CLIENT_ID,
  client_secret: clientSecret,
})}\n`);
