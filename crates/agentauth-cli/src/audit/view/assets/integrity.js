// Whether the log is whole: always in sight, and in full when asked.

import { ask, by, make } from './dom.js';
import { bytes, count, counted, moment, seen, spoken } from './words.js';

let state = null;
let checked = { is_running: false, report: null, failure: null };

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

/** In a word, and in sentences. */
const verdict = () => {
  const { damage } = state.progress;
  if (state.failure) return ['bad', 'Cannot be read', [`The log cannot be read: ${seen(state.failure)}`]];
  if (damage && !damage.is_at_the_end) return ['bad', 'Damaged', [`${seen(damage.segment)}, byte ${count(damage.offset)}: ${seen(damage.message)} (${seen(damage.code)}).`]];
  const { report, failure, is_running: isRunning } = checked;
  if (failure) return ['bad', 'Cannot be verified', [seen(failure)]];
  if (!report) return ['unknown', isRunning ? 'Verifying…' : 'Not checked', [isRunning ? `${bytes(checked.bytes)} of ${bytes(checked.of)} are verified.` : 'Nothing was verified yet but checksums.']];
  const { anchored, signed, unanchored } = report.ranges;
  const entries = ({ from, until }) => until - from;
  const loose = entries(unanchored);
  if (report.verdict === 'damaged') {
    const first = report.faults[0];
    return ['bad', 'Damaged', [first ? `${first.segment ? `${seen(first.segment)}, byte ${count(first.offset)}${first.entry === null ? '' : `, entry ${count(first.entry)}`}: ` : ''}${seen(first.text)} (${seen(first.code)}).` : 'The log is not what was written.', report.faults.length + report.more_faults > 1 && `There are ${count(report.faults.length + report.more_faults - 1)} more faults: agentauth audit verify tells them.`]];
  }
  if (report.verdict === 'unproven') return ['warn', 'Unproven', ['The log is whole as it stands; but:', ...report.faults.map((fault) => `${seen(fault.text)} (${seen(fault.code)}).`)]];
  const torn = report.torn && `The last ${bytes(report.torn.bytes)} of ${seen(report.torn.segment)} are no entry: a write that is under way, or that a crash has cut off.`;
  const vouched = [entries(anchored) && `${counted(entries(anchored), 'entry is', 'entries are')} anchored: they can neither be cut off nor rewritten.`, entries(signed) && `${counted(entries(signed), 'entry is', 'entries are')} signed, and not anchored: they could be cut off, but not rewritten without the key.`];
  if (!checked.has_key && !checked.has_anchor) {
    return [torn ? 'warn' : 'unknown', torn ? 'Whole, end torn' : 'Whole, unsigned', ['Every frame, link and tree head is as it was written, by what the files say themselves. Whoever can write them could have written others: give --key and --anchors to know better.', torn]];
  }
  const suffix = loose && `${counted(loose, 'entry', 'entries')} at the end ${loose === 1 ? 'is' : 'are'} neither signed nor anchored yet: whoever can write the files can change them.`;
  return [torn ? 'warn' : 'good', torn ? 'Verified, end torn' : loose ? `Verified, ${count(loose)} ${checked.has_anchor ? 'unanchored' : 'unsigned'}` : 'Verified', [...vouched, suffix, torn]];
};

const badge = () => {
  const [kind, word] = verdict();
  by('integrity').dataset.state = kind;
  by('integrity-text').textContent = word;
};

const again = async () => {
  checked = await ask('/api/integrity', new URLSearchParams({ check: true }));
  badge();
  draw();
};

/** What is shown, once it is open. */
const draw = () => {
  const [kind, word, sentences] = verdict();
  const dialog = by('integrity-dialog');
  const events = state.events.map((event) =>
    make('li', { class: WEIGHTY.has(event.kind) ? 'weighty' : null }, make('span', { class: 'dim' }, `${moment(event.micros)} · ${event.number} `), EVENTS[event.kind]?.(event.payload ?? {}) ?? spoken(event.kind)),
  );
  dialog.replaceChildren(
    make('div', { class: 'dialog-bar' }, make('span', { class: 'dim' }, seen(state.progress.origin)), make('button', { type: 'button', class: 'plain', click: () => dialog.close() }, 'Close')),
    make('h2', { id: 'integrity-title', tabindex: '-1' }, make('span', { class: `state ${kind}` }, word)),
    ...sentences.filter(Boolean).map((sentence) => make('p', {}, sentence)),
    make('p', { class: 'again' }, make('button', { type: 'button', class: 'plain', id: 'verify-again', disabled: checked.is_running, click: again }, 'Verify again'), checked.at ? make('span', { class: 'dim' }, ` begun ${checked.at.slice(0, 19).replace('T', ' ')}`) : null),
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
};

const open = () => {
  if (!state) return;
  draw();
  by('integrity-dialog').showModal();
  by('integrity-title').focus();
};

/** Whether what is shown changes soon. */
export const show = async (answer) => {
  state = answer;
  const wasRunning = checked.is_running;
  checked = await ask('/api/integrity');
  badge();
  if (wasRunning && by('integrity-dialog').open) draw();
  return checked.is_running;
};

export const start = () => {
  by('integrity').addEventListener('click', open);
  by('integrity-dialog').addEventListener('click', (event) => event.target === by('integrity-dialog') && by('integrity-dialog').close());
};
