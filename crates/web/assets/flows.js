// The live picture of all logins: the list of flows, kept up to date by server-sent events, and the
// flow that is open. The list holds thousands; only the rows that can be seen are in the page.

const root = document.getElementById('flows');
const { ask, copier, copy, icon, knows, make, phrase, Refused, say, zh } = await import(root.dataset.dom);
const { Sequence, span } = await import(root.dataset.sequence);

const API = '/_sandbox/flows';
/** How many flows are asked for at once. */
const PAGE = 500;
/** The most flows that are kept here. */
const MOST = 20_000;
/** The height of a row, as the style sheet has it. */
const ROW = 68;
/** Rows kept above and below what can be seen. */
const SPARE = 8;
/** The picture follows the newest flow, but lets each be seen for a moment. */
const DWELL_MS = 1200;
const STATES = { logged_in: 'check', returned: 'back', open: 'dots', failed: 'cross', denied: 'minus', expired: 'clock' };
const SEVERITIES = ['error', 'warning', 'note'];
const narrow = matchMedia('(max-width: 56rem)');

const digits = (n) => n.toLocaleString(document.documentElement.lang);
const number = (id) => parseInt(id.slice(1), 10) || 0;
const word = (kind, value) => (knows(`${kind}_${value}`) ? say(`${kind}_${value}`) : value);

/* What is known: every flow by its id; all of them and those that the filter lets pass, newest first. */
const flows = new Map();
let order = [];
let shown = [];
const filter = { text: '', client: '', person: '', state: '', found: false };
/** The flow that somebody opened; without one the newest is shown where there is room. */
let opened = null;
let finding = null;
/** The newest is to be opened as soon as the list is there. */
let newest = false;
/** The row that the keyboard stands on. */
let active = null;

/* The page. */
const searching = make('input', { id: 'text', type: 'search', placeholder: say('search'), autocomplete: 'off', spellcheck: 'false', 'aria-keyshortcuts': '/' });
const chosen = Object.fromEntries(['client', 'person', 'state'].map((name) => [name, make('select', { id: name, name }, make('option', { value: '' }, say(`all_${name}`)))]));
const found = make('button.toggle', { type: 'button', 'aria-pressed': 'false' }, icon('error'), say('with_findings'));
const count = make('p.count', { role: 'status' });
const fresh = make('button.fresh', { type: 'button', hidden: true });
const rows = make('div.stack');
const nothing = make('div.nothing', { hidden: true });
const list = make('div.list', { role: 'listbox', tabindex: 0, 'aria-label': say('list'), id: 'list' }, rows);
const live = make('p.live', { role: 'status', 'data-live': 'waits' }, make('i'), make('span'));
const clear = make('button.quiet', { type: 'button' }, icon('bin'), make('span', {}, say('clear')));
const title = make('h2', { tabindex: -1 });
const about = make('p.about');
const acts = make('div.acts');
const reading = make('div.reading', { tabindex: -1 });
const head = make('header.head', {}, make('button.quiet.leave', { type: 'button', onclick: () => leave() }, icon('left'), say('back')), make('div.who', {}, title, about), acts);
const picture = make('section.picture', { 'aria-label': say('picture') }, head, reading);
const hints = make('div.hints', { role: 'region', 'aria-label': say('hints') });
const heard = make('p.away', { 'aria-live': 'polite' });

root.replaceChildren(hints, make('div.panes', {},
  make('section.pane', { 'aria-label': say('list') },
    make('form.filter', { role: 'search', onsubmit: (event) => event.preventDefault() },
      make('div.search', {}, make('label.away', { for: 'text' }, say('search')), searching, make('kbd', { 'aria-hidden': 'true' }, '/')),
      make('div.choices', {}, Object.entries(chosen).flatMap(([name, select]) => [make('label.away', { for: name }, say(`all_${name}`)), select])),
      make('div.strip', {}, count, found)),
    make('div.well', {}, fresh, list, nothing),
    make('footer.under', {}, live, make('span.spread'),
      make('a.quiet', { href: `${API}.json`, download: 'flows.json' }, icon('down'), say('export')), clear,
      make('button.quiet', { type: 'button', 'aria-label': say('keys'), 'aria-keyshortcuts': '?', onclick: () => help.showModal() }, '?'))),
  picture), heard);

