// Pictures of the pages, for docs/img. They are made in every run, into a temporary folder unless
// --shots says where: a page that cannot be shown is a failure.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from '../lib/suite.mjs';
import {
  bind, confirmAddress, greeted, logOut, passcode, proveNumber, sel, signIn, signInAt, start, typePasscode,
} from '../lib/people.mjs';

const MOST_BYTES = 160_000;

/** Takes a picture once all that moves stands still. */
async function shoot(t, page, name, { whole = false } = {}) {
  mkdirSync(t.shots, { recursive: true });
  const file = path.join(t.shots, `${name}.png`);
  await page.evaluate(async () => {
    document.activeElement?.blur?.();
    await document.fonts.ready;
    await Promise.all([...document.images].map((image) => image.decode().catch(() => {})));
  });
  await page.screenshot({ path: file, fullPage: whole, animations: 'disabled' });
  const size = readFileSync(file).length;
  assert.ok(size < MOST_BYTES, `${file} has ${size} bytes`);
}

const VIEWS = {
  phone: { size: 'phone' },
  desktop: { size: 'desktop' },
  'phone.zh': { size: 'phone', lang: 'zh-CN' },
  'phone.dark': { size: 'phone', dark: true },
  'desktop.dark': { size: 'desktop', dark: true },
};
/** Which views of a page are kept, where not all are. */
const PICTURED = {
  demo: ['phone', 'desktop', 'phone.zh', 'phone.dark'],
  'sign-in': ['phone', 'desktop', 'phone.zh'],
  account: ['phone', 'desktop'],
  'rooms-bind': ['phone', 'desktop'],
  'rooms-me': ['phone', 'desktop', 'phone.zh', 'phone.dark'],
  'rooms-wire': ['phone'],
  'rooms-devices': ['phone', 'desktop', 'phone.dark'],
  'rooms-security': ['phone', 'desktop'],
  'rooms-delete': ['phone.zh'],
  'rooms-deleted': ['phone'],
  'rooms-cancel': ['phone', 'phone.zh'],
};
const view = (name) => ({ lang: 'en-GB', ...VIEWS[name] });

