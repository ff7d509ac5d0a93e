// Bars over time: allowed above the line, denied below it.

import { by, draw } from './dom.js';
import { change, value } from './filters.js';
import { count, span, tick } from './words.js';

const HEIGHT = 132;
const AXIS = 18;
const TOP = 6;

/** A few bars need not fill all the room. In pixels. */
const MOST_WIDE = 36;

/** Less is not seen, and one denial among thousands must be. In pixels. */
const LEAST = 2;

/** Between the times that are written below the bars, in microseconds. */
const ROUND = [1e-3, 1e-2, 0.1, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800, 2_592_000].map((seconds) => seconds * 1e6);

let timeline = null;
let cursor = 0;
/** The other end of what is selected. */
let anchor = null;

const svg = () => by('timeline');
const bars = () => timeline?.allowed.length ?? 0;
const starts = (at) => timeline.start + at * timeline.width;
const selected = () => (anchor === null ? [cursor, cursor] : [Math.min(anchor, cursor), Math.max(anchor, cursor)]);

const said = () => {
  if (!bars()) return 'no records';
  const [first, last] = selected();
  const sum = (list) => list.slice(first, last + 1).reduce((a, b) => a + b, 0);
  return `${span(starts(first), starts(last + 1), timeline.width)}: ${count(sum(timeline.allowed))} allowed, ${count(sum(timeline.denied))} denied`;
};

const paint = () => {
  const box = svg();
  const width = box.clientWidth || 600;
  box.setAttribute('height', HEIGHT);
  box.replaceChildren();
  const total = bars();
  box.setAttribute('aria-valuemax', Math.max(total - 1, 0));
  box.setAttribute('aria-valuenow', cursor);
  box.setAttribute('aria-valuetext', said());
  if (!total) return;
  const most = Math.max(...timeline.allowed, 0);
  const mostDenied = Math.max(...timeline.denied, 0);
  const room = HEIGHT - AXIS - TOP;
  const below = mostDenied ? Math.max(room * 0.22, (room * mostDenied) / (most + mostDenied)) : 0;
  const above = room - below;
  const scale = Math.min(most ? above / most : Infinity, mostDenied ? below / mostDenied : Infinity);
  const line = TOP + above;
  const step = Math.min(width / total, MOST_WIDE);
  const gap = step > 4 ? 1 : 0;
  const [first, last] = selected();
  box.append(draw('rect', { class: 'chosen', x: first * step, y: 0, width: (last - first + 1) * step, height: HEIGHT - AXIS }));
  const bar = (kind, n, at, up) => {
    if (!n) return;
    const height = Math.max(n * scale, LEAST);
    box.append(draw('rect', { class: kind, x: at * step + gap / 2, y: up ? line - height : line, width: Math.max(step - gap, 1), height }));
  };
  for (let at = 0; at < total; at += 1) {
    bar('allow', timeline.allowed[at], at, true);
    bar('deny', timeline.denied[at], at, false);
  }
  box.append(draw('line', { class: 'axis', x1: 0, x2: width, y1: line, y2: line }));
  const least = (80 / step) * timeline.width;
  const every = ROUND.find((round) => round >= least) ?? least;
  for (let time = Math.ceil(timeline.start / every) * every; time < starts(total); time += every) {
    const x = ((time - timeline.start) / timeline.width) * step;
    if (x + 56 > width) break;
    box.append(draw('line', { class: 'axis', x1: x + 0.5, x2: x + 0.5, y1: HEIGHT - AXIS, y2: HEIGHT - AXIS + 4 }));
    box.append(draw('text', { x: x + 4, y: HEIGHT - 4 }, tick(time, every)));
  }
};

const note = () => {
  by('span').textContent = bars() ? (anchor === null && document.activeElement !== svg() ? span(starts(0), starts(bars()), timeline.width) : said()) : '';
};

const zoom = () => {
  const [first, last] = selected();
  anchor = null;
  change({ since: starts(first), until: starts(last + 1) });
};

const onKey = (event) => {
  if (!bars()) return;
  const steps = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageUp: 10, PageDown: -10, Home: -bars(), End: bars() };
  if (event.key === 'Escape' && value('since')) {
    change({ since: '', until: '' });
  } else if (event.key === 'Enter' || event.key === ' ') {
    zoom();
  } else if (event.key in steps) {
    if (event.shiftKey) anchor ??= cursor;
    else anchor = null;
    cursor = Math.min(Math.max(cursor + steps[event.key], 0), bars() - 1);
    paint();
    note();
  } else {
    return;
  }
  event.preventDefault();
};

const at = (event) => {
  const box = svg().getBoundingClientRect();
  const step = Math.min(box.width / bars(), MOST_WIDE);
  return Math.min(Math.max(Math.floor((event.clientX - box.left) / step), 0), bars() - 1);
};

export const start = () => {
  let isDragging = false;
  const box = svg();
  box.addEventListener('keydown', onKey);
  box.addEventListener('focus', note);
  box.addEventListener('blur', note);
  box.addEventListener('pointerdown', (event) => {
    if (!bars() || event.button) return;
    isDragging = true;
    box.setPointerCapture(event.pointerId);
    cursor = at(event);
    anchor = cursor;
    paint();
    note();
  });
  box.addEventListener('pointermove', (event) => {
    if (!bars()) return;
    if (!isDragging && anchor !== null) return;
    if (cursor !== at(event)) {
      cursor = at(event);
      paint();
    }
    by('span').textContent = said();
  });
  box.addEventListener('pointerleave', () => !isDragging && note());
  box.addEventListener('pointerup', () => {
    if (isDragging) zoom();
    isDragging = false;
  });
  box.addEventListener('pointercancel', () => {
    isDragging = false;
    anchor = null;
    paint();
  });
  new ResizeObserver(paint).observe(box);
};

export const show = (summary) => {
  timeline = summary.timeline;
  cursor = Math.min(cursor, Math.max(bars() - 1, 0));
  anchor = null;
  by('allowed').textContent = count(summary.allowed);
  by('denied').textContent = count(summary.denied);
  paint();
  note();
};
