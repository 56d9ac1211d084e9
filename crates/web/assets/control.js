// The control of the sandbox as a page: people, apps, faults, the clock, answers by themselves,
// events and snapshots. It does nothing that the REST API does not.

const root = document.getElementById('control');
const { ask, copier, icon, knows, make, Refused, say, zh } = await import(root.dataset.dom);

const API = '/_sandbox';
const word = (kind, value) => (knows(`${kind}_${value}`) ? say(`${kind}_${value}`) : value);
/** A list that stands alone or under its name. */
const listed = (told, name) => (Array.isArray(told) ? told : told?.[name]) ?? [];
const part = (path) => encodeURIComponent(path);

/** What the sections tell one another: the people and the apps. */
const world = { people: [], clients: [] };

/* Forms. A complaint is shown at its field; what belongs to no field, above the button. */

let drawn = 0;

/** A field: `{ name, label, kind, options, value, hint, must, placeholder }`. */
function field(spec) {
  const id = `field-${++drawn}`;
  const { name, label, kind = 'text', options, value, hint, must, placeholder } = spec;
  const common = { id, name, required: must, 'aria-describedby': hint ? `${id}-hint ${id}-wrong` : `${id}-wrong` };
  let input;
  if (options) {
    input = make('select', common, options.map(([key, text]) => make('option', { value: key }, text)));
  } else {
    const type = kind === 'number' || kind === 'real' ? 'number' : 'text';
    input = make('input', { ...common, type, step: kind === 'real' ? 'any' : null, min: spec.least, max: spec.most, placeholder, autocomplete: 'off', spellcheck: 'false' });
  }
  if (value !== undefined && value !== null) input.value = value;
  const wrong = make('p.problem', { id: `${id}-wrong`, hidden: true });
  // What is chosen can be read whole.
  const wide = options?.some(([, text]) => [...text].reduce((n, one) => n + (one > '\u2e80' ? 2 : 1), 0) > 15);
  const element = make(wide ? 'div.entry.wide' : 'div.entry', {}, make('label', { for: id }, label, must ? null : make('small', {}, ` ${say('optional')}`)), input,
    hint ? make('p.hint', { id: `${id}-hint` }, hint) : null, wrong);
  return {
    element, input, name,
    read() {
      const text = input.value.trim();
      if (text === '') return undefined;
      if (kind === 'number' || kind === 'real') return Number(text);
      if (kind === 'list') return text.split(/[\s,，]+/).filter(Boolean);
      return text;
    },
    complain(text) {
      wrong.textContent = text;
      wrong.hidden = !text;
      input.setAttribute('aria-invalid', String(Boolean(text)));
    },
  };
}

const sentence = ({ what, remedy }) => [what, remedy].filter(Boolean).join('. ');

/** A form of fields that sends what was filled in; `send(values)` may throw a refusal. */
function form(fields, label, send, { danger = false } = {}) {
  const wrong = make('p.problem', { role: 'alert', hidden: true });
  const button = make(danger ? 'button.danger' : 'button.primary', {}, label);
  const element = make('form', { novalidate: true }, fields.map(({ element }) => element), wrong, make('div.send', {}, button));
  element.addEventListener('submit', async (event) => {
    event.preventDefault();
    for (const one of fields) one.complain('');
    wrong.hidden = true;
    button.disabled = true;
    try {
      const values = {};
      for (const one of fields) {
        const value = one.read();
        if (value !== undefined) values[one.name] = value;
      }
      await send(values, element);
    } catch (error) {
      complain(error, fields, wrong);
    } finally {
      button.disabled = false;
    }
  });
  return element;
}

function complain(error, fields, general) {
  const rest = [];
  for (const complaint of error instanceof Refused ? error.complaints : []) {
    const path = (complaint.at ?? '').replace(/\[\d+\]/g, '');
    const one = fields.find(({ name }) => name === path) ?? fields.find(({ name }) => name === path.split('.').at(-1));
    if (one) one.complain(sentence(complaint));
    else rest.push(complaint.at ? `${complaint.at} ${sentence(complaint)}` : sentence(complaint));
  }
  if (!(error instanceof Refused) || !error.complaints.length) rest.push(error.message);
  general.textContent = rest.join('\n');
  general.hidden = !rest.length;
  fields.find(({ input }) => input.getAttribute('aria-invalid') === 'true')?.input.focus();
}

