// The phone of the sandbox: asks the control what this person sees, and does what they tap.
const box = document.getElementById('handset');
const api = box.dataset.api;
const $ = (id) => document.getElementById(id);
const words = $('t-words').content.firstElementChild.dataset;
const lang = document.documentElement.lang;
const EACH_MS = 700;
let person = box.dataset.person;
let ahead = 0; // how far the sandbox's clock is from this one, ms
let known = new Map(); // list id → what it showed, so that nothing is rebuilt needlessly
let sms = null; // how many messages were there at the last look

/** Asks the control; answers its JSON, or throws an Error with its words. */
async function ask(path, body) {
  const init = body === undefined ? {} : {
    method: body === null ? 'DELETE' : 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  };
  const answer = await fetch(api + path, { ...init, credentials: 'same-origin' });
  const text = await answer.text();
  let value = null;
  try { value = text ? JSON.parse(text) : null; } catch { /* not for us */ }
  if (!answer.ok) {
    const complaints = value?.error?.complaints ?? [];
    const said = complaints.map((one) => [one.what, one.remedy].filter(Boolean).join(' ')).join('\n');
    throw new Error(said || value?.error?.code || `HTTP ${answer.status}`);
  }
  return value;
}

function clone(id) { return $(id).content.firstElementChild.cloneNode(true); }
function put(item, name, text) { item.querySelector(`.${name}`).textContent = text ?? ''; }

/** A letter on a coloured tile, the same colour for the same name. */
function tile(item, name) {
  const at = item.querySelector('.tile');
  at.textContent = [...(name || '?')][0];
  let sum = 0;
  for (const c of name || '') sum = (sum * 31 + c.codePointAt(0)) >>> 0;
  at.classList.add(`tint${sum % 6}`);
}

function when(ms) {
  if (!ms) return '';
  const at = new Date(ms), today = new Date(Date.now() + ahead).toDateString() === at.toDateString();
  return new Intl.DateTimeFormat(lang, today ? { hour: '2-digit', minute: '2-digit' } : { dateStyle: 'medium' }).format(at);
}

/** Fills a list, only if what it shows has changed. */
function fill(id, items, build) {
  const text = JSON.stringify(items);
  if (known.get(id) === text) return;
  known.set(id, text);
  const focused = document.activeElement?.closest?.(`#${id} > li`)?.dataset.key;
  $(id).replaceChildren(...items.map((item) => build(item)));
  const none = $(`${id}-none`);
  if (none) none.hidden = items.length > 0;
  if (focused) $(id).querySelector(`[data-key="${CSS.escape(focused)}"] button`)?.focus();
}

function toast(text) {
  $('toast').textContent = text;
  $('toast').classList.toggle('up', Boolean(text));
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => $('toast').classList.remove('up'), 2600);
}

async function act(body, button) {
  if (button) button.disabled = true;
  try {
    const answer = await ask('/phone', { person, ...body });
    toast(words[body.act] ?? words.done);
    return answer;
  } catch (error) {
    toast(error.message);
    return null;
  } finally {
    if (button) button.disabled = false;
    look();
  }
}

function askItem(one) {
  const item = clone('t-ask');
  item.dataset.key = one.interaction;
  tile(item, one.app);
  put(item, 'app', one.app);
  put(item, 'developer', one.developer);
  const door = item.querySelector('.door');
  door.textContent = { scan: door.dataset.scan, native: door.dataset.native }[one.door] ?? door.dataset.client;
  put(item, 'scopes', (one.scopes ?? []).join(' · '));
  for (const button of item.querySelectorAll('[data-act]')) {
    // A scan is gone back from, not refused: the real page has no such button.
    if (one.door === 'scan' && button.dataset.act === 'deny') button.remove();
    else button.addEventListener('click', () => act({ act: button.dataset.act, interaction: one.interaction }, button));
  }
  return item;
}

function codeItem(one) {
  const item = clone('t-code');
  item.dataset.key = one.uuid;
  put(item, 'app', one.app);
  const state = item.querySelector('.state');
  state.textContent = `${state.dataset[one.state] ?? one.state} · ${when(one.since)}`;
  const button = item.querySelector('button');
  button.disabled = one.state === 'scanned';
  button.addEventListener('click', () => scan(one.uuid, button));
  return item;
}

function appItem(one) {
  const item = clone('t-app');
  item.dataset.key = one.appid;
  tile(item, one.name);
  put(item, 'app', one.name);
  const since = item.querySelector('.since');
  since.textContent = since.dataset.before + when(one.since) + since.dataset.after;
  const button = item.querySelector('.revoke');
  button.addEventListener('click', () => {
    if (button.classList.contains('sure')) act({ act: 'revoke', appid: one.appid }, button);
    else {
      button.classList.add('sure');
      button.textContent = button.dataset.sure;
    }
  });
  return item;
}

