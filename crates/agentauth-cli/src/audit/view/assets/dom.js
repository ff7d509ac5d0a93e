// Elements, made without markup: whatever stands in a record becomes text, and nothing else.

const SVG = 'http://www.w3.org/2000/svg';

export const by = (id) => document.getElementById(id);

const filled = (element, attributes, children) => {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, '');
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
};

/** An element with attributes (functions are listeners) and children (texts are texts). */
export const make = (tag, attributes = {}, ...children) => filled(document.createElement(tag), attributes, children);

/** The same in SVG. */
export const draw = (tag, attributes = {}, ...children) => filled(document.createElementNS(SVG, tag), attributes, children);

let token = null;

/** Takes the token out of the URL, so that it is in no history, and keeps it for this tab alone. */
export const takeToken = () => {
  const hash = new URLSearchParams(location.hash.slice(1));
  if (hash.has('token')) {
    sessionStorage.setItem('token', hash.get('token'));
    hash.delete('token');
    history.replaceState(null, '', `#${hash}`);
  }
  token = sessionStorage.getItem('token');
};

/** What the server answers. Throws an error with its `code`. */
export const ask = async (path, query, signal) => {
  const url = query && `${query}` ? `${path}?${query}` : path;
  const answer = await fetch(url, { headers: { Authorization: `Bearer ${token}` }, signal });
  const body = await answer.json();
  if (answer.ok) return body;
  throw Object.assign(new Error(body.message), { code: body.code });
};
