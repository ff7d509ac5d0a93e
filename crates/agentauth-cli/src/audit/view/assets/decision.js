// One record, opened: what was asked, by whom and for whom, what was answered and why, and what came of it.

import { ask, by, make } from './dom.js';
import { agentName, moment, principalName, seen, shortAgent, shortPrincipal, spoken, took } from './words.js';

let onClose = () => {};
let onStep = () => {};

const section = (title, ...children) => make('section', {}, make('h3', {}, title), ...children);

/** Names and what they are; what is absent is left out. */
const facts = (pairs) => {
  const shown = pairs.filter(([, value]) => value !== undefined && value !== null && value !== '' && value !== false);
  return make('dl', {}, ...shown.flatMap(([name, value]) => [make('dt', {}, name), make('dd', {}, value instanceof Node ? value : seen(value))]));
};

const code = (text) => make('code', {}, seen(text));
const json = (value) => make('pre', { tabindex: '0' }, seen(JSON.stringify(value, null, 2)));

const chainOf = (record) => {
  const of = record.question ?? record.delegation;
  if (!of) return [];
  if (of.chain?.length) return of.chain;
  return [{ agent: of.agent }, ...(of.earlier_actors ?? record.question?.holders ?? []).map((agent) => ({ agent }))];
};

const principalOf = (record) => {
  const of = record.question ?? record.delegation;
  const personal = record.question ? record.personal?.question_principal : record.personal?.principal;
  return { name: principalName(personal ?? of?.principal), hash: of?.principal_hash };
};

const PROOFS = {
  token: 'by the issuer’s word, in the token',
  offline_link: 'by a link that the one before it signed',
  mutual_tls: 'by mutual TLS',
  forwarded: 'by the word of a trusted proxy',
  forwarded_certificate: 'by a certificate that a trusted proxy passed on',
};

const proofOf = (proof) => PROOFS[proof] ?? spoken(proof);

/** From the principal down to the action, each below the one that let it act. */
const tree = (record, isAllowed) => {
  const chain = [...chainOf(record)].reverse();
  const principal = principalOf(record);
  const action = record.action;
  const leaf = action
    ? make('li', { class: `leaf ${isAllowed ? 'allow' : 'deny'}` }, make('div', {}, make('b', {}, seen(action.name)), action.resource ? ` on ${seen(action.resource.kind)} ${seen(action.resource.id)}` : null, make('span', { class: 'note' }, isAllowed ? 'allowed' : 'denied')))
    : null;
  const below = chain.reduceRight((inner, link, at) => {
    const isCurrent = at === chain.length - 1;
    const proof = [link.proof && `known ${proofOf(link.proof)}`, link.key && `key ${seen(link.key)}`].filter(Boolean).join(' · ');
    return make(
      'li',
      { class: 'agent' },
      make('div', {}, make('b', { title: seen(agentName(link.agent)) }, shortAgent(agentName(link.agent))), make('span', { class: 'note' }, isCurrent ? 'acts' : 'passed it on')),
      make('div', { class: 'dim' }, seen(agentName(link.agent))),
      proof && make('div', { class: 'dim' }, proof),
      link.authority && make('div', { class: 'dim' }, `may: ${seen(link.authority)}`),
      inner && make('ul', {}, inner),
    );
  }, leaf);
  const isKnown = principal.name || principal.hash;
  if (!isKnown) return make('ul', { class: 'tree' }, below ?? make('li', {}, 'Nobody was verified.'));
  const name = principal.name || `erased, ${principal.hash}`;
  return make(
    'ul',
    { class: 'tree' },
    make(
      'li',
      { class: 'principal' },
      make('div', {}, make('b', {}, principal.name ? shortPrincipal(name) : 'erased'), make('span', { class: 'note' }, record.delegation?.mode ? spoken(record.delegation.mode) : 'principal')),
      make('div', { class: 'dim' }, seen(name)),
      below && make('ul', {}, below),
    ),
  );
};

