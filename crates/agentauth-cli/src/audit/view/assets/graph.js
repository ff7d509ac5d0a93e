// Who acts for whom: principals on the left, and to the right of them the agents in their order.

import { by, draw, make } from './dom.js';
import { toggle, value } from './filters.js';
import { count, counted, seen, shortAgent, shortPrincipal } from './words.js';

const NODE = 37;
const STEP = 46;
const MOST_STEP = 64;
const MOST_WIDE = 170;
const LEAST_WIDE = 84;
const BETWEEN = 27;

let graph = { nodes: [], edges: [] };
/** Where the keyboard is, by its place among the nodes. */
let cursor = 0;

const filterOf = (node) => (node.column === 0 ? 'principal' : 'agent');
const label = (node) => {
  if (node.name === null) return counted(node.others, 'other', 'others');
  return node.column === 0 ? shortPrincipal(node.name) : shortAgent(node.name);
};

/** Nodes near those that they are joined to, so that few lines cross. */
const placed = () => {
  const columns = [];
  graph.nodes.forEach((node, at) => {
    (columns[node.column] ??= []).push({ node, at, rank: 0 });
  });
  const ranks = new Map();
  columns.forEach((column, c) => {
    for (const entry of column) {
      const edges = graph.edges.filter((edge) => edge.to === entry.at);
      const weight = edges.reduce((sum, edge) => sum + edge.allowed + edge.denied, 0);
      const pull = edges.reduce((sum, edge) => sum + (ranks.get(edge.from) ?? 0) * (edge.allowed + edge.denied), 0);
      entry.rank = c && weight ? pull / weight : column.indexOf(entry);
    }
    if (c) column.sort((a, b) => a.rank - b.rank);
    column.forEach((entry, place) => ranks.set(entry.at, place));
  });
  return columns;
};

const fits = (text, width, letter) => {
  const most = Math.floor((width - 14) / letter);
  return text.length <= most ? text : `${text.slice(0, Math.max(most - 1, 1))}…`;
};

const focus = (at) => {
  cursor = at;
  for (const element of by('graph').querySelectorAll('.node')) element.setAttribute('tabindex', Number(element.dataset.at) === at ? '0' : '-1');
  by('graph').querySelector(`[data-at="${at}"]`)?.focus();
};

const onKey = (columns) => (event) => {
  const here = columns.findIndex((column) => column.some((entry) => entry.at === cursor));
  const place = columns[here]?.findIndex((entry) => entry.at === cursor) ?? 0;
  const joined = (from, to) => graph.edges.filter((edge) => edge[from] === cursor).sort((a, b) => b.allowed + b.denied - a.allowed - a.denied)[0]?.[to];
  const to = {
    ArrowDown: () => columns[here]?.[place + 1]?.at,
    ArrowUp: () => columns[here]?.[place - 1]?.at,
    ArrowRight: () => joined('from', 'to'),
    ArrowLeft: () => joined('to', 'from'),
    Home: () => columns[0]?.[0]?.at,
  }[event.key];
  if (to) {
    const at = to();
    if (at !== undefined) focus(at);
  } else if (event.key === 'Enter' || event.key === ' ') {
    choose(graph.nodes[cursor]);
  } else {
    return;
  }
  event.preventDefault();
};

const choose = (node) => node?.name && toggle(filterOf(node), node.name);

const light = (at) => {
  for (const path of by('graph').querySelectorAll('path')) {
    const isNear = Number(path.dataset.from) === at || Number(path.dataset.to) === at;
    path.classList.toggle('near', at !== null && isNear);
    path.classList.toggle('far', at !== null && !isNear);
  }
};

