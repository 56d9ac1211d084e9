// One flow as a sequence diagram: a lane for everyone who takes part, an arrow for every exchange.
// An arrow opens what went over the wire; a value that was made unreadable can be followed by its
// mark, which is the same wherever the value was.

const { copier, icon, knows, make, phrase, say, zh } = await import(document.getElementById('flows').dataset.dom);

const LANES = ['user', 'app', 'browser', 'backend', 'platform'];
/** A value that was taken out: its kind, and a mark that is the same for the same value. */
const MARK = /([A-Za-z_]+)‹([0-9a-f]+)…?›/g;
/** The values whose way through a login is worth following. */
const TOLD = ['state', 'uuid', 'code', 'secret', 'access_token', 'refresh_token', 'ticket'];
/** Where nothing happens for longer than this, the time is folded. */
const GAP_MS = 2000;
const SIGNS = { error: 'error', warning: 'warning', note: 'note' };

/** A span of time as short as it can be said. */
export function span(ms) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 10_000) return `${(ms / 1000).toFixed(2)} s`;
  if (ms < 100_000) return `${(ms / 1000).toFixed(1)} s`;
  const minutes = Math.floor(ms / 60_000);
  return `${minutes}:${String(Math.floor((ms % 60_000) / 1000)).padStart(2, '0')} min`;
}

/** Words from elsewhere in the page's language. */
const told = (thing, key) => (zh && thing[`${key}_zh`]) || thing[key] || '';

/** A text with every mark in it as a button that shows where else the value is. */
function marked(text) {
  const parts = [];
  let from = 0;
  for (const match of text.matchAll(MARK)) {
    parts.push(text.slice(from, match.index), chip(match[0], match[1], match[2]));
    from = match.index + match[0].length;
  }
  parts.push(text.slice(from));
  return parts.filter((part) => part !== '');
}

/** The colour of each value of the flow, in the order in which they came. */
const tones = new Map();

function chip(value, kind, mark) {
  if (!tones.has(value)) tones.set(value, tones.size % 6);
  const tone = tones.get(value);
  return make('button.value', { type: 'button', 'data-value': value, 'data-tone': tone, 'aria-pressed': 'false', title: say('follow') },
    make('span', {}, kind), make('b', {}, mark.slice(0, 4)));
}

/** All marks of an arrow. */
function valuesOf(arrow) {
  const text = JSON.stringify([arrow.request, arrow.answer]);
  return new Set([...text.matchAll(MARK)].map((match) => match[0]));
}

function decoded(text) {
  try {
    return decodeURIComponent(text.replace(/\+/g, ' '));
  } catch {
    return text;
  }
}

/** The fields of a query or of a form. */
function fieldsOf(text) {
  return text.split('&').filter(Boolean).map((pair) => {
    const at = pair.indexOf('=');
    return at < 0 ? [decoded(pair), ''] : [decoded(pair.slice(0, at)), decoded(pair.slice(at + 1))];
  });
}

const table = (rows, name) => make(`dl.${name}`, {},
  rows.map(([key, value]) => make('div', {}, make('dt', {}, key), make('dd', {}, value === '' ? make('i', {}, say('empty')) : marked(value)))));

/** A JSON value with its marks, indented; keys, texts and numbers each in their own ink. */
function jsonTree(value, depth = 0) {
  const pad = '  '.repeat(depth + 1);
  if (value === null || typeof value === 'boolean' || typeof value === 'number') return [make('span.j-num', {}, String(value))];
  if (typeof value === 'string') return [make('span.j-str', {}, '"', marked(JSON.stringify(value).slice(1, -1)), '"')];
  const isList = Array.isArray(value);
  const entries = isList ? value.map((item) => [null, item]) : Object.entries(value);
  if (!entries.length) return [isList ? '[]' : '{}'];
  const lines = entries.flatMap(([key, item], i) => [
    pad, key === null ? '' : make('span.j-key', {}, JSON.stringify(key)), key === null ? '' : ': ',
    ...jsonTree(item, depth + 1), i < entries.length - 1 ? ',\n' : '\n',
  ]);
  return [isList ? '[\n' : '{\n', ...lines, '  '.repeat(depth), isList ? ']' : '}'];
}