const sequence = new Sequence(reading, {
  touched(code) {
    if (code) finding = code;
    if (current && opened !== current) opened = active = current;
    about.querySelector('.tag')?.remove();
    write(false);
    draw();
  },
  address: (code) => new URL(address({ flow: current, finding: code }), location.href).href,
});

/* The address holds the filter and the open flow. */

function address({ flow = opened, finding: code = finding } = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(filter)) if (value) query.set(name, value === true ? '1' : value);
  if (flow) query.set('flow', flow);
  if (flow && code) query.set('finding', code);
  return query.size ? `/flows?${query}` : '/flows';
}

function write(isNew) {
  const to = address();
  if (isNew) history.pushState(null, '', to);
  else history.replaceState(null, '', to);
  const other = document.querySelector('.switch');
  if (other) other.href = `${to}${to.includes('?') ? '&' : '?'}lang=${zh ? 'en' : 'zh'}`;
}

function read() {
  const query = new URLSearchParams(location.search);
  for (const name of ['text', 'client', 'person', 'state']) filter[name] = query.get(name) ?? '';
  filter.found = query.has('found');
  const flow = query.get('flow') ?? '';
  opened = /^f\d+$/.test(flow) ? flow : null;
  newest = flow === 'latest';
  finding = opened && query.get('finding');
  searching.value = filter.text;
  found.setAttribute('aria-pressed', String(filter.found));
  for (const [name, select] of Object.entries(chosen)) choose(select, filter[name]);
}

function choose(select, value) {
  if (value && ![...select.options].some((option) => option.value === value)) select.append(make('option', { value }, value));
  select.value = value;
}

/* What comes in. */

/** What the text filter looks at. */
function hay(flow) {
  const { id, client, person, door, state, step } = flow;
  const codes = flow.findings.map(({ code }) => `${code} ${word('finding', code)}`);
  return [id, client?.name, client?.appid, person, door, word('door', door), state, word('state', state), step, ...codes].join('\n').toLowerCase();
}

/** Takes in what came, as one piece. */
function take(summaries) {
  const added = [];
  let changed = false;
  for (const flow of summaries) {
    const known = flows.get(flow.id);
    if (known && known.flow.changed > flow.changed) continue;
    if (known) tellFindings(flow, flow.findings.slice(known.flow.findings.length));
    else if (caught) tellFindings(flow, flow.findings);
    if (!known) added.push(flow.id);
    flows.set(flow.id, { flow, hay: hay(flow) });
    changed = true;
    offer(flow);
  }
  if (added.length) {
    added.sort((a, b) => number(b) - number(a));
    const newer = !order.length || number(added.at(-1)) > number(order[0]);
    const older = order.length && number(added[0]) < number(order.at(-1));
    if (newer) order = added.concat(order);
    else if (older) order = order.concat(added);
    else order = order.concat(added).sort((a, b) => number(b) - number(a));
  }
  // The sandbox lets the oldest go; so does the list, or it would grow for days.
  for (const id of order.splice(MOST)) flows.delete(id);
  if (changed) sift();
}

/** The apps and people that were seen, for the filter. */
const offered = { client: new Set(), person: new Set() };
function offer({ client, person }) {
  if (client && !offered.client.has(client.appid)) {
    offered.client.add(client.appid);
    const there = [...chosen.client.options].find(({ value }) => value === client.appid);
    if (there) there.textContent = client.name;
    else chosen.client.append(make('option', { value: client.appid }, client.name));
  }
  if (person && !offered.person.has(person)) {
    offered.person.add(person);
    if (![...chosen.person.options].some(({ value }) => value === person)) chosen.person.append(make('option', { value: person }, person));
  }
}
for (const state of Object.keys(STATES)) chosen.state.append(make('option', { value: state }, word('state', state)));