/** A switch that is thrown at once, and falls back when that is refused. */
function toggle(label, on, change) {
  const button = make('button.switch-of', { type: 'button', role: 'switch', 'aria-checked': String(on) }, make('i'), make('span', {}, label));
  const wrong = make('p.problem', { role: 'alert', hidden: true });
  button.addEventListener('click', async () => {
    const to = button.getAttribute('aria-checked') !== 'true';
    button.setAttribute('aria-checked', String(to));
    wrong.hidden = true;
    try {
      await change(to);
    } catch (error) {
      button.setAttribute('aria-checked', String(!to));
      wrong.textContent = error.message;
      wrong.hidden = false;
    }
  });
  return make('div.toggled', {}, button, wrong);
}

/** A button whose second click does it. */
function twice(label, sure, act, name = 'button.quiet') {
  const words = make('span', {}, label);
  const button = make(name, { type: 'button' }, words);
  let timer = null;
  const calm = () => {
    clearTimeout(timer);
    timer = null;
    words.textContent = label;
    button.classList.remove('sure');
  };
  button.addEventListener('click', async () => {
    if (!timer) {
      words.textContent = sure;
      button.classList.add('sure');
      timer = setTimeout(calm, 3000);
      return;
    }
    calm();
    try {
      await act();
    } catch (error) {
      tell(error.message, true);
    }
  });
  return button;
}

/* What was done, said once for everybody. */
const toast = make('p.toast', { role: 'status', 'aria-live': 'polite' });
let fading;
function tell(text, isWrong = false) {
  toast.textContent = text;
  toast.classList.toggle('wrong', isWrong);
  toast.classList.add('shown');
  clearTimeout(fading);
  fading = setTimeout(() => toast.classList.remove('shown'), 4000);
}

const once = (name, options, act) => {
  const button = make(name, { type: 'button', ...options.attributes }, options.icon ? icon(options.icon) : null, make('span', {}, options.label));
  button.addEventListener('click', async () => {
    button.disabled = true;
    try {
      await act();
    } catch (error) {
      tell(error.message, true);
    } finally {
      button.disabled = false;
    }
  });
  return button;
};

/** What can be opened to be filled in; it closes when it was sent. */
const drawer = (label, inside) => make('details.drawer', {}, make('summary', {}, label), inside);

/* Sections. */

function section(name, ...inside) {
  return make('section', { id: name, 'aria-labelledby': `${name}-title` },
    make('h2', { id: `${name}-title` }, say(name)), make('p.hint', {}, say(`${name}_note`)), ...inside);
}

const personOptions = (none) => [['', none], ...world.people.map(({ name, nickname }) => [name, nickname ? `${nickname} (${name})` : name])];
const clientOptions = (none) => [['', none], ...world.clients.map(({ appid, name }) => [appid, name])];

/* The clock. */

const face = make('p.hands');
const state = make('p.tag');
let clock = null;

function hands() {
  if (!clock) return;
  const now = clock.frozen ? clock.now : clock.now + (performance.now() - clock.heard);
  face.textContent = new Date(now).toLocaleString(document.documentElement.lang, { dateStyle: 'full', timeStyle: 'medium' });
}

function length(ms) {
  const [days, hours, minutes] = [Math.floor(ms / 86_400_000), Math.floor(ms / 3_600_000) % 24, Math.floor(ms / 60_000) % 60];
  return [days && say('n_days', { n: days }), hours && say('n_hours', { n: hours }), minutes && say('n_minutes', { n: minutes })].filter(Boolean).join(' ') || say('n_seconds', { n: Math.round(ms / 1000) });
}

function setClock(told) {
  clock = { ...told, heard: performance.now() };
  const off = Math.round(Math.abs(told.ahead ?? 0) / 1000) * 1000;
  state.textContent = [off ? say(told.ahead > 0 ? 'ahead' : 'behind', { span: length(off) }) : say('on_time'), told.frozen ? say('frozen') : ''].filter(Boolean).join(' · ');
  state.classList.toggle('off', Boolean(off || told.frozen));
  freeze.lastChild.textContent = say(told.frozen ? 'thaw' : 'freeze');
  hands();
}

