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

/** Opens the demo app and logs in by one of its ways, up to the platform's page. */
export async function start(page, house, way) {
  await page.goto(house.app);
  await page.click(`a[href="/login/${way}"]`);
}

/** Logs out of the demo app. */
export async function logOut(page, house) {
  await page.click('button[value=log_out]');
  await page.waitForURL(`${house.app}/`);
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

/** Waits until the demo app greets somebody. */
export async function greeted(page, house, nickname) {
  // WeChat's fragment, which ends the address in every documented example, goes along with redirects.
  await page.waitForURL((url) => url.href.replace(/#wechat_redirect$/, '') === `${house.app}/me`);
  const name = (await page.locator(sel.hello).innerText()).replace(/^(你好，|Hello, )/, '');
  assert.equal(name, nickname);
}

/** A poll of the scan, from outside of any page. */
export async function poll(context, house, uuid, more = '') {
  const answer = await context.request.get(`${house.platform}/connect/l/qrconnect?uuid=${uuid}${more}`);
  return answer.text();
}