function body(message) {
  const text = message.body ?? '';
  if (!text) return null;
  const type = (message.headers ?? []).find(([key]) => key.toLowerCase() === 'content-type')?.[1] ?? '';
  const cut = message.body_cut ? make('p.hint', {}, say('cut')) : null;
  if (/^\s*[[{]/.test(text)) {
    try {
      return [make('pre.wire-body', { tabindex: 0 }, make('code', {}, jsonTree(JSON.parse(text)))), cut];
    } catch {
      // Not JSON after all, or cut: shown as it came.
    }
  }
  if (/x-www-form-urlencoded/.test(type)) return [table(fieldsOf(text), 'params'), cut];
  return [make('pre.wire-body', { tabindex: 0 }, make('code', {}, marked(text))), cut];
}

function headers(list) {
  if (!list?.length) return null;
  return make('details.headers', {}, make('summary', {}, say('headers', { n: list.length })), table(list, 'params'));
}

function requestPart(request) {
  const [where, query = ''] = request.url.split('#')[0].split(/\?(.*)/s);
  const fields = fieldsOf(query);
  return make('section.side', {}, make('h3', {}, say('request')),
    make('p.line', {}, make('b', {}, request.method), ' ', marked(where)),
    fields.length ? table(fields, 'params') : null, headers(request.headers), body(request));
}

function answerPart(arrow) {
  const { answer } = arrow;
  if (!answer) return make('section.side', {}, make('h3', {}, say('answer')), make('p.line.bad', {}, icon('cross'), ' ', say('no_answer')));
  return make('section.side', {}, make('h3', {}, say('answer')),
    make('p.line', {}, make('b', {}, String(answer.status)), make('span.hint', {}, ` ${span(arrow.took)}`)),
    headers(answer.headers), body(answer) ?? make('p.hint', {}, say('no_body')));
}

/** The picture of one flow in an element that scrolls. */
export class Sequence {
  #root;
  #scroller;
  #rows = new Map();
  #carried = new Map();
  #open = new Set();
  #flow = null;
  #pinned = null;
  #hooks;

  /** `hooks.touched()`: somebody looks into the flow; `hooks.address(finding)`: a permalink. */
  constructor(scroller, hooks) {
    this.#scroller = scroller;
    this.#hooks = hooks;
    scroller.addEventListener('mouseover', (event) => this.#point(event.target));
    scroller.addEventListener('focusin', (event) => this.#point(event.target));
    scroller.addEventListener('mouseout', (event) => event.target.closest?.('.value') && this.#follow(this.#pinned));
    scroller.addEventListener('focusout', (event) => event.target.closest?.('.value') && this.#follow(this.#pinned));
    scroller.addEventListener('click', (event) => this.#click(event));
  }

  get flow() {
    return this.#flow;
  }

  /** Shows a flow; what was open in it stays open when it is the one that is shown already. */
  show(flow) {
    const fresh = this.#flow?.id !== flow.id;
    // Whoever stands at the end of a living picture stays there.
    const { scrollTop, scrollHeight, clientHeight } = this.#scroller;
    const atEnd = !fresh && scrollTop + clientHeight > scrollHeight - 40 && scrollHeight > clientHeight;
    if (fresh) this.#begin(flow);
    this.#flow = flow;
    this.#draw(!fresh);
    if (atEnd) this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }

  /** Shows nothing. */
  clear() {
    this.#flow = null;
    this.#scroller.replaceChildren();
  }

  /** Brings a finding to the eye. */
  reveal(code) {
    const card = this.#root?.querySelector(`.finding[data-code="${CSS.escape(code)}"]`);
    if (!card) return false;
    card.scrollIntoView({ block: 'center' });
    card.classList.add('told');
    card.focus({ preventScroll: true });
    return true;
  }

  /** Moves the focus to the arrow before or after the one that has it. */
  step(by) {
    const buttons = [...this.#root.querySelectorAll('button.arrow')];
    if (!buttons.length) return;
    const row = document.activeElement?.closest('.row');
    const at = row ? buttons.indexOf(row.querySelector('button.arrow')) : -1;
    const next = buttons[Math.min(buttons.length - 1, Math.max(0, at < 0 ? (by > 0 ? 0 : buttons.length - 1) : at + by))];
    next.focus();
    next.scrollIntoView({ block: 'nearest' });
  }

  #begin(flow) {
    this.#rows.clear();
    this.#open.clear();
    this.#pinned = null;
    tones.clear();
    this.#root = make('div.sequence', {},
      make('ol.heads', { 'aria-label': say('lanes') }),
      make('div.field', {}, make('div.lines', { 'aria-hidden': 'true' }), make('ol.steps', { 'aria-label': say('arrows') })));
    this.#scroller.replaceChildren(make('div.top'), this.#root);
    this.#scroller.scrollTop = 0;
    this.#scroller.dataset.flow = flow.id;
  }

  #draw(live) {
    const flow = this.#flow;
    const lanes = LANES.filter((lane) => flow.arrows.some(({ from, to }) => from === lane || to === lane));
    this.#root.style.setProperty('--lanes', lanes.length);
    this.#root.classList.toggle('wide', lanes.length > 3);
    this.#heads(flow, lanes);
    this.#carried = new Map(flow.arrows.map((arrow) => [arrow.n, valuesOf(arrow)]));
    const list = this.#root.querySelector('.steps');
    const wanted = [];
    let before = null;
    for (const arrow of flow.arrows) {
      const findings = (arrow.findings ?? []).map((i) => flow.findings[i]).filter(Boolean);
      const key = JSON.stringify([arrow, findings, lanes, before?.at]);
      let row = this.#rows.get(arrow.n);
      if (row?.key !== key) {
        const element = this.#row(arrow, findings, lanes, before);
        if (live && !row) element.classList.add('arrives');
        row?.element.replaceWith(element);
        row = { key, element };
        this.#rows.set(arrow.n, row);
      }
      wanted.push(row.element);
      before = arrow;
    }
    for (const [n, row] of this.#rows) {
      if (!wanted.includes(row.element)) {
        row.element.remove();
        this.#rows.delete(n);
      }
    }
    wanted.forEach((element, i) => {
      if (list.children[i] !== element) list.insertBefore(element, list.children[i] ?? null);
    });
    this.#end(list, wanted.length);
    this.#top();
    this.#follow(this.#pinned);
  }

  /** What stands after the last arrow: that it goes on, or that some are no longer there. */
  #end(list, count) {
    while (list.children.length > count) list.lastElementChild.remove();
    if (this.#flow.dropped > 0) list.append(make('li.row.tail', {}, say('dropped', { n: this.#flow.dropped })));
    if (this.#flow.state === 'open') list.append(make('li.row.tail.waits', {}, make('i'), say('goes_on')));
  }

  #heads(flow, lanes) {
    const names = {
      user: flow.person ?? say('nobody'),
      app: flow.client?.name,
      browser: '',
      backend: flow.client?.name,
      platform: knows(`dialect_${flow.dialect}`) ? say(`dialect_${flow.dialect}`) : flow.dialect,
    };
    const key = JSON.stringify([lanes, names]);
    const heads = this.#root.querySelector('.heads');
    if (heads.dataset.key === key) return;
    heads.dataset.key = key;
    heads.replaceChildren(...lanes.map((lane) => make('li', { 'data-lane': lane },
      icon(lane), make('b', {}, say(`lane_${lane}`)), names[lane] ? make('small', { title: names[lane] }, names[lane]) : null)));
    this.#root.querySelector('.lines').replaceChildren(...lanes.map((_, i) => make('i', { '--at': `${((i + 0.5) / lanes.length) * 100}%` })));
  }

  #row(arrow, findings, lanes, before) {
    const isNote = !arrow.request && !arrow.presumed;
    const [a, b] = [lanes.indexOf(arrow.from), lanes.indexOf(arrow.to)];
    const at = (lane) => ((lane + 0.5) / lanes.length) * 100;
    const [low, high] = [Math.min(a, b), Math.max(a, b)];
    const way = a === b ? 'to-self' : a < b ? 'to-right' : 'to-left';
    const side = (low + high) / 2 > (lanes.length - 1) / 2 ? 'end' : 'start';
    const since = arrow.at - this.#flow.at;
    const gap = before ? Math.max(0, arrow.at - before.at) : 0;
    const row = make('li', {
      class: `row ${way} ${side}${isNote ? ' noted' : ''}${arrow.presumed ? ' presumed' : ''}${arrow.ok ? '' : ' wrong'}`, 'data-n': arrow.n,
      '--low': `${at(low)}%`, '--high': `${at(high)}%`, '--rest': `${gap > GAP_MS ? 0 : Math.round((gap / GAP_MS) * 36)}px`,
    });
    if (gap > GAP_MS) row.append(make('p.gap', {}, make('span', {}, say('later', { span: span(gap) }))));
    row.append(arrow.request ? this.#arrow(arrow, since) : this.#note(arrow, since));
    if (arrow.request) {
      const panel = make('div.panel', { id: `panel-${arrow.n}`, hidden: !this.#open.has(arrow.n) });
      if (this.#open.has(arrow.n)) panel.append(requestPart(arrow.request), answerPart(arrow));
      row.append(panel);
    }
    for (const finding of findings) row.append(this.#finding(finding));
    return row;
  }

  #label(arrow) {
    const [verb, ...path] = arrow.label.split(' ');
    const isCall = /^[A-Z]+$/.test(verb) && path.length > 0;
    const aside = arrow.note && arrow.note !== arrow.label.split(': ')[0] ? phrase('note', arrow.note) : '';
    return make('span.label', {},
      isCall ? [make('span.verb', {}, verb), make('span.path', {}, path.join(' '))] : make('span.word', {}, phrase('note', arrow.label)),
      arrow.count > 1 ? make('span.times', { title: say('times', { n: arrow.count }) }, `×${arrow.count}`) : null,
      aside ? make('span.aside-word', {}, aside) : null,
      (arrow.faults ?? []).map((fault) => make('span.fault', { title: say('fault') }, icon('bolt'), phrase('fault', fault))));
  }

  #arrow(arrow, since) {
    const open = this.#open.has(arrow.n);
    const outcome = arrow.result === 'cut' ? say('cut_off') : (arrow.result ?? '…');
    const sign = arrow.result === null ? null : arrow.ok ? 'check' : 'cross';
    const title = say('arrow_said', {
      from: say(`lane_${arrow.from}`), to: say(`lane_${arrow.to}`), label: arrow.label,
      result: `${arrow.ok ? say('fine') : say('refused')} ${outcome}`, after: span(since),
    });
    const more = (arrow.faults ?? []).map((fault) => `. ${say('fault')}: ${phrase('fault', fault)}`).join('');
    return make('button.arrow', { type: 'button', 'data-n': arrow.n, 'aria-expanded': String(open), 'aria-controls': `panel-${arrow.n}`, 'aria-label': title + more },
      make('span.when', {}, span(since)),
      make('span.area', {}, this.#label(arrow), make('span.shaft')),
      make(`span.outcome.${arrow.ok ? 'good' : 'bad'}`, {}, sign ? icon(sign) : null, make('b', {}, outcome), make('small', {}, span(arrow.took))));
  }

  #note(arrow, since) {
    return make('div.arrow', {}, make('span.when', {}, span(since)),
      make('span.area', {}, this.#label(arrow), make('span.shaft')), make('span.outcome'));
  }

  #finding(finding) {
    const fact = /facts\/(\w+)\.md §([\d.]*\d)/.exec(finding.source ?? '');
    const source = fact
      ? make('a', { href: `/flows/facts/${fact[1]}/${fact[2]}`, target: '_blank', rel: 'noopener' }, `${fact[1]} §${fact[2]}`)
      : finding.source ?? '';
    return make(`article.finding.${finding.severity}`, { 'data-code': finding.code, tabindex: -1, 'aria-label': `${say(finding.severity)}: ${told(finding, 'title')}` },
      make('h3', {}, icon(SIGNS[finding.severity] ?? 'note'), make('span.kind', {}, say(finding.severity)), make('span', {}, told(finding, 'title')), finding.said ? make('code.said-of', {}, marked(finding.said)) : null),
      make('p', {}, marked(told(finding, 'why'))),
      make('p.fix', {}, make('b', {}, say('fix')), ' ', marked(told(finding, 'fix'))),
      make('p.foot', {}, make('span', {}, say('source'), ' ', source), make('code', {}, finding.code),
        copier('button.quiet.small', say('copy_link'), () => this.#hooks.address(finding.code))));
  }

  /** The findings in short, those that belong to no arrow in full, and the values to follow. */
  #top() {
    const top = this.#scroller.querySelector('.top');
    const { findings } = this.#flow;
    const counts = new Map();
    for (const values of this.#carried.values()) for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
    const known = [...counts].filter(([value, count]) => count > 1 && TOLD.includes(value.split('‹')[0])).slice(0, 7);
    const key = JSON.stringify([findings, known]);
    if (top.dataset.key === key) return;
    top.dataset.key = key;
    const loose = findings.filter(({ arrow }) => !this.#rows.has(arrow));
    const tied = findings.filter(({ arrow }) => this.#rows.has(arrow));
    top.replaceChildren(...[
      tied.length ? make('ul.gist', { 'aria-label': say('findings') }, tied.map((finding) => make('li', {},
        make(`button.jump.${finding.severity}`, { type: 'button', 'data-jump': finding.code }, icon(SIGNS[finding.severity] ?? 'note'), make('span', {}, told(finding, 'title')))))) : null,
      ...loose.map((finding) => this.#finding(finding)),
      known.length ? make('p.values', {}, make('span.hint', {}, say('values')), known.map(([value]) => {
        const [, kind, mark] = new RegExp(MARK.source).exec(value);
        return chip(value, kind, mark);
      })) : null,
    ].filter(Boolean));
  }

  #click(event) {
    const value = event.target.closest('.value');
    if (value) {
      this.#pinned = this.#pinned === value.dataset.value ? null : value.dataset.value;
      this.#follow(this.#pinned);
      return;
    }
    const jump = event.target.closest('[data-jump]');
    if (jump) {
      this.reveal(jump.dataset.jump);
      this.#hooks.touched(jump.dataset.jump);
      return;
    }
    const arrow = event.target.closest('button.arrow');
    if (arrow) this.#toggle(Number(arrow.dataset.n));
  }

  #toggle(n) {
    const row = this.#rows.get(n)?.element;
    const panel = row?.querySelector('.panel');
    if (!panel) return;
    const open = !this.#open.has(n);
    if (open) this.#open.add(n);
    else this.#open.delete(n);
    row.querySelector('.arrow').setAttribute('aria-expanded', String(open));
    panel.hidden = !open;
    const arrow = this.#flow.arrows.find((one) => one.n === n);
    panel.replaceChildren(...(open ? [requestPart(arrow.request), answerPart(arrow)] : []));
    this.#follow(this.#pinned);
    this.#hooks.touched();
  }

  #point(target) {
    const value = target.closest?.('.value');
    if (value) this.#follow(value.dataset.value);
  }

  /** Lights up a value wherever it is, and the arrows that carried it. */
  #follow(value) {
    if (!this.#root) return;
    this.#root.classList.toggle('following', Boolean(value));
    for (const one of this.#scroller.querySelectorAll('.value')) {
      one.classList.toggle('lit', one.dataset.value === value);
      one.setAttribute('aria-pressed', String(one.dataset.value === this.#pinned));
    }
    for (const [n, row] of this.#rows) row.element.classList.toggle('carries', Boolean(value) && this.#carried.get(n)?.has(value));
  }
}