const turn = async (body) => setClock(await ask('POST', `${API}/clock`, body));

const freeze = once('button', { label: say('freeze') }, () => turn({ freeze: !clock?.frozen }));

function clockSection() {
  const jump = field({ name: 'jump', label: say('jump'), placeholder: '2h, 31d, -5m', must: true });
  const token = field({ name: 'token', label: say('expire'), must: true, hint: say('expire_note') });
  const button = (label, body) => once('button', { label }, () => turn(body));
  return section('clock', make('div.card', {},
    make('div.time', {}, face, state),
    make('div.pair', {}, button('+2 h', { jump: '2h' }), button(say('plus_days', { n: 31 }), { jump: '31d' }), button(say('plus_days', { n: 181 }), { jump: '181d' }),
      freeze, button(say('real'), { real: true })),
    make('div.beside', {},
      form([jump], say('jump_do'), async (values) => turn(values)),
      form([token], say('expire_do'), async (values, element) => {
        await ask('POST', `${API}/tokens/expire`, values);
        element.reset();
        tell(say('expired_now'));
      }))));
}

/* People. */

const peopleList = make('ul.cards');
const SEXES = ['unknown', 'female', 'male'];
const STANDINGS = ['active', 'restricted', 'closed'];
const choices = (kind, values) => values.map((value) => [value, word(kind, value)]);

function personFields(person = {}) {
  const text = (name, more) => field({ name, label: say(name), value: person[name], ...more });
  return [
    text('nickname', { must: true }),
    text('phone', { placeholder: '+8613800000009' }),
    field({ name: 'sex', label: say('sex'), options: choices('sex', SEXES), value: person.sex ?? 'unknown', must: true }),
    text('country'), text('province'), text('city'),
  ];
}

function personCard(person) {
  const at = `${API}/people/${part(person.name)}`;
  const change = async (body, said = say('saved')) => {
    await ask('PATCH', at, body);
    await people();
    tell(said);
  };
  const standing = field({ name: 'standing', label: say('standing'), options: choices('standing', STANDINGS), value: person.standing ?? 'active', must: true });
  // What cannot be taken back is not done by an arrow key.
  const close = make('div.send', { hidden: true }, twice(say('close_do'), say('close_sure'), () => change({ standing: 'closed' }), 'button.danger'));
  standing.element.append(close);
  standing.input.addEventListener('change', () => {
    const to = standing.input.value;
    standing.complain('');
    close.hidden = to !== 'closed';
    if (to !== 'closed' && to !== person.standing) change({ standing: to }).catch((error) => standing.complain(error.message));
  });
  const more = personFields(person).filter(({ name }) => name !== 'phone');
  const src = person.avatar_url ?? (person.avatar === 'face' ? `/mmopen/vi_32/${part(person.name)}/96` : null);
  return make('li.card', { 'data-person': person.name },
    make('div.whoami', {}, src ? make('img.face', { src, alt: '', width: 44, height: 44 }) : make('span.face.blank', { 'aria-hidden': 'true' }, [...(person.nickname || person.name)][0]),
      make('div', {}, make('h3', {}, person.nickname), make('small', {}, make('code', {}, person.name), ' · ', make('code', {}, person.phone ?? '')))),
    make('div.toggles', {},
      toggle(say('has_avatar'), person.avatar !== 'none', (on) => change({ avatar: on ? 'face' : 'none' })),
      toggle(say('has_unionid'), person.unionid !== false, (on) => change({ unionid: on })),
      toggle(say('has_app'), person.installed !== false, (on) => change({ installed: on }))),
    standing.element,
    make('div.under-card', {}, make('a.quiet', { href: `/phone?person=${part(person.name)}` }, icon('app'), say('open_phone')),
      twice(say('remove'), say('remove_sure'), async () => {
        await ask('DELETE', at);
        await people();
      })),
    drawer(say('edit'), form(more, say('save'), async (values) => change(Object.fromEntries(more.map(({ name }) => [name, values[name] ?? '']))))));
}

async function people() {
  world.people = listed(await ask('GET', `${API}/people`), 'people');
  keep(peopleList, () => peopleList.replaceChildren(...world.people.map(personCard)));
  restock('person', personOptions);
}

