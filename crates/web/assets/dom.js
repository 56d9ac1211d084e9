// What the living pages of the sandbox share: elements, words in the page's language, pictures,
// requests, and copying.

const SVG = document.querySelector('svg').namespaceURI;
const WORDS = Object.fromEntries(
  [...document.getElementById('words').content.children].map((word) => [word.dataset.word, word.textContent]),
);

/** Whether the page speaks Chinese. */
export const zh = document.documentElement.lang.startsWith('zh');

/** A text of the page, with its gaps filled. */
export function say(key, gaps = {}) {
  return (WORDS[key] ?? key).replace(/\{(\w+)\}/g, (_, gap) => gaps[gap] ?? '');
}

/** Whether there is such a text. */
export const knows = (key) => key in WORDS;

/** A phrase of the sandbox in the page's language: whole, by its beginning, or around its number. */
export function phrase(kind, text) {
  if (knows(`${kind}_${text}`)) return say(`${kind}_${text}`);
  const [, head, tail] = /^(.*?): (.*)$/s.exec(text) ?? [];
  if (head && knows(`${kind}_${head}`)) return say('with', { head: say(`${kind}_${head}`), tail });
  const [, start, n] = /^(.*) (\d+)$/.exec(text) ?? [];
  return start && knows(`${kind}_${start}`) ? `${say(`${kind}_${start}`)} ${n}` : text;
}

/** An element: `make('button.primary', { type: 'button', onclick }, 'Go')`. */
export function make(name, attributes = {}, ...children) {
  const [tag, ...classes] = name.split('.');
  const element = document.createElement(tag || 'div');
  if (classes.length) element.className = classes.join(' ');
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else if (key.startsWith('--')) element.style.setProperty(key, value);
    else element.setAttribute(key, value === true ? '' : value);
  }
  element.append(...children.flat(2).filter((child) => child !== undefined && child !== null && child !== false));
  return element;
}

const PATHS = {
  check: 'M3.5 8.5l3 3 6-7',
  cross: 'M4.5 4.5l7 7M11.5 4.5l-7 7',
  back: 'M12.5 8h-9M7 4.5 3.5 8 7 11.5',
  dots: 'M3.6 8h.01M8 8h.01M12.4 8h.01',
  minus: 'M4 8h8',
  clock: 'M8 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2M8 4.8V8l2.2 1.6',
  error: 'M5.5 2h5L14 5.5v5L10.5 14h-5L2 10.5v-5ZM8 5v3.4M8 11h.01',
  warning: 'M8 2.2 14.4 13.4H1.6ZM8 6.3v3M8 11.4h.01',
  note: 'M8 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2M8 7.4V11M8 5h.01',
  bolt: 'M9 1.8 3.8 9H8l-1 5.2L12.2 7H8Z',
  copy: 'M5.5 5.5h7v8h-7ZM3.5 10.5v-8h7',
  link: 'M6.4 9.6l3.2-3.2M7.2 4.8l1.3-1.3a2.8 2.8 0 0 1 4 4l-1.3 1.3M8.8 11.2l-1.3 1.3a2.8 2.8 0 0 1-4-4l1.3-1.3',
  down: 'M8 2.5v8M4.8 7.5 8 10.7l3.2-3.2M3 13.5h10',
  bin: 'M3 4.5h10M6 4.5V3h4v1.5M4.5 4.5l.6 9h5.8l.6-9',
  left: 'M10 3.5 5.5 8l4.5 4.5',
  more: 'M4 6.5 8 10l4-3.5',
  user: 'M8 2.2a2.7 2.7 0 1 1 0 5.4 2.7 2.7 0 0 1 0-5.4M2.8 13.8c.4-3 2.4-4.4 5.2-4.4s4.8 1.4 5.2 4.4',
  app: 'M4.8 1.8h6.4v12.4H4.8ZM7.4 12.2h1.2',
  browser: 'M2 3h12v10H2ZM2 6h12M4 4.5h.01',
  backend: 'M2.5 2.8h11v4.4h-11ZM2.5 8.8h11v4.4h-11ZM5 5h.01M5 11h.01',
  platform: 'M2 8c2-3.4 6.6-4.3 10-1.6L14.4 4v8L12 9.6C8.600 12.300 4 11.400 2 8M5.400 7.300h.01',
  plus: 'M8 3.5v9M3.5 8h9',
};

/** A small picture, drawn with the colour of the text around it. */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  const path = document.createElementNS(SVG, 'path');
  for (const [key, value] of [['viewBox', '0 0 16 16'], ['aria-hidden', 'true'], ['class', `icon i-${name}`]]) svg.setAttribute(key, value);
  path.setAttribute('d', PATHS[name]);
  svg.append(path);
  return svg;
}

/** An answer that says no, with its complaints. */
export class Refused extends Error {
  constructor(status, complaints) {
    super(complaints.map(({ what, remedy }) => [what, remedy].filter(Boolean).join(' ')).join('\n') || say('failed', { status }));
    this.status = status;
    this.complaints = complaints;
  }
}

/** Asks the sandbox; answers what it says, as JSON. */
export async function ask(method, path, body) {
  const sent = body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
  const answer = await fetch(path, { method, cache: 'no-store', ...sent });
  const text = await answer.text();
  let told = null;
  try {
    told = text ? JSON.parse(text) : null;
  } catch {
    told = null;
  }
  if (!answer.ok) throw new Refused(answer.status, told?.error?.complaints ?? []);
  return told;
}

/** Copies a text, also where the clipboard is closed to pages (plain HTTP from another device). */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const field = make('textarea', { class: 'away', readonly: true });
    field.value = text;
    document.body.append(field);
    field.select();
    document.execCommand('copy');
    field.remove();
  }
}

/** A button that copies and says so for a moment. */
export function copier(name, label, text) {
  const words = make('span', {}, label);
  const button = make(name, { type: 'button' }, icon('copy'), words);
  let timer;
  button.addEventListener('click', async () => {
    try {
      await copy(typeof text === 'function' ? await text() : text);
      words.textContent = say('copied');
    } catch (error) {
      words.textContent = error.message;
    }
    clearTimeout(timer);
    timer = setTimeout(() => (words.textContent = label), 1600);
  });
  return button;
}