/** Speaks of new findings, not more often than one can listen. */
let untold = [];
function tellFindings(flow, findings) {
  if (!findings.length) return;
  untold.push(...findings.map(({ code }) => say('new_finding', { what: word('finding', code), app: flow.client?.name ?? flow.id })));
  if (untold.length > findings.length) return;
  setTimeout(() => {
    heard.textContent = untold.slice(0, 3).join(' ');
    untold = [];
  }, 1000);
}

/* The filter, and the list. */

const filtered = () => Boolean(filter.text || filter.client || filter.person || filter.state || filter.found);

function passes({ flow, hay }, parts) {
  return (!filter.client || flow.client?.appid === filter.client)
    && (!filter.person || flow.person === filter.person)
    && (!filter.state || flow.state === filter.state)
    && (!filter.found || flow.findings.length > 0)
    && parts.every((part) => hay.includes(part));
}

/** Flows that came while the list was scrolled away. */
let missed = 0;

function sift({ anew = false } = {}) {
  const before = shown;
  const top = list.scrollTop;
  const at = Math.floor(top / ROW);
  const anchor = !anew && top > 4 ? before[at] : null;
  const parts = filter.text.toLowerCase().split(/\s+/).filter(Boolean);
  shown = filtered() ? order.filter((id) => passes(flows.get(id), parts)) : order.slice();
  rows.style.height = `${shown.length * ROW}px`;
  if (anew) {
    list.scrollTop = 0;
    missed = 0;
  } else if (anchor) {
    // What one looks at stays where it is, whatever comes above it.
    let now = shown.indexOf(anchor);
    if (now < 0) now = at;
    if (now > at) missed += now - at;
    if (now !== at) list.scrollTop = top + (now - at) * ROW;
  }
  draw();
  follow();
}

const pool = [];

function row() {
  const parts = {
    mark: make('span.mark-of'), name: make('b'), person: make('span.person-of'), age: make('span.age'),
    door: make('span.door'), step: make('span.step'), badges: make('span.badges'),
  };
  const element = make('div.flow', { role: 'option' }, parts.mark,
    make('span.one', {}, parts.name, parts.person, parts.age), make('span.two', {}, parts.door, parts.step, parts.badges));
  element.addEventListener('click', () => open(element.dataset.id));
  rows.append(element);
  return { element, parts, shows: null };
}

function age(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 3) return say('now');
  if (s < 60) return say('seconds', { n: s });
  if (s < 3600) return say('minutes', { n: Math.floor(s / 60) });
  if (s < 86_400) return say('hours', { n: Math.floor(s / 3600) });
  return say('days', { n: Math.floor(s / 86_400) });
}

function badges(flow) {
  const of = (severity) => flow.findings.filter((one) => one.severity === severity).length;
  return [
    ...SEVERITIES.filter((severity) => of(severity)).map((severity) =>
      make(`span.badge.${severity}`, { title: say(severity) }, icon(severity), String(of(severity)))),
    flow.faults ? make('span.badge.fault', { title: say('fault') }, icon('bolt'), String(flow.faults)) : null,
  ].filter(Boolean);
}

function spoken(flow) {
  const all = SEVERITIES.map((severity) => [severity, flow.findings.filter((one) => one.severity === severity).length]);
  const counts = all.filter(([, n]) => n).map(([severity, n]) => `${n} ${say(severity)}`);
  const parts = [word('state', flow.state), flow.client?.name ?? say('no_app'), flow.person, word('door', flow.door), step(flow), age(Date.now() - flow.changed), ...counts];
  if (flow.faults) parts.push(`${flow.faults} ${say('fault')}`);
  return parts.filter(Boolean).join(', ');
}

