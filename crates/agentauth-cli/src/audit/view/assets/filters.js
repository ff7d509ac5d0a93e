// What is asked for: in the form, and in the URL's hash, so that a view can be handed on.

import { by, make } from './dom.js';
import { seen } from './words.js';

const NAMES = ['verdict', 'text', 'agent', 'principal', 'action', 'reason', 'kind'];
const TIMES = ['since', 'until'];

/** Typing is over when nothing comes for so long, in milliseconds. */
const PAUSE = 200;

let onChange = () => {};
let values = {};
let pause = null;

const form = () => by('filters');

const show = () => {
  for (const name of NAMES) {
    const [control, wanted] = [form().elements[name], values[name] ?? ''];
    if (control instanceof RadioNodeList) {
      for (const radio of control) radio.checked = radio.value === wanted;
      continue;
    }
    if (control.value !== wanted) control.value = wanted;
    control.classList.toggle('active', Boolean(wanted));
  }
  by('clear').disabled = Object.keys(values).length === 0;
  by('all-time').hidden = !('since' in values);
};

const read = () => {
  const hash = new URLSearchParams(location.hash.slice(1));
  values = {};
  for (const name of [...NAMES, ...TIMES, 'open']) {
    if (hash.get(name)) values[name] = hash.get(name);
  }
  for (const name of TIMES) if (!/^\d{1,17}$/.test(values[name] ?? '')) delete values[name];
  show();
};

/** The filters, as a query. */
export const query = (more = {}) => {
  const { open, ...asked } = values;
  return new URLSearchParams({ ...asked, ...more });
};

export const value = (name) => values[name] ?? '';

/** Changes some of them; empty takes one away. */
export const change = (changes, isQuiet = false) => {
  for (const [name, to] of Object.entries(changes)) {
    if (to === '' || to === null) delete values[name];
    else values[name] = String(to);
  }
  const hash = `#${new URLSearchParams(values)}`;
  if (hash !== (location.hash || '#')) history.pushState(null, '', hash);
  show();
  if (!isQuiet) onChange();
};

export const toggle = (name, to) => change({ [name]: value(name) === to ? '' : to });

/** What there is to choose from. */
export const offer = (summary) => {
  const lists = { agents: summary.agents, principals: summary.principals, actions: summary.actions, 'reason-codes': summary.reasons };
  for (const [id, counts] of Object.entries(lists)) {
    by(id).replaceChildren(...counts.list.map(([name]) => make('option', { value: name }, seen(name))));
  }
};

export const start = (changed) => {
  onChange = changed;
  read();
  form().addEventListener('submit', (event) => event.preventDefault());
  form().addEventListener('input', (event) => {
    clearTimeout(pause);
    const { name, value: to } = event.target;
    pause = setTimeout(() => change({ [name]: to.trim() }), event.target.type === 'search' ? PAUSE : 0);
  });
  form().addEventListener('reset', (event) => {
    event.preventDefault();
    clearTimeout(pause);
    change(Object.fromEntries([...NAMES, ...TIMES].map((name) => [name, ''])));
  });
  by('all-time').addEventListener('click', () => {
    change({ since: '', until: '' });
    by('timeline').focus();
  });
  addEventListener('popstate', () => {
    read();
    onChange();
  });
};
