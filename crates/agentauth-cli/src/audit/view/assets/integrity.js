// Whether the log is whole: always in sight, and in full when asked.

import { by, make } from './dom.js';
import { bytes, count, counted, moment, seen, spoken } from './words.js';

let state = null;

const EVENTS = {
  opened: (said) => `A server began to write${said.clean === false ? '; the one before it had not ended in order' : ''}${said.acknowledged_loss ? `. An operator has acknowledged that ${counted(said.acknowledged_loss, 'entry is', 'entries are')} gone` : ''}.`,
  closed: (said) => `A server ended in order, after ${counted(said.records ?? 0, 'record', 'records')}.`,
  recovered: (said) => `${bytes(said.bytes ?? 0)} were taken off the damaged end of the log (${spoken(said.after ?? 'crash')})${said.kept_in ? `, and kept in ${seen(said.kept_in)}` : ''}.`,
  gap: (said) => `${counted(said.dropped ?? 0, 'record was', 'records were')} not kept (${spoken(said.why ?? '')}).`,
  refused: (said) => `${counted(said.entries?.length ?? 0, 'action was', 'actions were')} refused because the record came too late.`,
  retired_segments: (said) => `The content of entries before ${count(said.before ?? 0)} was given up; their hashes stay.`,
  erased: (said) => `What was personal was erased from ${counted(said.entries?.length ?? 0, 'entry', 'entries')}: ${seen(said.reason ?? '')}`,
};

const WEIGHTY = new Set(['recovered', 'gap', 'refused']);

/** In a word, and in a sentence. */
const verdict = () => {
  const { damage } = state.progress;
  if (state.failure) return ['bad', 'Cannot be read', `The log cannot be read: ${seen(state.failure)}`];
  if (damage && !damage.is_at_the_end) return ['bad', 'Damaged', `${seen(damage.segment)}, byte ${count(damage.offset)}: ${seen(damage.message)} (${seen(damage.code)}).`];
  if (damage) return ['warn', 'Ends in a torn entry', `${seen(damage.segment)} ends at byte ${count(damage.offset)} with something that is no whole entry: one that is being written, or was when a server stopped.`];
  return ['unknown', 'Not checked', 'Nothing was verified yet but checksums.'];
};

const badge = () => {
  const [kind, word] = verdict();
  by('integrity').dataset.state = kind;
  by('integrity-text').textContent = word;
};

const open = () => {
  if (!state) return;
  const [kind, word, sentence] = verdict();
  const dialog = by('integrity-dialog');
  const events = state.events.map((event) =>
    make('li', { class: WEIGHTY.has(event.kind) ? 'weighty' : null }, make('span', { class: 'dim' }, `${moment(event.micros)} · ${event.number} `), EVENTS[event.kind]?.(event.payload ?? {}) ?? spoken(event.kind)),
  );
  dialog.replaceChildren(
    make('div', { class: 'dialog-bar' }, make('span', { class: 'dim' }, seen(state.progress.origin)), make('button', { type: 'button', class: 'plain', click: () => dialog.close() }, 'Close')),
    make('h2', { id: 'integrity-title', tabindex: '-1' }, make('span', { class: `state ${kind}` }, word)),
    make('p', {}, sentence),
    make(
      'dl',
      {},
      ...[
        ['Entries', count(state.entries)],
        ['Records', `${count(state.records)}${state.held < state.records ? `, the newest ${count(state.held)} of which are shown` : ''}`],
        ['Cannot be read', state.unreadable ? count(state.unreadable) : null],
        ['Last checkpoint', state.last_checkpoint ? `entry ${count(state.last_checkpoint[0])}, ${moment(state.last_checkpoint[1])}` : 'none'],
        ['Directory', seen(state.directory)],
      ]
        .filter(([, value]) => value)
        .flatMap(([name, value]) => [make('dt', {}, name), make('dd', {}, value)]),
    ),
    make('h3', {}, 'What the log says of itself'),
    make('ul', { class: 'events' }, ...events),
  );
  dialog.showModal();
  by('integrity-title').focus();
};

export const show = (answer) => {
  state = answer;
  badge();
};

export const start = () => {
  by('integrity').addEventListener('click', open);
  by('integrity-dialog').addEventListener('click', (event) => event.target === by('integrity-dialog') && by('integrity-dialog').close());
};