for (const name of ['phone', 'desktop', 'phone.zh', 'phone.dark']) {
  test(`shots: the demo app, signing in, consent, what came of it (${name})`, async (t) => {
    const { house } = t;
    const page = await t.page(view(name));
    await page.goto(house.app);
    const shown = (what) => PICTURED[what]?.includes(name) ?? true;
    if (shown('demo')) await shoot(t, page, `demo.${name}`);
    await start(page, house, 'page');
    await page.waitForURL(/\/interaction\//);
    if (shown('sign-in')) await shoot(t, page, `sign-in.${name}`);
    await signIn(page, house.person('mei'));
    await page.waitForSelector(sel.consent);
    await shoot(t, page, `consent.${name}`);
    await page.click(sel.allow);
    await greeted(page, house, '梅 Zoé 🐟');
    await logOut(page, house);
    await start(page, house, 'native');
    await page.waitForSelector(sel.consent);
    if (name === 'phone') await shoot(t, page, 'consent-native.phone');
    await page.click(sel.allow);
    await page.waitForURL(/\/oauth\?/);
    if (name === 'phone') await shoot(t, page, 'native.phone');
    await page.click('a.primary[href^="/native/finish"]');
    await greeted(page, house, '梅 Zoé 🐟');
    await page.goto(`${house.platform}/account`);
    if (shown('account')) await shoot(t, page, `account.${name}`, { whole: true });
  });
}

test('shots: the QR code and the phone', async (t) => {
  const { house } = t;
  for (const [big, small] of [['desktop', 'phone'], ['desktop.dark', 'phone.dark'], [null, 'phone.zh']]) {
    const desktop = await t.page(view(big ?? 'desktop'));
    await start(desktop, house, 'scan');
    const { address } = await confirmAddress(desktop, house);
    if (big) await shoot(t, desktop, `scan.${big}`);
    const phone = await t.page(view(small));
    await phone.goto(address);
    await desktop.waitForSelector('#wx_after_scan:visible');
    if (big === 'desktop') await shoot(t, desktop, 'scan-scanned.desktop');
    await signIn(phone, house.person('mei'));
    await phone.waitForSelector(sel.consent);
    await shoot(t, phone, `confirm.${small}`);
    await phone.click(sel.allow);
    await phone.waitForSelector('.mark.joined');
    if (small === 'phone') await shoot(t, phone, 'confirm-done.phone');
    await greeted(desktop, house, '梅 Zoé 🐟');
  }
  const [cancelled, phone] = [await t.page(view('desktop')), await t.page(view('phone'))];
  await start(cancelled, house, 'scan');
  await phone.goto((await confirmAddress(cancelled, house)).address);
  await signIn(phone, house.person('wei'));
  await phone.click(sel.cancel);
  await phone.waitForSelector('.mark.apart');
  await shoot(t, phone, 'confirm-cancelled.phone');
  await cancelled.waitForSelector('#wx_after_cancel:visible');
  await shoot(t, cancelled, 'scan-cancelled.desktop');
  const expired = await t.page(view('desktop'));
  await expired.route(/\/connect\/l\/qrconnect/, (route) =>
    route.fulfill({ contentType: 'text/javascript', body: "window.wx_errcode=402;window.wx_code='';" }));
  await start(expired, house, 'scan');
  await expired.waitForSelector('.js_wx_expired:visible');
  await shoot(t, expired, 'scan-expired.desktop');
});

test('shots: passcodes, signing up, errors, the sandbox', async (t) => {
  const { house } = t;
  // Numbers of their own: a second letter to one number has to wait a minute, and the page says so.
  for (const [name, stranger, known] of [
    ['phone', '+447700900123', house.person('mei').phone],
    ['desktop', '+447700900124', house.person('ana').phone],
  ]) {
    const page = await t.page(view(name));
    await page.goto(`${house.platform}/account/sign-up`);
    await page.fill('#phone', stranger);
    await page.click('button[value=send_passcode]');
    await passcode(page.context(), house, stranger);
    assert.equal(await page.locator(sel.problem).count(), 0);
    await shoot(t, page, `sign-up.${name}`);
    await page.goto(`${house.platform}/account/sign-in?by=passcode`);
    await page.fill('#phone', known);
    await page.click('button[value=send_passcode]');
    await passcode(page.context(), house, known);
    assert.equal(await page.locator(sel.problem).count(), 0);
    await shoot(t, page, `passcode.${name}`);
    await page.goto(`${house.platform}/dev/inbox`);
    await shoot(t, page, `inbox.${name}`);
    await page.goto(`${house.platform}/connect/qrconnect?` + new URLSearchParams({
      appid: house.client('website').appid, redirect_uri: 'https://elsewhere.example/back',
      response_type: 'code', scope: 'snsapi_login',
    }));
    await shoot(t, page, `error.${name}`);
    await page.goto(house.platform);
    await shoot(t, page, `start.${name}`);
    await signInAt(page, house, house.person('mei'));
    await page.goto(`${house.platform}/account/password`);
    if (name === 'phone') {
      await shoot(t, page, 'password.phone');
      await page.goto(`${house.platform}/account`);
      await page.click('button[value=sign_out]');
      await page.waitForSelector('.mark.joined');
      await shoot(t, page, 'signed-out.phone');
      await page.goto(`${house.platform}/account/reset`);
      await page.fill('#phone', house.person('wei').phone);
      await page.click('button[value=send_passcode]');
      await passcode(page.context(), house, house.person('wei').phone);
      await shoot(t, page, 'reset.phone');
    } else {
      await page.goto(`${house.platform}/dev/codes`);
      await page.selectOption('#client', house.client('service').appid);
      await page.click('button[value=issue]');
      await page.waitForSelector('.done[role=status] code');
      await shoot(t, page, 'codes.desktop');
    }
    await page.context().close();
  }
});

test('shots: a no, and what the app may not have any more', async (t) => {
  const { house } = t;
  const page = await t.page(view('phone'));
  await start(page, house, 'page');
  await signIn(page, house.person('mei'));
  await page.click(sel.deny);
  await page.waitForURL(/\/callback\/page\?/);
  await shoot(t, page, 'demo-denied.phone');
  await start(page, house, 'native');
  await page.click(sel.deny);
  await page.waitForURL(/\/oauth\?/);
  await shoot(t, page, 'native-denied.phone');
  await start(page, house, 'page');
  await page.click(sel.allow);
  await greeted(page, house, '梅 Zoé 🐟');
  await page.goto(`${house.platform}/account`);
  await page.click('.grant summary');
  await page.click('button[value=revoke]');
  await page.waitForSelector('.done[role=status]');
  await page.goto(`${house.app}/me`);
  await page.click('button[value=again]');
  await page.getByText('2008').first().waitFor();
  await shoot(t, page, 'demo-error.phone');
});

for (const name of ['phone', 'desktop', 'phone.zh', 'phone.dark']) {
  test(`shots: an account of the demo app (${name})`, async (t) => {
    const { house } = t;
    const page = await t.page(view(name));
    const phone = name === 'phone';
    const take = async (what, options) => {
      if (PICTURED[`rooms-${what}`]?.includes(name) ?? true) await shoot(t, page, `rooms-${what}.${name}`, options);
    };
    await start(page, house, 'page');
    await signIn(page, house.person('mei'));
    await page.click(sel.allow);
    await page.waitForURL(`${house.app}/bind`);
    await take('bind');
    await page.fill('#phone', '13900008888');
    await page.click('button[value=send]');
    await page.waitForSelector('#passcode');
    if (phone) await take('passcode');
    await typePasscode(page, house, '13900008888');
    await greeted(page, house, '梅 Zoé 🐟');
    await take('me');
    if (phone || name === 'desktop') {
      await page.locator('.wire summary').nth(0).scrollIntoViewIfNeeded();
      await page.locator('.wire summary').nth(1).click();
      await page.evaluate(() => scrollTo(0, document.querySelector('.wire').offsetTop - 20));
      await take('wire');
    }
    await page.click('button[value=again]');
    await page.waitForSelector('.done code');
    if (phone) await take('again');
    const second = await page.context().newPage();
    await start(second, house, 'page', '/device/2');
    await greeted(second, house, '梅 Zoé 🐟', '/device/2');
    await page.goto(`${house.app}/devices`);
    await take('devices');
    await page.goto(`${house.app}/security`);
    await take('security', { whole: true });
    if (!phone && name !== 'phone.zh') return;
    await page.click('a[href="/delete"]');
    await take('delete');
    await page.click('button[value=own]');
    await typePasscode(page, house, '13900008888');
    await page.waitForSelector('main a.primary');
    await take('deleted');
    await start(page, house, 'page');
    await page.waitForSelector('button[value=cancel]');
    await take('cancel');
    await page.click('button[value=cancel]');
    await greeted(page, house, '梅 Zoé 🐟');
    await second.bringToFront();
    await page.goto(`${house.app}/change`);
    await page.click('button[value=own]');
    if (phone) await take('change');
    await typePasscode(page, house, '13900008888', 'prove');
    await page.waitForSelector('#phone');
    if (phone) await take('change-number');
  });
}

test('shots: whose account is it, and a device that was logged out', async (t) => {
  const { house } = t;
  const page = await t.page(view('phone'));
  await start(page, house, 'phone');
  await shoot(t, page, 'rooms-phone.phone');
  await proveNumber(page, house, '13900009999');
  await page.waitForURL(`${house.app}/me`);
  const second = await page.context().newPage();
  await start(second, house, 'phone', '/device/2');
  await proveNumber(second, house, '13900009999');
  await second.waitForURL(/\/device\/2\/me/);
  await second.goto(`${house.app}/device/2/devices`);
  await second.click('button[value=remove]');
  await second.waitForSelector('.done');
  await shoot(t, second, 'rooms-removed.phone');
  await page.goto(`${house.app}/me`);
  await page.getByText('5004').first().waitFor();
  await shoot(t, page, 'rooms-out.phone');
  await start(page, house, 'page');
  await signIn(page, house.person('mei'));
  await page.click(sel.allow);
  await bind(page, house, '13900009999');
  await page.waitForSelector('button[value=confirm]');
  await shoot(t, page, 'rooms-confirm.phone');
  await page.click('button[value=confirm]');
  await greeted(page, house, '梅 Zoé 🐟');
  const other = await t.page(view('phone'));
  await start(other, house, 'page');
  await signIn(other, house.person('wei'));
  await other.click(sel.allow);
  await bind(other, house, '13900009999');
  await other.waitForSelector('button[value=replace]');
  await shoot(t, other, 'rooms-taken.phone');
  await other.click('button[value=replace]');
  await other.waitForSelector('button[value=other]');
  await shoot(t, other, 'rooms-prove.phone');
});

for (const name of ['desktop', 'desktop.dark', 'phone']) {
  test(`shots: the flows (${name})`, async (t) => {
    const { house } = t;
    // Some logins: one that is refused, one from an app, one that waits, and one by QR code whose
    // code is redeemed a second time.
    const other = await t.page(view('desktop'));
    await start(other, house, 'page');
    await signIn(other, house.person('wei'));
    await other.click(sel.deny);
    await other.waitForURL(/\/callback\/page\?/);
    await start(other, house, 'native');
    await other.waitForSelector(sel.consent);
    await other.click(sel.allow);
    await other.waitForURL(/\/oauth\?/);
    await other.click('a.primary[href^="/native/finish"]');
    await other.waitForURL(`${house.app}/bind`);
    const waiting = await t.page(view('desktop'));
    await start(waiting, house, 'scan');
    const [desktop, phone] = [await t.page(view('desktop')), await t.page(view('phone'))];
    let code;
    desktop.on('request', (request) => (code ??= new URL(request.url()).searchParams.get('code')));
    await start(desktop, house, 'scan');
    await phone.goto((await confirmAddress(desktop, house)).address);
    await desktop.waitForSelector('#wx_after_scan:visible');
    await signIn(phone, house.person('mei'));
    await phone.click(sel.allow);
    await desktop.waitForURL(`${house.app}/bind`);
    const { appid, secret } = house.client('website');
    const query = new URLSearchParams({ appid, secret, code, grant_type: 'authorization_code' });
    await fetch(`${house.platform}/sns/oauth2/access_token?${query}`, { headers: { 'user-agent': 'node' } });

    const page = await t.page(view(name));
    if (name !== 'phone') await page.setViewportSize({ width: 1240, height: 860 });
    await page.goto(`${house.platform}/flows?flow=latest`);
    await page.waitForSelector('.live[data-live=on]', { state: 'attached' });
    await page.waitForSelector('.row .finding');
    // What is wrong, and what led to it.
    await page.evaluate(() => (document.querySelector('.reading').scrollTop = 1e6));
    await shoot(t, page, `flows.${name}`);
    if (name !== 'phone') return;
    await page.click('.leave');
    await page.waitForSelector('.pane:visible');
    await shoot(t, page, 'flows-list.phone');
  });
}

for (const name of ['desktop', 'phone', 'phone.zh', 'desktop.dark']) {
  test(`shots: the phone of the sandbox (${name})`, async (t) => {
    const { house } = t;
    const screen = await t.page({ lang: 'en-GB' });
    await start(screen, house, 'scan');
    await screen.waitForURL(/\/connect\/qrconnect\?/);
    const page = await t.page(view(name));
    await page.goto(`${house.platform}/phone?person=mei`);
    await page.click('#codes .qr');
    await page.waitForSelector('.ask');
    await shoot(t, page, `handset.${name}`);
  });
}