const step = ({ step }) => phrase('step', step);

function fill(slot, id, i) {
  const { flow } = flows.get(id);
  const { element, parts } = slot;
  const at = `${i * ROW}px`;
  if (slot.at !== at) element.style.setProperty('--at', (slot.at = at));
  element.setAttribute('aria-posinset', i + 1);
  element.setAttribute('aria-setsize', shown.length);
  element.classList.toggle('active', id === active);
  element.setAttribute('aria-selected', String(id === (opened ?? (narrow.matches ? null : current))));
  const ago = age(Date.now() - flow.changed);
  if (parts.age.textContent !== ago) parts.age.textContent = ago;
  if (slot.shows === flow) return;
  slot.shows = flow;
  element.id = `row-${id}`;
  element.dataset.id = id;
  element.dataset.state = flow.state;
  element.setAttribute('aria-label', spoken(flow));
  parts.mark.replaceChildren(icon(STATES[flow.state] ?? 'dots'));
  parts.mark.title = word('state', flow.state);
  parts.name.textContent = flow.client?.name ?? say('no_app');
  parts.person.textContent = flow.person ?? '';
  parts.door.textContent = word('door', flow.door);
  parts.step.textContent = step(flow);
  parts.badges.replaceChildren(...badges(flow));
}

function draw() {
  const from = Math.max(0, Math.floor(list.scrollTop / ROW) - SPARE);
  const to = Math.min(shown.length, Math.ceil((list.scrollTop + list.clientHeight) / ROW) + SPARE);
  const needed = to - from;
  while (pool.length < needed) pool.push(row());
  for (const [k, slot] of pool.entries()) {
    // Each row keeps its place as long as it can be seen, so scrolling moves no more than it must.
    const i = from + ((k - (from % pool.length) + pool.length) % pool.length);
    slot.element.hidden = i >= to;
    if (i < to) fill(slot, shown[i], i);
  }
  if (list.scrollTop <= 4) missed = 0;
  fresh.hidden = !missed;
  fresh.textContent = say('fresh', { n: digits(missed) });
  const all = flows.size;
  count.textContent = filtered() ? say('count_of', { n: digits(shown.length), all: digits(all) }) : say(all === 1 ? 'count_one' : 'count', { n: digits(all) });
  const none = !shown.length && caught;
  nothing.hidden = !none;
  list.hidden = none;
  if (none) nothing.replaceChildren(...(all ? unmatched() : [make('p', {}, say('none_yet'))]));
  document.body.classList.toggle('vacant', !all && caught);
  if (active) list.setAttribute('aria-activedescendant', `row-${active}`);
  else list.removeAttribute('aria-activedescendant');
}

const unmatched = () => [make('p', {}, say('none_match')), make('button.quiet', { type: 'button', onclick: unfilter }, say('unfilter'))];

let drawing = false;
function drawSoon() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    draw();
  });
}

function refilter() {
  filter.text = searching.value.trim();
  for (const [name, select] of Object.entries(chosen)) filter[name] = select.value;
  active = null;
  sift({ anew: true });
  write(false);
}

function unfilter() {
  searching.value = '';
  for (const select of Object.values(chosen)) select.value = '';
  filter.found = false;
  found.setAttribute('aria-pressed', 'false');
  refilter();
}

list.addEventListener('scroll', drawSoon, { passive: true });
addEventListener('resize', drawSoon);
searching.addEventListener('input', refilter);
for (const select of Object.values(chosen)) select.addEventListener('change', refilter);
found.addEventListener('click', () => {
  filter.found = !filter.found;
  found.setAttribute('aria-pressed', String(filter.found));
  refilter();
});
fresh.addEventListener('click', () => {
  list.scrollTop = 0;
  missed = 0;
  draw();
  list.focus();
});
setInterval(() => !document.hidden && draw(), 1000);

/* The open flow. */

