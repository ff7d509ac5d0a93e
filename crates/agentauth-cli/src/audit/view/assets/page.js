// The page of an audit log: asks the server that it came from, and nobody else.

import { ask, by, make, takeToken } from './dom.js';
import * as filters from './filters.js';
import * as timeline from './timeline.js';
import * as list from './list.js';
import * as graph from './graph.js';
import * as decision from './decision.js';
import * as integrity from './integrity.js';
import { bytes, count, counted, date, seen, spoken } from './words.js';

/** How often it is asked what is new, and while the log is being read. In milliseconds. */
const CALM = 3000;
const READING = 400;

/** So many reasons are listed before one asks for all. */
const REASONS = 7;

let state = null;
/** The last entry of what is shown: what comes later waits until it is asked for. */
let last = null;
let asking = new AbortController();
let areAllReasons = false;

const notice = (text) => {
  by('notice').hidden = !text;
  by('notice').textContent = text;
};

const failed = (error) => {
  if (error.name === 'AbortError') return;
  if (error.code === 'view_token') notice('This page needs the URL that `agentauth audit view` has printed: open it once more.');
  else if (error.code) notice(seen(error.message));
  else notice('The program that serves this page does not answer. If it has ended, start it again, and open the URL that it prints.');
};

const reasons = (summary) => {
  const all = summary.reasons.list;
  const most = Math.max(...all.map(([, n]) => n), 1);
  const bar = ([name, n]) => {
    const isActive = filters.value('reason') === name;
    const button = make('button', { type: 'button', 'aria-pressed': String(isActive), title: seen(name), click: () => filters.toggle('reason', name) }, make('span', { class: 'name' }, spoken(name)), make('span', { class: 'n' }, count(n)));
    button.style.setProperty('--share', `${(n / most) * 100}%`);
    return make('li', {}, button);
  };
  const shown = areAllReasons ? all : all.slice(0, REASONS);
  const more = all.length > shown.length && make('li', {}, make('button', { type: 'button', class: 'plain', click: () => ((areAllReasons = true), reasons(summary), by('reasons').children[REASONS]?.firstChild.focus()) }, `${counted(all.length - shown.length, 'more reason', 'more reasons')}`));
  by('reasons').replaceChildren(...(all.length ? shown.map(bar) : [make('li', { class: 'none' }, 'Nothing was denied.')]), ...(more ? [more] : []));
};

/** Otherwise the day need not stand in each row. */
const areManyDays = () => state !== null && state.oldest !== null && date(state.oldest) !== date(state.newest);

const refresh = async () => {
  asking.abort();
  asking = new AbortController();
  const { signal } = asking;
  const asked = filters.query(last === null ? {} : { upto: last });
  try {
    const [summary, , edges] = await Promise.all([ask('/api/summary', asked, signal), list.show(last, state?.held ?? 0, areManyDays()), ask('/api/graph', asked, signal)]);
    timeline.show(summary);
    reasons(summary);
    filters.offer(summary);
    graph.show(edges);
    document.body.dataset.shown = String(Number(document.body.dataset.shown ?? 0) + 1);
  } catch (error) {
    failed(error);
  }
};

const reading = () => {
  const { progress } = state;
  if (!progress.is_up_to_date && !state.failure) return `Reading the log: ${bytes(progress.read_bytes)} of ${bytes(progress.total_bytes)}.`;
  if (state.held < state.records) return `The log has ${count(state.records)} records; the newest ${count(state.held)} are shown.`;
  return '';
};

const follow = async () => {
  let pause = CALM;
  try {
    const before = state;
    state = await ask('/api/state');
    const isVerifying = await integrity.show(state);
    by('where').textContent = seen(state.progress.origin || state.directory);
    by('where').title = seen(state.directory);
    notice(reading());
    const isNew = state.last !== last;
    const isFirst = before === null || !before.progress.is_up_to_date;
    if (!state.progress.is_up_to_date || isVerifying) pause = READING;
    if (isFirst && (isNew || before === null)) {
      last = state.last;
      await refresh();
    }
    by('newer').hidden = state.last === last;
    by('newer').textContent = 'Newer records: show';
  } catch (error) {
    failed(error);
  }
  setTimeout(() => (document.hidden ? addEventListener('visibilitychange', follow, { once: true }) : follow()), pause);
};

const openRecord = async (number) => {
  try {
    await decision.open(number);
    filters.change({ open: number }, true);
  } catch (error) {
    failed(error);
  }
};

const step = (by_) => {
  list.move(list.place() + by_);
  const record = list.at(list.place());
  if (record) openRecord(record.number);
};

const start = () => {
  takeToken();
  timeline.start();
  graph.start();
  integrity.start();
  list.start(openRecord);
  decision.start(step, () => {
    filters.change({ open: '' }, true);
    by('list').focus();
  });
  filters.start(() => {
    refresh();
    if (filters.value('open')) openRecord(filters.value('open'));
    else if (by('decision').open) by('decision').close();
  });
  by('newer').addEventListener('click', () => {
    last = state.last;
    by('newer').hidden = true;
    refresh();
    by('list').focus();
  });
  by('skip').addEventListener('click', (event) => {
    event.preventDefault();
    by('list').focus();
  });
  follow().then(() => filters.value('open') && openRecord(filters.value('open')));
};

start();