function smsItem(one) {
  const item = clone('t-sms');
  put(item, 'passcode', one.passcode);
  put(item, 'text', one.text);
  put(item, 'since', when(one.at));
  const button = item.querySelector('.copy');
  button.addEventListener('click', async () => {
    try { await navigator.clipboard.writeText(one.passcode); toast(button.dataset.copied); } catch { /* it can be read */ }
  });
  return item;
}

function resultItem(one) {
  const item = clone('t-result');
  put(item, 'app', one.app);
  put(item, 'since', when(one.at));
  put(item, 'said', [`errCode ${one.err_code}`, one.err_str, one.code && 'code ✓', one.state && `state ${one.state}`].filter(Boolean).join(' · '));
  item.classList.add(one.err_code === 0 ? 'good' : 'bad');
  return item;
}

async function scan(what, button) {
  const problem = $('scan-problem');
  problem.hidden = true;
  if (button) button.disabled = true;
  try {
    await ask('/phone', { person, act: 'scan', what });
    $('what').value = '';
    await look();
    $('asks').querySelector('button')?.focus();
  } catch (error) {
    problem.textContent = error.message;
    problem.hidden = false;
    if (button) button.disabled = false;
  }
}

function count(tab, n) {
  const at = $(tab).querySelector('.count');
  at.hidden = !n;
  at.textContent = n || '';
}

let looking = null, again = false;
/** Looks what is new; looks that come meanwhile are one more look after it. */
function look() {
  if (looking) { again = true; return looking; }
  looking = (async () => {
    const whose = person;
    try {
      const [phone, scans] = await Promise.all([
        ask(`/phone?person=${encodeURIComponent(whose)}`), ask('/scans'),
      ]);
      if (whose === person) show(phone, scans);
      $('offline').hidden = true;
    } catch {
      $('offline').hidden = false;
    }
  })().finally(() => {
    looking = null;
    if (again) { again = false; look(); }
  });
  return looking;
}

function show(phone, scans) {
  if (phone.now) ahead = phone.now - Date.now();
  $('hour').textContent = new Intl.DateTimeFormat(lang, { hour: '2-digit', minute: '2-digit', hour12: false }).format(new Date(Date.now() + ahead));
  $('installed').checked = phone.installed !== false;
  fill('asks', phone.asks ?? [], askItem);
  fill('codes', Array.isArray(scans) ? scans : scans.scans ?? [], codeItem);
  fill('apps', phone.apps ?? [], appItem);
  fill('sms', phone.sms ?? [], smsItem);
  fill('results', phone.results ?? [], resultItem);
  count('tab-now', (phone.asks ?? []).length);
  const letters = (phone.sms ?? []).length;
  if (sms !== null && letters > sms && $('tab-sms').getAttribute('aria-selected') !== 'true') count('tab-sms', letters - sms);
  else if ($('tab-sms').getAttribute('aria-selected') === 'true' || sms === null) { count('tab-sms', 0); sms = letters; }
}

/** Another person's phone. */
function become(name, label) {
  person = name;
  known = new Map();
  sms = null;
  $('owner').textContent = label;
  const url = new URL(location.href);
  url.searchParams.set('person', name);
  history.replaceState(null, '', url);
  look();
}

const tabs = [...box.querySelectorAll('[role=tab]')];
function open(tab, focus) {
  for (const one of tabs) {
    const on = one === tab;
    one.setAttribute('aria-selected', String(on));
    one.tabIndex = on ? 0 : -1;
    $(one.getAttribute('aria-controls')).hidden = !on;
  }
  if (tab.id === 'tab-sms') sms = null;
  if (focus) tab.focus();
  look();
}
for (const tab of tabs) tab.addEventListener('click', () => open(tab));
box.querySelector('[role=tablist]').addEventListener('keydown', (event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const at = tabs.indexOf(document.activeElement);
  open(tabs[(at + step + tabs.length) % tabs.length], true);
});
function scanTyped() {
  const what = $('what').value.trim();
  if (what) scan(what);
  else $('what').focus();
}
$('scan-do').addEventListener('click', scanTyped);
$('what').addEventListener('keydown', (event) => { if (event.key === 'Enter') scanTyped(); });
$('installed').addEventListener('change', () => act({ act: 'install', installed: $('installed').checked }));
for (const one of document.querySelectorAll('.whose input')) {
  one.addEventListener('change', () => become(one.value, one.closest('label').querySelector('strong').textContent));
}
document.addEventListener('visibilitychange', () => { if (!document.hidden) look(); });
setInterval(() => { if (!document.hidden) look(); }, EACH_MS);
look();