function peopleSection() {
  const fields = [field({ name: 'name', label: say('short_name'), must: true, hint: say('short_name_note') }), ...personFields()];
  const add = drawer(say('add_person'), form(fields, say('add'), async (values, element) => {
    await ask('POST', `${API}/people`, values);
    element.reset();
    add.open = false;
    await people();
    tell(say('added'));
  }));
  return section('people', peopleList, add);
}

/* Apps. */

const clientList = make('ul.cards');
const KINDS_OF = ['website', 'mobile', 'service'];

const line = (label, value, more) => make('div', {}, make('dt', {}, label), make('dd', {}, value, more));

function secretOf(client) {
  const shown = make('code', {}, '•'.repeat(12));
  const show = make('button.quiet.small', { type: 'button', 'aria-pressed': 'false' }, say('show'));
  show.addEventListener('click', () => {
    const on = show.getAttribute('aria-pressed') !== 'true';
    show.setAttribute('aria-pressed', String(on));
    show.textContent = on ? say('hide') : say('show');
    shown.textContent = on ? client.secret : '•'.repeat(12);
  });
  return [shown, make('span.nearby', {}, show, copier('button.quiet.small', say('copy'), client.secret))];
}

function pushForm(client, change) {
  const push = client.push ?? {};
  const fields = [
    field({ name: 'url', label: say('push_url'), value: push.url, placeholder: say('push_place') }),
    field({ name: 'token', label: say('push_token'), value: push.token }),
    field({ name: 'aes_key', label: say('push_key'), value: push.aes_key, hint: say('push_key_note') }),
    field({ name: 'mode', label: say('push_mode'), options: choices('mode', ['plain', 'compatible', 'encrypted']), value: push.mode ?? 'encrypted', must: true }),
    field({ name: 'format', label: say('push_format'), options: [['xml', 'XML'], ['json', 'JSON']], value: push.format ?? 'xml', must: true }),
  ];
  return form(fields, say('save'), (values) => change({ push: { ...values, url: values.url ?? '' } }));
}

function clientCard(client) {
  const at = `${API}/clients/${part(client.appid)}`;
  const change = async (body) => {
    await ask('PATCH', at, body);
    await clients();
    tell(say('saved'));
  };
  const redirects = client.redirects ?? [];
  const fields = [
    field({ name: 'name', label: say('client_name'), value: client.name, must: true }),
    field({ name: 'redirects', label: say('redirects'), kind: 'list', value: redirects.join(' '), hint: say('redirects_note') }),
  ];
  return make('li.card', { 'data-client': client.appid },
    make('div.split', {}, make('h3', {}, client.name), make('span.tag', {}, client.adopted ? say('adopted') : word('kind', client.kind))),
    make('dl.lines-of', {},
      line('appid', make('code', {}, client.appid), make('span.nearby', {}, copier('button.quiet.small', say('copy'), client.appid))),
      client.secret ? line('secret', ...secretOf(client)) : null,
      redirects.length ? line(say('redirects'), redirects.map((one) => make('code', {}, one))) : null),
    make('div.toggles', {},
      toggle(say('listed'), client.listed !== false, (on) => change({ listed: on })),
      toggle(say('bound'), client.bound !== false, (on) => change({ bound: on }))),
    drawer(say('edit'), form(fields, say('save'), (values) => change({ name: values.name ?? '', redirects: values.redirects ?? [] }))),
    drawer(client.push?.url ? say('push_to', { url: client.push.url }) : say('push'), pushForm(client, change)));
}

async function clients() {
  world.clients = listed(await ask('GET', `${API}/clients`), 'clients');
  keep(clientList, () => clientList.replaceChildren(...world.clients.map(clientCard)));
  restock('client', clientOptions);
}

/** Offers those who are there now wherever somebody is chosen, and leaves what was chosen. */
function restock(name, options) {
  for (const select of root.querySelectorAll(`select[name=${name}]`)) {
    const [chosen, first] = [select.value, select.options[0]];
    const none = first?.value === '' ? first.textContent : null;
    select.replaceChildren(...options(none ?? '').slice(none === null ? 1 : 0).map(([value, text]) => make('option', { value }, text)));
    select.value = chosen;
    if (select.selectedIndex < 0) select.selectedIndex = 0;
  }
}

