// What people do on the pages. Buttons are found by what they send, so both languages do.
import assert from 'node:assert/strict';

export const sel = {
  allow: 'button[value=allow]',
  deny: 'button[value=deny]',
  cancel: 'button[value=cancel]',
  signIn: 'button.primary[value=sign_in]',
  consent: '.consent',
  problem: '.problem[role=alert]',
  hello: '.hello h1',
};

/** Fills in the sign-in form that is shown and sends it. */
export async function signIn(page, person, password = person.password) {
  await page.fill('#phone', person.phone);
  await page.fill('#password', password);
  await page.click(sel.signIn);
}

/** Signs in on the account page, if need be. */
export async function signInAt(page, house, person, password) {
  await page.goto(`${house.platform}/account`);
  if (page.url() === `${house.platform}/account`) return;
  await signIn(page, person, password);
  await page.waitForURL(`${house.platform}/account`);
}

/** Opens the demo app, accepts its terms and logs in by one of its ways, up to the platform's page. */
export async function start(page, house, way, base = '') {
  await page.goto(`${house.app}${base}/`);
  await page.check('#agree');
  await page.click(`button[value=${way}]`);
}

/** The platform's address that a way of the demo app leads this browser to. */
export async function authorizeAddress(page, house, way) {
  await page.goto(`${house.app}/`);
  const csrf = await page.locator('input[name=csrf]').first().inputValue();
  await page.request.post(`${house.app}/`, { form: { csrf, agree: 'yes', act: way }, maxRedirects: 0 });
  const answer = await page.request.get(`${house.app}/login/${way}`, { maxRedirects: 0 });
  assert.equal(answer.status(), 303);
  return answer.headers().location;
}

/** A number that no test has used: each is bound once in a house. */
let drawn = 0;
export const freshNumber = () => `1390000${String(++drawn).padStart(4, '0')}`;

/** Types a number and the passcode that comes to it. */
export async function proveNumber(page, house, number) {
  await page.fill('#phone', number);
  await page.click('button[value=send]');
  await page.waitForSelector('#passcode');
  await typePasscode(page, house, number);
}

/** Types the passcode that came to a number, and sends it. */
export async function typePasscode(page, house, number, act = 'enter') {
  await page.fill('#passcode', await passcode(page.context(), house, `+86${number}`));
  await page.click(`button[value=${act}]`);
}

/** Binds a number, where the app asks for one. */
export async function bind(page, house, number = freshNumber()) {
  await page.waitForURL(`${house.app}/bind`);
  await proveNumber(page, house, number);
  return number;
}

/** Logs out of the demo app. */
export async function logOut(page, house) {
  await page.click('button[value=log_out]');
  await page.waitForURL(`${house.app}/`);
}

/** The lines of the wire that the demo app shows: call and code. */
export async function wire(page) {
  const lines = await page.locator('.wire summary').allInnerTexts();
  return lines.map((line) => line.replace(/\s+/g, ' ').replace(/^(\S+ \S+(?: \S+)?) (\d+) .*$/, '$1 $2'));
}

/** What a call of the wire sent and got, by its line's beginning. */
export function said(page, line) {
  const call = page.locator('.wire details').filter({ hasText: line }).last();
  return call.locator('.fields > div').evaluateAll((rows) =>
    Object.fromEntries(rows.map((row) => [row.querySelector('dt').textContent, row.querySelector('dd').textContent])));
}

/** The newest passcode in the sandbox's inbox. */
export async function passcode(context, house, phone) {
  const inbox = await context.newPage();
  try {
    const letter = inbox.locator('.letters li').filter({ hasText: phone }).first();
    for (let i = 0; i < 20; i++) {
      await inbox.goto(`${house.platform}/dev/inbox`);
      if (await letter.count()) return (await letter.locator('.code').innerText()).trim();
      await inbox.waitForTimeout(100);
    }
    throw new Error(`no letter to ${phone}`);
  } finally {
    await inbox.close();
  }
}

/** The address that the QR code on a page leads a phone to. */
export async function confirmAddress(page, house) {
  const uuid = await page.locator('#scan').getAttribute('data-uuid');
  assert.match(uuid, /^[0-9A-Za-z_-]{16,}$/);
  return { uuid, address: `${house.platform}/connect/confirm?uuid=${uuid}` };
}

/** The fields of a list such as the demo's, by name. */
export function fields(page, section) {
  return page.locator(`${section} .fields > div`).evaluateAll((rows) =>
    Object.fromEntries(rows.map((row) => [
      row.querySelector('dt').textContent,
      row.querySelector('dd code, dd').textContent,
    ])));
}

/** Waits until the demo app greets somebody; a number is bound on the way if it asks for one. */
export async function greeted(page, house, nickname, base = '') {
  // WeChat's fragment, which ends the address in every documented example, goes along with redirects.
  const bare = (url) => url.href.replace(/#wechat_redirect$/, '');
  const ends = [`${house.app}${base}/me`, `${house.app}${base}/bind`];
  await page.waitForURL((url) => ends.includes(bare(url)));
  if (bare(new URL(page.url())) === ends[1]) {
    await proveNumber(page, house, freshNumber());
    await page.waitForURL((url) => bare(url) === ends[0]);
  }
  const name = (await page.locator(sel.hello).innerText()).replace(/^(你好，|Hello, )/, '');
  assert.equal(name, nickname);
}

/** A poll of the scan, from outside of any page. */
export async function poll(context, house, uuid, more = '') {
  const answer = await context.request.get(`${house.platform}/connect/l/qrconnect?uuid=${uuid}${more}`);
  return answer.text();
}