/** The flow that the picture shows. */
let current = null;
let since = 0;
let waits = null;

function open(id, { isNew = true, focus = false } = {}) {
  if (opened !== id) finding = null;
  opened = active = id;
  if (isNew) write(true);
  show(id);
  if (focus || narrow.matches) title.focus({ preventScroll: true });
}

/** Back to the list. */
function leave({ isNew = true } = {}) {
  const was = opened;
  opened = finding = null;
  if (isNew) write(true);
  document.body.classList.remove('reading-one');
  follow();
  draw();
  active = was ?? active;
  if (active) bring(shown.indexOf(active));
  list.focus();
}

/** Shows the newest flow as long as nobody has opened one. */
function follow() {
  if (opened || narrow.matches) return;
  const first = shown[0];
  if (!first && !flows.size && caught) show(null);
  if (!first || first === current) return;
  clearTimeout(waits);
  const left = current && flows.has(current) ? since + DWELL_MS - performance.now() : 0;
  if (left > 0) waits = setTimeout(follow, left);
  else show(first);
}

function show(id) {
  document.body.classList.toggle('reading-one', Boolean(id && opened));
  if (id === null) {
    current = null;
    welcome();
    return;
  }
  if (id !== current) since = performance.now();
  current = id;
  draw();
  load();
}

let loading = false;
let stale = false;

/** Fetches the flow that is shown; what changes meanwhile is fetched after that. */
async function load() {
  if (loading) {
    stale = true;
    return;
  }
  loading = true;
  const id = current;
  try {
    const flow = await ask('GET', `${API}/${id}`);
    if (current === id) present(flow);
  } catch (error) {
    if (current === id) missing(id, error);
  } finally {
    loading = false;
  }
  if (stale || (current && current !== id)) {
    stale = false;
    load();
  }
}

function present(flow) {
  const isOther = sequence.flow?.id !== flow.id;
  picture.dataset.state = flow.state;
  title.textContent = flow.client?.name ?? say('no_app');
  about.replaceChildren(
    make(`span.state.s-${flow.state}`, {}, icon(STATES[flow.state] ?? 'dots'), word('state', flow.state)),
    ...[flow.person, word('door', flow.door), span(flow.took), flow.id].filter(Boolean).map((part) => make('span', {}, part)),
    opened ? '' : make('span.tag', {}, say('following')),
  );
  if (isOther) {
    acts.replaceChildren(
      copier('button.quiet', say('copy_text'), () => text(flow.id)),
      copier('button.quiet', say('copy_link'), () => new URL(address({ flow: flow.id, finding: null }), location.href).href),
      make('a.quiet', { href: `${API}/${flow.id}`, download: `${flow.id}.json` }, icon('down'), 'JSON'));
  }
  acts.hidden = false;
  sequence.show(flow);
  if (isOther && finding) sequence.reveal(finding);
}

async function text(id) {
  const answer = await fetch(`${API}/${id}.txt`, { cache: 'no-store' });
  if (!answer.ok) throw new Refused(answer.status, []);
  return answer.text();
}

function missing(id, error) {
  const gone = error instanceof Refused && error.status === 404;
  title.textContent = gone ? say('gone') : say('trouble');
  about.replaceChildren();
  acts.hidden = true;
  sequence.clear();
  reading.append(make('p.nothing', {}, gone ? say('gone_why', { id }) : error.message));
}

/** What to do when nothing has happened yet. */
function welcome() {
  title.textContent = say('welcome');
  about.replaceChildren(say('welcome_why'));
  acts.hidden = true;
  sequence.clear();
  const command = (text) => make('p.command', {}, make('code', {}, text), copier('button.quiet.small', say('copy'), text));
  reading.append(make('ol.begin', {},
    make('li', {}, make('h3', {}, say('begin_demo')), make('p', {}, say('begin_demo_how')),
      make('a.button.primary', { href: root.dataset.demo, target: '_blank', rel: 'noopener' }, say('begin_demo_do'))),
    make('li', {}, make('h3', {}, say('begin_run')), make('p', {}, say('begin_run_how')), command(say('begin_run_do'))),
    make('li', {}, make('h3', {}, say('begin_open')), make('p', {}, say('begin_open_how')), command(say('begin_open_do')))));
}