function clientSection() {
  const fields = [
    field({ name: 'name', label: say('client_name'), must: true }),
    field({ name: 'kind', label: say('client_kind'), options: choices('kind', KINDS_OF), must: true }),
    field({ name: 'redirects', label: say('redirects'), kind: 'list', hint: say('redirects_note'), placeholder: 'www.example.com' }),
    field({ name: 'appid', label: 'appid', hint: say('appid_note') }),
    field({ name: 'secret', label: 'secret', hint: say('secret_note') }),
  ];
  const add = drawer(say('add_client'), form(fields, say('add'), async (values, element) => {
    await ask('POST', `${API}/clients`, values);
    element.reset();
    add.open = false;
    await clients();
    tell(say('added'));
  }));
  return section('clients', clientList, add);
}

/* Faults: the kinds and their fields come with the page. */

const KINDS = [...document.getElementById('kinds').content.children].map((kind) => ({
  word: kind.dataset.kind,
  about: kind.dataset.about,
  endpoints: kind.dataset.endpoints.split(' ').filter(Boolean),
  fields: [...kind.children].map(({ dataset }) => ({ ...dataset })),
}));
const PRESETS = [
  ['preset_busy', { kind: 'errcode', code: -1, times: 1 }],
  ['preset_often', { kind: 'errcode', code: 45011, times: 3 }],
  ['preset_slow', { kind: 'slow', ms: 8000, endpoint: 'access_token' }],
  ['preset_burnt', { kind: 'drop', when: 'after', endpoint: 'access_token', times: 1 }],
  ['preset_twice', { kind: 'callback_twice', times: 1 }],
  ['preset_denied', { kind: 'userinfo_denied' }],
];
const faultList = make('ul.faults');
const faultForm = make('div.card');
const faultEnd = make('div.under-card');

async function addFault(fault) {
  await ask('POST', `${API}/faults`, fault);
  await faults();
  tell(say('fault_added'));
}

function faultField(spec) {
  const label = word('of', spec.field);
  // The table of kinds speaks English; the words beside it say enough in Chinese.
  const hint = zh ? null : spec.about;
  const options = spec.words ? spec.words.split(' ').map((value) => [value, word(`of_${spec.field}`, value)]) : null;
  if (spec.shape === 'person') return field({ name: spec.field, label, options: personOptions(say('anybody_else')), hint });
  return field({
    name: spec.field, label, hint, options, must: spec.must !== undefined, value: spec.value,
    kind: spec.shape === 'number' ? 'number' : 'text', least: spec.least, most: spec.most,
  });
}

function drawFault(chosen = KINDS[0]?.word) {
  const kind = KINDS.find(({ word }) => word === chosen);
  if (!kind) return;
  const choice = field({ name: 'kind', label: say('fault_kind'), options: KINDS.map((one) => [one.word, word('fault', one.word)]), value: chosen, must: true, hint: zh ? null : kind.about });
  choice.input.addEventListener('change', () => {
    drawFault(choice.input.value);
    faultForm.querySelector('select').focus();
  });
  const fields = [
    choice,
    ...kind.fields.map((spec) => faultField(spec)),
    field({ name: 'endpoint', label: say('fault_endpoint'), options: [['', say('fault_anywhere')], ...kind.endpoints.map((one) => [one, one])] }),
    field({ name: 'client', label: say('fault_client'), options: clientOptions(say('everybody_app')) }),
    field({ name: 'person', label: say('fault_person'), options: personOptions(say('everybody')) }),
    field({ name: 'times', label: say('fault_times'), kind: 'number', least: 1, placeholder: say('always') }),
    field({ name: 'chance', label: say('fault_chance'), kind: 'real', least: 0, most: 1, placeholder: '1' }),
  ];
  const inside = form(fields, say('fault_add'), addFault);
  inside.classList.add('of-fault');
  faultForm.replaceChildren(inside);
}