const reasons = (record) =>
  (record.reasons ?? []).map((reason) =>
    make(
      'li',
      {},
      make('span', { class: 'code' }, seen(reason.kind)),
      reason.policy ? make('code', {}, seen(reason.policy)) : null,
      make('p', {}, seen(reason.text)),
      reason.public ? make('p', { class: 'dim' }, `The caller was told: ${seen(reason.public)}`) : null,
    ),
  );

const outcome = (record, related) => {
  const ended = related.find((other) => other.parsed.kind === 'outcome');
  if (record.kind === 'outcome') {
    const decided = related.find((other) => other.parsed.kind === 'decision');
    return section('What came of it', make('p', {}, `Ended: ${spoken(record.code)}.`), decided ? make('p', { class: 'dim' }, `Decided in entry ${decided.number}.`) : null);
  }
  if (record.kind !== 'decision' || record.effect !== 'allow') return null;
  if (!ended) return section('What came of it', make('p', { class: 'unknown' }, 'Unknown: no outcome is on record.'));
  return section(
    'What came of it',
    make('p', {}, make('b', {}, spoken(ended.parsed.code)), make('span', { class: 'dim' }, ` ${moment(ended.micros)}, entry ${ended.number}`)),
    ended.parsed.took_micros !== undefined ? make('p', { class: 'dim' }, `It took ${took(ended.parsed.took_micros)}.`) : null,
    ...reasons(ended.parsed).map((reason) => make('ul', { class: 'reasons' }, reason)),
  );
};

/** What only some kinds of records have. */
const PARTS = [['approval', 'The approval'], ['issued', 'What was issued'], ['revocation', 'What was revoked'], ['policy_reload', 'Which policies came into force']];

const headline = (record, isAllowed) => {
  const who = shortAgent(agentName(chainOf(record)[0]?.agent) || record.peer || record.client?.id || '');
  const principal = principalOf(record).name;
  const action = record.action ? `${seen(record.action.name)}${record.action.resource ? ` on ${seen(record.action.resource.kind)} ${seen(record.action.resource.id)}` : ''}` : spoken(record.kind);
  return [make('span', { class: `verdict ${isAllowed ? 'allow' : 'deny'}` }, isAllowed ? 'Allowed' : 'Denied'), ` ${action}`, who ? make('span', { class: 'dim' }, ` by ${who}${principal ? ` for ${shortPrincipal(principal)}` : ''}`) : null];
};

