// Names, times and numbers, as they are read.

const number = new Intl.NumberFormat('en');

export const count = (n) => number.format(n);

export const counted = (n, one, many) => `${count(n)} ${n === 1 ? one : many}`;

/** What drives terminals, turns text around or cannot be seen, is shown as its number. */
export const seen = (text) =>
  String(text).replace(
    // eslint-disable-next-line no-control-regex
    /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|\udb40[\udc00-\udfff]/g,
    (c) => `\\u{${c.codePointAt(0).toString(16)}}`,
  );

/** A SPIFFE ID by its path, a name without its issuer: where there is no room. The whole stands in the title. */
export const shortAgent = (name) => {
  const spiffe = /^spiffe:\/\/[^/]+\/(?:agents?\/)?(.+)$/.exec(name);
  if (!spiffe) return seen(bare(name));
  const kubernetes = /^ns\/([^/]+)\/sa\/([^/]+)$/.exec(spiffe[1]);
  return seen(kubernetes ? `${kubernetes[1]}/${kubernetes[2]}` : spiffe[1]);
};

export const shortPrincipal = (name) => {
  const erased = /^([0-9a-f]{6})[0-9a-f]* \(erased\)$/.exec(name);
  return erased ? `erased ${erased[1]}…` : seen(bare(name));
};

/** What stands behind the last `#`, which in a name of its own is written `%23`. */
const bare = (name) => name.slice(name.lastIndexOf('#') + 1).replaceAll('%23', '#').replaceAll('%25', '%') || name;

const part = (name) => String(name).replaceAll('%', '%25').replaceAll('#', '%23');

/** Agents and principals as one text each: as filters and commands have them. */
export const agentName = (agent) => (agent?.spiffe ? agent.spiffe : agent?.named ? `${agent.named.issuer}#${part(agent.named.name)}` : '');

export const principalName = (principal) => (principal ? [principal.issuer, ...(principal.tenant ? [part(principal.tenant)] : []), part(principal.subject)].join('#') : '');

const pad = (n, width) => String(n).padStart(width, '0');

/** In UTC, from microseconds since 1970. */
export const date = (micros) => new Date(micros / 1000).toISOString().slice(0, 10);

export const clock = (micros) => new Date(micros / 1000).toISOString().slice(11, 23);

export const moment = (micros) => `${date(micros)} ${clock(micros)}`;

/** As precise as bars of `width` microseconds need. */
export const tick = (micros, width) => {
  const at = new Date(micros / 1000).toISOString();
  if (width >= 86_400e6) return at.slice(0, 10);
  if (width >= 60e6) return micros % 86_400e6 === 0 ? at.slice(5, 10) : at.slice(11, 16);
  if (width >= 1e6) return at.slice(11, 19);
  return at.slice(11, 23);
};

/** From one time to another, saying the day once. */
export const span = (from, to, width) => {
  const precise = (micros) => {
    const at = new Date(micros / 1000).toISOString();
    return width >= 60e6 ? at.slice(11, 16) : width >= 1e6 ? at.slice(11, 19) : at.slice(11, 23);
  };
  return `${date(from)} ${precise(from)} – ${date(from) === date(to) ? '' : `${date(to)} `}${precise(to)}`;
};

export const took = (micros) => (micros >= 1e6 ? `${(micros / 1e6).toFixed(2)} s` : micros >= 1e3 ? `${(micros / 1e3).toFixed(1)} ms` : `${micros} µs`);

/** `argument_outside_limit` as words. */
export const spoken = (code) => seen(code).replaceAll('_', ' ');

export const bytes = (n) => (n >= 1e9 ? `${(n / 1e9).toFixed(1)} GB` : n >= 1e6 ? `${(n / 1e6).toFixed(1)} MB` : `${pad(Math.ceil(n / 1e3), 1)} kB`);