function faultRow(fault) {
  const { id, kind, client, person, endpoint, times, chance, left, played, ...more } = fault;
  const parts = [
    ...Object.entries(more).map(([key, value]) => say('with', { head: word('of', key), tail: word(`of_${key}`, value) })),
    endpoint, client && (world.clients.find(({ appid }) => appid === client)?.name ?? client), person,
    chance !== undefined && chance !== null ? say('fault_by_chance', { n: Math.round(chance * 100) }) : null,
  ].filter(Boolean);
  const count = times ? say('fault_left', { left: left ?? times, times }) : say('fault_played', { n: played ?? 0 });
  return make('li.fault-row', { 'data-fault': id }, icon('bolt'),
    make('div', {}, make('b', {}, word('fault', kind)), make('small', {}, parts.join(' · ')), make('small.count-of', {}, count)),
    once('button.quiet.small', { label: say('remove'), attributes: { 'aria-label': `${say('remove')}: ${word('fault', kind)}` } }, async () => {
      await ask('DELETE', `${API}/faults/${part(id)}`);
      await faults();
    }));
}

let knownFaults = '';
async function faults() {
  const told = listed(await ask('GET', `${API}/faults`), 'faults');
  const now = JSON.stringify(told);
  if (now === knownFaults) return;
  knownFaults = now;
  faultList.replaceChildren(...(told.length ? told.map(faultRow) : [make('li.empty', {}, say('fault_none'))]));
  faultEnd.replaceChildren(...(told.length ? [twice(say('fault_clear'), say('fault_clear_sure', { n: told.length }), async () => {
    await ask('DELETE', `${API}/faults`);
    await faults();
  })] : []));
}

function faultSection() {
  const presets = make('div.presets', {}, make('span.hint', {}, say('presets')), PRESETS.map(([label, fault]) => once('button.chip', { label: say(label) }, () => addFault(fault))));
  return section('faults', presets, make('div.beside', {}, faultForm, make('div.card', {}, make('h3', {}, say('fault_now')), faultList, faultEnd)));
}

/* Answers by themselves. */

const autoState = make('p.tag');
const autoForm = make('div');

function drawAuto(told) {
  const auto = told?.auto === undefined ? told : told.auto;
  const on = Boolean(auto?.person);
  autoState.textContent = on ? say('auto_on', { person: auto.person, decision: word('decision', auto.decision) }) : say('auto_off');
  autoState.classList.toggle('off', on);
  const fields = [
    field({ name: 'person', label: say('auto_person'), options: personOptions('–').slice(1), value: auto?.person, must: true }),
    field({ name: 'decision', label: say('auto_decision'), options: choices('decision', ['allow', 'deny', 'cancel']), value: auto?.decision ?? 'allow', must: true }),
    field({ name: 'page', label: say('auto_page'), options: choices('page', ['skip', 'show']), value: auto?.page ?? 'skip', must: true }),
  ];
  autoForm.replaceChildren(form(fields, say('auto_do'), async (values) => drawAuto(await ask('PUT', `${API}/auto`, values))),
    on ? once('button', { label: say('auto_stop') }, async () => {
      await ask('DELETE', `${API}/auto`);
      drawAuto(null);
    }) : '');
}

const auto = async () => drawAuto(await ask('GET', `${API}/auto`));

/* Events. */

const EVENTS = ['user_authorization_revoke', 'user_info_modified', 'user_authorization_cancellation'];
const eventForm = make('div');
const eventSaid = make('div.told', { role: 'status' });

function drawEvents() {
  const fields = [
    field({ name: 'event', label: say('event'), options: choices('event', EVENTS), must: true }),
    field({ name: 'person', label: say('event_person'), options: personOptions('–').slice(1), must: true }),
    field({ name: 'client', label: say('event_client'), options: clientOptions('–').slice(1), must: true, hint: say('event_client_note') }),
    field({ name: 'mode', label: say('push_mode'), options: [['', say('event_mode')], ...choices('mode', ['plain', 'compatible', 'encrypted'])] }),
  ];
  eventForm.replaceChildren(form(fields, say('event_do'), async (values) => {
    const told = await ask('POST', `${API}/events`, values);
    eventSaid.replaceChildren(make('h3', {}, say('event_told')), make('pre', { tabindex: 0 }, make('code', {}, JSON.stringify(told, null, 2))));
  }));
}

/* Snapshots. */

const snapshotList = make('ul.faults');