const drawn = (opened) => {
  const record = JSON.parse(opened.record);
  for (const other of [...opened.related, ...(opened.authentication ? [opened.authentication] : [])]) other.parsed = JSON.parse(other.record);
  const isAllowed = record.effect === 'allow' && !opened.is_late;
  const { delegation, action } = record;
  const authentication = opened.authentication?.parsed;
  const why = reasons(record);
  const shown = action?.shown ?? record.personal?.shown;
  const title = make('h2', { id: 'decision-title', tabindex: '-1' }, headline(record, isAllowed));
  const bar = make(
    'div',
    { class: 'dialog-bar' },
    make('span', { class: 'dim' }, `Entry ${opened.number} · ${moment(opened.micros)}`),
    make('button', { type: 'button', class: 'plain', click: () => onStep(-1), title: 'Newer (k)' }, '↑ Newer'),
    make('button', { type: 'button', class: 'plain', click: () => onStep(1), title: 'Older (j)' }, '↓ Older'),
    make('button', { type: 'button', class: 'plain', id: 'decision-close', click: () => by('decision').close() }, 'Close'),
  );
  by('decision').replaceChildren(
    bar,
    title,
    opened.is_late ? make('p', { class: 'warning' }, 'The policy allowed it, but this record could not be kept in time, or not everywhere, and the action was refused.') : '',
    opened.is_erased ? make('p', { class: 'warning' }, 'What was personal in this record has been erased. Its hash still stands.') : '',
    record.truncated ? make('p', { class: 'warning' }, 'Parts of this record were too long, and were left out.') : '',
    section(
      'Why',
      make('p', {}, make('span', { class: isAllowed ? 'code plain-code' : 'code' }, seen(record.code)), record.policy_version ? make('span', { class: 'dim' }, ` by policies of version ${seen(record.policy_version)}`) : null),
      why.length ? make('ul', { class: 'reasons' }, ...why) : null,
      record.obligations?.length ? section('On condition of', json(record.obligations)) : null,
      record.policy_errors?.length ? section('Policies that failed', json(record.policy_errors)) : null,
      record.would_flip?.length ? section('What rehearses would have decided otherwise', json(record.would_flip)) : null,
    ),
    section('Who acts for whom', tree(record, isAllowed)),
    outcome(record, opened.related) ?? '',
    section(
      'What was asked',
      facts([
        ['Action', action && code(action.name)],
        ['Resource', action?.resource && `${action.resource.kind} ${action.resource.id}`],
        ['Arguments', action?.arguments && code(`sha-256 ${action.arguments}`)],
        ['Shown', shown && json(shown)],
        ['Server', record.server],
        ['Replica', record.replica],
        ['Took', record.took_micros !== undefined ? took(record.took_micros) : null],
        ['Transaction', record.transaction],
        ['Trace', record.trace && code(record.trace)],
      ]),
    ),
    delegation
      ? section(
          'The delegation',
          facts([
            ['Scopes', delegation.scopes],
            ['Details', delegation.authorization_details && json(delegation.authorization_details)],
            ['Issuer', delegation.issuer],
            ['Audience', delegation.audience],
            ['Bound by', typeof delegation.binding === 'string' ? spoken(delegation.binding) : delegation.binding && json(delegation.binding)],
            ['Token', delegation.token && code(delegation.token)],
            ['Grant', delegation.grant && code(delegation.grant)],
            ['Ends', delegation.expires],
          ]),
        )
      : '',
    ...PARTS.filter(([name]) => record[name]).map(([name, words]) => section(words, json(record[name]))),
    section(
      'How the caller was verified',
      authentication
        ? facts([['Answer', spoken(authentication.code)], ['Peer', authentication.peer], ['Known', authentication.peer_proof && proofOf(authentication.peer_proof)], ['Entry', String(opened.authentication.number)]])
        : facts([['Peer', record.peer], ['Known', record.peer_proof && proofOf(record.peer_proof)], ['Client', record.client?.id], ['On record', record.authentication_id ? `no entry of evaluation ${record.authentication_id} is held` : 'nothing apart']]),
    ),
    section('In the log', facts([['Evaluation', code(record.evaluation_id)], ['Entry', String(opened.number)], ['Leaf hash', code(opened.leaf)]])),
    make('details', { class: 'raw' }, make('summary', {}, 'The record, as it is written'), make('pre', { tabindex: '0' }, seen(pretty(opened.record)))),
  );
  title.focus();
};

/** On several lines, with every token as it is written: numbers are not read and written again. */
const pretty = (text) => {
  let [out, depth, inString] = ['', 0, false];
  const line = () => `\n${'  '.repeat(depth)}`;
  for (let at = 0; at < text.length; at += 1) {
    const c = text[at];
    if (inString) {
      out += c;
      if (c === '\\') out += text[(at += 1)] ?? '';
      else if (c === '"') inString = false;
    } else if (c === '"') {
      inString = true;
      out += c;
    } else if (c === '{' || c === '[') {
      depth += 1;
      out += /^\s*[}\]]/.test(text.slice(at + 1, at + 20)) ? c : c + line();
    } else if (c === '}' || c === ']') {
      depth -= 1;
      out += /[{[]$/.test(out) ? c : line() + c;
    } else if (c === ',') {
      out += c + line();
    } else if (c === ':') {
      out += ': ';
    } else if (!/\s/.test(c)) {
      out += c;
    }
  }
  return out;
};

/** Opens the record that is this entry. */
export const open = async (number) => {
  const opened = await ask(`/api/record/${number}`);
  drawn(opened);
  if (!by('decision').open) by('decision').showModal();
  by('decision').scrollTop = 0;
  by('decision-title').focus();
};

export const start = (step, closed) => {
  [onStep, onClose] = [step, closed];
  const dialog = by('decision');
  dialog.addEventListener('close', () => onClose());
  dialog.addEventListener('click', (event) => event.target === dialog && dialog.close());
  dialog.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === 'j') onStep(1);
    else if (event.key === 'k') onStep(-1);
  });
};