const paint = () => {
  const box = by('graph');
  const hadFocus = box.contains(document.activeElement);
  box.replaceChildren();
  const columns = placed();
  by('graph-note').textContent = graph.is_cut ? 'longer chains are cut off' : '';
  if (!columns.length) {
    box.append(make('p', { class: 'none' }, 'Nobody acts for anybody in these records.'));
    return;
  }
  cursor = Math.min(cursor, graph.nodes.length - 1);
  const wide = Math.min(Math.max((box.clientWidth - (columns.length - 1) * BETWEEN) / columns.length, LEAST_WIDE), MOST_WIDE);
  const gap = columns.length > 1 ? Math.max((box.clientWidth - wide * columns.length) / (columns.length - 1), BETWEEN) : 0;
  const longest = Math.max(...columns.map((column) => column.length));
  const step = Math.min(Math.max(box.clientHeight / longest, STEP), MOST_STEP);
  const tall = longest * step;
  const spots = new Map();
  columns.forEach((column, c) => {
    const top = (tall - column.length * step) / 2 + (step - NODE) / 2;
    column.forEach((entry, place) => spots.set(entry.at, [c * (wide + gap), top + place * step]));
  });
  const most = Math.max(...graph.edges.map((edge) => edge.allowed + edge.denied), 1);
  const thick = (n) => 1 + 7 * Math.sqrt(n / most);
  const edges = graph.edges.flatMap((edge) => {
    const [fromX, fromY] = spots.get(edge.from);
    const [toX, toY] = spots.get(edge.to);
    const [x1, y1, x2, y2] = [fromX + wide, fromY + NODE / 2, toX, toY + NODE / 2];
    const bend = (x2 - x1) / 2;
    const line = (kind, n, dy) => {
      const d = `M${x1},${y1 + dy}C${x1 + bend},${y1 + dy} ${x2 - bend},${y2 + dy} ${x2},${y2 + dy}`;
      const path = draw('path', { class: kind, d, 'stroke-width': thick(n), 'data-from': edge.from, 'data-to': edge.to });
      path.append(draw('title', {}, `${label(graph.nodes[edge.from])} → ${label(graph.nodes[edge.to])}: ${count(edge.allowed)} allowed, ${count(edge.denied)} denied`));
      return path;
    };
    return [edge.allowed && line('allow', edge.allowed, edge.denied ? -2 : 0), edge.denied && line('deny', edge.denied, edge.allowed ? 2 : 0)].filter(Boolean);
  });
  const nodes = columns.flat().map(({ node, at }) => {
    const [x, y] = spots.get(at);
    const isChosen = node.name !== null && value(filterOf(node)) === node.name;
    const counts = `${count(node.allowed)} allowed, ${count(node.denied)} denied`;
    const kind = node.column === 0 ? 'principal' : 'agent';
    const name = node.name === null ? label(node) : seen(node.name);
    const group = draw('g', {
      class: `node ${kind}${isChosen ? ' active' : ''}`,
      transform: `translate(${x},${y})`,
      role: 'button',
      tabindex: at === cursor ? '0' : '-1',
      'aria-pressed': String(isChosen),
      'data-at': at,
      click: () => {
        cursor = at;
        choose(node);
      },
      focus: () => light(at),
      blur: () => light(null),
      pointerenter: () => light(at),
      pointerleave: () => light(null),
    });
    const denied = (node.denied / Math.max(node.allowed + node.denied, 1)) * wide;
    group.append(
      draw('title', {}, `${kind} ${name}: ${counts}`),
      draw('rect', { class: 'box', width: wide, height: NODE, rx: 5 }),
      draw('rect', { class: 'share', x: 0, y: NODE - 3, width: denied, height: 3, rx: 1.5 }),
      draw('text', { x: 7, y: 15 }, fits(label(node), wide, 6.7)),
      draw('text', { class: 'n', x: 7, y: 29 }, count(node.allowed + node.denied)),
    );
    return group;
  });
  const width = columns.length * wide + (columns.length - 1) * gap;
  const svg = draw('svg', { width, height: tall, role: 'group', 'aria-label': 'Principals and agents; arrow keys move, Enter filters', keydown: onKey(columns) }, edges, nodes);
  box.append(svg);
  if (hadFocus) focus(cursor);
};

export const show = (answer) => {
  graph = answer;
  paint();
};

export const start = () => {
  let width = 0;
  new ResizeObserver(([{ contentRect }]) => {
    if (Math.abs(contentRect.width - width) > 1) {
      width = contentRect.width;
      paint();
    }
  }).observe(by('graph'));
};