async function snapshots() {
  const told = listed(await ask('GET', `${API}/snapshots`), 'snapshots');
  const rows = told.map((one) => {
    const { name, taken } = one;
    const path = `${API}/snapshots/${part(name)}`;
    return make('li.fault-row', { 'data-snapshot': name }, icon('down'),
      make('div', {}, make('b', {}, name), taken ? make('small', {}, new Date(taken).toLocaleString(document.documentElement.lang)) : null),
      twice(say('restore'), say('restore_sure'), async () => {
        await ask('POST', `${path}/restore`, {});
        await all();
        tell(say('restored'));
      }),
      twice(say('remove'), say('remove_sure'), async () => {
        await ask('DELETE', path);
        await snapshots();
      }));
  });
  snapshotList.replaceChildren(...(rows.length ? rows : [make('li.empty', {}, say('snapshot_none'))]));
}

function snapshotSection() {
  const name = field({ name: 'name', label: say('snapshot_name'), must: true, placeholder: 'before-migration' });
  return section('snapshots', make('div.beside', {},
    make('div.card', {}, form([name], say('snapshot_do'), async (values, element) => {
      await ask('POST', `${API}/snapshots`, values);
      element.reset();
      await snapshots();
      tell(say('saved'));
    }), make('hr'), make('p.hint', {}, say('reset_note')),
    make('div.send', {}, twice(say('reset'), say('reset_sure'), async () => {
      await ask('POST', `${API}/reset`, {});
      await all();
      tell(say('reset_done'));
    }, 'button.danger'))),
    make('div.card', {}, make('h3', {}, say('snapshots')), snapshotList)));
}

/* Together. */

/** Draws anew, but not under the hands of somebody who is filling something in. */
function keep(list, draw) {
  const open = [...list.querySelectorAll('details[open]')].map((one) => [one.closest('.card').dataset.person ?? one.closest('.card').dataset.client, [...one.parentElement.querySelectorAll('details')].indexOf(one)]);
  const focused = list.contains(document.activeElement) ? [document.activeElement.closest('.card'), [...document.activeElement.closest('.card').querySelectorAll('button, input, select, a, summary')].indexOf(document.activeElement)] : null;
  draw();
  const card = (id) => [...list.children].find(({ dataset }) => (dataset.person ?? dataset.client) === id);
  for (const [id, i] of open) {
    const again = card(id)?.querySelectorAll('details')[i];
    if (again) again.open = true;
  }
  if (focused) card(focused[0].dataset.person ?? focused[0].dataset.client)?.querySelectorAll('button, input, select, a, summary')[focused[1]]?.focus();
}

/** What cannot be read leaves its section empty, and says so. */
async function tried(name, read) {
  try {
    await read();
  } catch (error) {
    const there = document.getElementById(name);
    there.querySelector('.unread')?.remove();
    there.append(make('p.problem.unread', { role: 'alert' }, error.message));
  }
}

async function all() {
  await Promise.all([
    tried('clock', async () => setClock(await ask('GET', `${API}/clock`))),
    tried('people', people), tried('clients', clients), tried('snapshots', snapshots),
  ]);
  knownFaults = '';
  drawFault(faultForm.querySelector('select')?.value);
  drawEvents();
  await Promise.all([tried('faults', faults), tried('auto', auto)]);
}

const NAMES = ['people', 'clients', 'faults', 'clock', 'auto', 'events', 'snapshots'];
const links = make('nav.sections', { 'aria-label': say('sections') }, NAMES.map((name) => make('a', { href: `#${name}` }, say(name))));
root.replaceChildren(links, make('div.sheets', {},
  peopleSection(), clientSection(), faultSection(), clockSection(),
  section('auto', make('div.card.in-columns', {}, autoState, autoForm)),
  section('events', make('div.card.in-columns', {}, eventForm, eventSaid)),
  snapshotSection()), toast);

const seen = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) target.dataset.seen = isIntersecting ? '1' : '';
  const first = NAMES.find((name) => document.getElementById(name).dataset.seen);
  for (const link of links.children) link.toggleAttribute('data-here', link.hash === `#${first}`);
}, { rootMargin: '-80px 0px -40% 0px' });
for (const name of NAMES) seen.observe(document.getElementById(name));

await all();
if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
setInterval(hands, 250);
// Faults are used up and the clock is turned from elsewhere, too.
setInterval(() => {
  if (document.hidden) return;
  faults().catch(() => {});
  ask('GET', `${API}/clock`).then(setClock, () => {});
}, 2000);