/* The keyboard. */

function bring(i) {
  if (i < 0) return;
  const top = i * ROW;
  if (top < list.scrollTop) list.scrollTop = top;
  else if (top + ROW > list.scrollTop + list.clientHeight) list.scrollTop = top + ROW - list.clientHeight;
}

function move(by) {
  if (!shown.length) return;
  const at = shown.indexOf(active ?? opened ?? '');
  const to = Math.min(shown.length - 1, Math.max(0, at < 0 ? 0 : at + by));
  active = shown[to];
  bring(to);
  draw();
  if (document.activeElement !== list) list.focus({ preventScroll: true });
}

const help = make('dialog.help', { 'aria-labelledby': 'help' }, make('h2', { id: 'help' }, say('keys')),
  make('dl', {}, [['/', 'key_filter'], ['j k ↑ ↓', 'key_move'], ['Home End', 'key_ends'], ['Enter', 'key_open'], ['Esc', 'key_back'], ['?', 'key_help']].map(([keys, what]) =>
    make('div', {}, make('dt', {}, keys.split(' ').map((key) => make('kbd', {}, key))), make('dd', {}, say(what))))),
  make('form', { method: 'dialog' }, make('button', {}, say('close'))));
root.append(help);

addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || help.open) return;
  const inField = event.target.closest('input, select, textarea');
  const inPicture = picture.contains(event.target);
  const acted = () => event.preventDefault();
  if (event.key === 'Escape') {
    if (inField === searching && searching.value) return;
    acted();
    if (inField) list.focus();
    else if (opened || inPicture) leave();
    return;
  }
  if (inField === searching && (event.key === 'ArrowDown' || event.key === 'Enter')) {
    acted();
    return move(0);
  }
  if (inField) return;
  const by = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[event.key];
  const page = { PageDown: 1, PageUp: -1 }[event.key];
  if (event.key === '/') {
    acted();
    searching.focus();
    searching.select();
  } else if (event.key === '?') {
    acted();
    help.showModal();
  } else if (by && inPicture && !event.target.closest('pre')) {
    acted();
    sequence.step(by);
  } else if (by && !inPicture) {
    acted();
    move(by);
  } else if (page && event.target === list) {
    acted();
    move(page * Math.max(1, Math.floor(list.clientHeight / ROW) - 1));
  } else if ((event.key === 'Home' || event.key === 'End') && event.target === list) {
    acted();
    active = event.key === 'Home' ? shown[0] : shown.at(-1);
    bring(shown.indexOf(active));
    draw();
  } else if (event.key === 'Enter' && event.target === list && active) {
    acted();
    open(active, { focus: true });
  }
});

/* Clearing takes a second click. */
let sure = null;
clear.addEventListener('click', async () => {
  const words = clear.lastChild;
  if (!sure) {
    words.textContent = say('clear_sure', { n: digits(flows.size) });
    clear.classList.add('danger');
    sure = setTimeout(calm, 3000);
    return;
  }
  calm();
  try {
    await ask('DELETE', API);
    empty();
  } catch (error) {
    heard.textContent = words.textContent = error.message;
  }
});
function calm() {
  clearTimeout(sure);
  sure = null;
  clear.classList.remove('danger');
  clear.lastChild.textContent = say('clear');
}

function empty() {
  flows.clear();
  order = [];
  opened = active = finding = null;
  sift({ anew: true });
  show(null);
  write(false);
}

/* Hints: why nothing arrives of a program that was started. */

const dismissed = new Set();

