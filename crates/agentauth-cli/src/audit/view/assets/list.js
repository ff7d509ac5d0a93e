// The records: as many rows as are seen are there, whatever their number.

import { ask, by, make } from './dom.js';
import { query } from './filters.js';
import { clock, count, date, moment, seen, shortAgent, shortPrincipal, spoken } from './words.js';

const PAGE = 100;

/** Rows beyond those that are seen, so that scrolling shows none that are empty. */
const MARGIN = 12;

let onOpen = () => {};
let pages = new Map();
let length = 0;
let cursor = 0;
let upto = '';
let asking = new AbortController();
let isPainted = false;

const list = () => by('list');
const rowHeight = () => parseFloat(getComputedStyle(list()).getPropertyValue('--row'));
const headHeight = () => list().firstElementChild.offsetHeight;

export const at = (place) => pages.get(Math.floor(place / PAGE))?.[place % PAGE];

const load = async (page) => {
  if (pages.has(page)) return;
  pages.set(page, []);
  const asked = query({ upto, offset: page * PAGE, limit: PAGE });
  try {
    const answer = await ask('/api/records', asked, asking.signal);
    pages.set(page, answer.records);
    paint();
  } catch (error) {
    pages.delete(page);
    if (error.name !== 'AbortError') throw error;
  }
};

const verdict = (record) => {
  if (record.is_late) return ['deny', 'Too late'];
  return record.effect === 'allow' ? ['allow', 'Allowed'] : ['deny', 'Denied'];
};

const cell = (kind, title, ...children) => make('span', { role: 'gridcell', class: kind, title: title ? seen(title) : null }, ...children);

/** The middle of a name that has no room is what one can do without. */
const dim = (text) => make('span', { class: 'dim' }, text);

const who = (record) => {
  if (!record.agent && !record.principal) return ['nobody was verified'].map(dim);
  const others = record.depth > 1 ? dim(` +${record.depth - 1}`) : null;
  const principal = record.principal && [dim(' for '), shortPrincipal(record.principal)];
  return [record.agent ? shortAgent(record.agent) : dim('no agent'), others, principal].flat();
};

const why = (record) => {
  const isAllowed = record.effect === 'allow' && !record.is_late;
  if (!isAllowed) return [make('span', { class: 'code' }, seen(record.code)), dim(` ${seen(record.why)}`)];
  if (record.kind !== 'decision') return [dim(seen(record.why || record.code))];
  return [record.outcome ? dim(spoken(record.outcome)) : make('span', { class: 'open' }, 'outcome unknown'), dim(record.why ? ` · ${seen(record.why)}` : '')];
};

const row = (place, height) => {
  const record = at(place);
  const attributes = { role: 'row', class: 'row', id: `row-${place}`, 'aria-rowindex': place + 2, 'aria-selected': place === cursor ? 'true' : 'false' };
  const element = make('div', attributes);
  element.style.transform = `translateY(${place * height}px)`;
  if (record) {
    const [kind, word] = verdict(record);
    element.classList.add(kind);
    const isDecision = record.kind === 'decision';
    element.append(
      cell('at', moment(record.micros), make('span', { class: 'day' }, `${date(record.micros)} `), clock(record.micros).slice(0, 8), make('span', { class: 'ms' }, clock(record.micros).slice(8))),
      cell(`verdict ${kind}`, null, word),
      cell('what', `${record.action} ${record.resource}`, isDecision ? null : make('span', { class: 'kind' }, spoken(record.kind)), seen(record.action), dim(` ${seen(record.resource)}`)),
      cell('who', [record.agent, record.principal && `for ${record.principal}`].filter(Boolean).join(' '), who(record)),
      cell('why', record.why, why(record)),
    );
  } else {
    element.append(...['at', 'verdict', 'what', 'who', 'why'].map((kind) => cell(kind, null, '\u00a0')));
  }
  return element;
};

const range = () => {
  const height = rowHeight();
  const first = Math.max(Math.floor(list().scrollTop / height) - MARGIN, 0);
  const last = Math.min(Math.ceil((list().scrollTop + list().clientHeight) / height) + MARGIN, length);
  return [first, last, height];
};

const paint = () => {
  const [first, last, height] = range();
  by('rows').style.height = `${length * height}px`;
  const rows = [];
  for (let place = first; place < last; place += 1) rows.push(row(place, height));
  by('rows').replaceChildren(...rows);
  for (let page = Math.floor(first / PAGE); page * PAGE < last; page += 1) load(page);
  if (cursor >= first && cursor < last) list().setAttribute('aria-activedescendant', `row-${cursor}`);
  else list().removeAttribute('aria-activedescendant');
  if (!isPainted && rows.length) {
    isPainted = true;
    performance.mark('list-painted');
  }
};

/** Moves to a row, and has it in sight. */
export const move = (to) => {
  if (!length) return;
  cursor = Math.min(Math.max(to, 0), length - 1);
  const height = rowHeight();
  const [top, room] = [cursor * height, list().clientHeight - headHeight() - height];
  if (top < list().scrollTop) list().scrollTop = top;
  else if (top > list().scrollTop + room) list().scrollTop = top - room;
  paint();
};

export const place = () => cursor;

const onKey = (event) => {
  const page = Math.max(Math.floor((list().clientHeight - headHeight()) / rowHeight()) - 1, 1);
  const steps = { ArrowDown: 1, ArrowUp: -1, j: 1, k: -1, PageDown: page, PageUp: -page, Home: -length, End: length };
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === 'Enter' && at(cursor)) onOpen(at(cursor).number);
  else if (event.key in steps) move(cursor + steps[event.key]);
  else return;
  event.preventDefault();
};

export const start = (open) => {
  onOpen = open;
  const box = list();
  box.addEventListener('keydown', onKey);
  let frame = 0;
  box.addEventListener('scroll', () => {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(paint);
  });
  by('rows').addEventListener('click', (event) => {
    const found = event.target.closest('.row');
    if (!found) return;
    cursor = Number(found.id.slice(4));
    paint();
    if (at(cursor)) onOpen(at(cursor).number);
  });
  new ResizeObserver(paint).observe(box);
};

/** Shows the records up to that entry which the filters mean. */
export const show = async (last, held, days) => {
  asking.abort();
  asking = new AbortController();
  upto = last ?? '';
  const answer = await ask('/api/records', query({ ...(upto === '' ? {} : { upto }), limit: PAGE }), asking.signal);
  pages = new Map([[0, answer.records]]);
  length = answer.reachable;
  cursor = 0;
  list().scrollTop = 0;
  list().setAttribute('aria-rowcount', length + 1);
  list().classList.toggle('days', days);
  const beyond = answer.matches > answer.reachable ? ` (the newest ${count(answer.reachable)} are listed: choose a time for those before)` : '';
  by('count').textContent = `${count(answer.matches)} of ${count(held)}${beyond}`;
  paint();
  return answer;
};