function hint(told, command) {
  const id = `${told.launch ?? ''} ${told.code ?? told.title}`;
  const there = [...hints.children].find((one) => one.dataset.hint === id);
  if (dismissed.has(id) || there) return id;
  const of = (key) => (zh && told[`${key}_zh`]) || told[key] || '';
  const remedy = of('remedy');
  const isCommand = /^[\w./=-]+( \S+){0,6}$/.test(remedy);
  // The remedy for every program, as it is typed for this one.
  const typed = isCommand ? remedy : command && /yufu run --net -- …/.test(remedy) ? `yufu run --net -- ${command}` : null;
  const banner = make('article.hint-banner', { 'data-hint': id, role: 'status' }, icon('warning'),
    make('div', {}, make('h2', {}, of('title')), command ? make('p', {}, make('code', {}, command)) : null,
      isCommand ? null : make('p', {}, remedy.split(/(`[^`]+`|yufu (?:run|open|ca)(?: (?:--[\w-]*|URL|…))*)/).map((part, i) => (i % 2 ? make('code', {}, part.replaceAll('`', '')) : part))),
      typed ? make('p.command', {}, make('code', {}, typed), copier('button.quiet.small', say('copy'), typed)) : null),
    make('button.quiet.small', { type: 'button', 'aria-label': say('dismiss'), onclick: () => { dismissed.add(id); banner.remove(); } }, icon('cross')));
  hints.append(banner);
  return id;
}

/** Looks at what was started; a hint goes when its reason has gone. */
async function launches() {
  const told = await ask('GET', '/_sandbox/launches');
  const now = (told?.launches ?? []).filter((one) => one.hint && !one.ended).map((one) => hint({ ...one.hint, launch: one.id }, one.command));
  for (const banner of [...hints.children]) if (!now.includes(banner.dataset.hint)) banner.remove();
}

/* The stream. */

/** Whether the whole list was read. */
let caught = false;

function state(now) {
  live.dataset.live = now;
  live.lastChild.textContent = say(`live_${now}`);
}

/** Reads the whole list, newest first. */
async function catchUp() {
  let after = '';
  do {
    const page = await ask('GET', `${API}?limit=${PAGE}${after}`);
    take(page.flows);
    if (newest && shown.length) {
      newest = false;
      open(shown[0], { isNew: false });
      write(false);
    }
    after = page.next ? `&after=${encodeURIComponent(page.next)}` : '';
  } while (after);
  caught = true;
  draw();
  if (opened) show(opened);
  else if (!flows.size) show(null);
  else follow();
}

let stream = null;
let retry = null;

function listen() {
  stream?.close();
  clearTimeout(retry);
  stream = new EventSource(`${API}/stream`);
  stream.addEventListener('open', () => {
    state('on');
    catchUp().catch(stopped);
  });
  stream.addEventListener('flows', (event) => {
    const summaries = JSON.parse(event.data);
    take(summaries);
    if (current && summaries.some(({ id }) => id === current)) load();
  });
  stream.addEventListener('cleared', empty);
  stream.addEventListener('hint', () => launches().catch(() => {}));
  stream.addEventListener('error', () => {
    state('lost');
    // A browser tries again by itself, except after an answer that is no stream.
    if (stream.readyState === EventSource.CLOSED) again();
  });
}

function again() {
  clearTimeout(retry);
  retry = setTimeout(() => ask('GET', `${API}?limit=1`).then(listen, stopped), 2000);
}

function stopped(error) {
  const locked = error instanceof Refused && (error.status === 401 || error.status === 403);
  state(locked ? 'locked' : 'lost');
  if (!locked) again();
}

addEventListener('popstate', () => {
  read();
  sift({ anew: true });
  if (opened) show(opened);
  else leave({ isNew: false });
});
narrow.addEventListener('change', () => (opened ? show(opened) : follow()));

read();
write(false);
state('waits');
listen();
launches().catch(() => {});
setInterval(() => !document.hidden && launches().catch(() => {}), 5000);
