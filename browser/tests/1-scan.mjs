// The QR code on a website, and the phone that scans it.
import assert from 'node:assert/strict';
import { test } from '../lib/suite.mjs';
import { confirmAddress, greeted, logOut, poll, said, sel, signIn, start, wire } from '../lib/people.mjs';

const NICKNAME = '梅 Zoé 🐟';

/** The QR page of the demo app, checked as far as eyes can. */
async function showCode(page, house) {
  await start(page, house, 'scan');
  await page.waitForURL(/\/connect\/qrconnect\?/);
  const image = page.locator('img.js_qrcode_img');
  await image.evaluate((img) => img.decode());
  assert.ok((await image.evaluate((img) => img.naturalWidth)) > 100, 'the QR image has pixels');
  return confirmAddress(page, house);
}

for (const lang of ['zh-CN', 'en-GB']) {
  test(`scan: log in (${lang})`, async (t) => {
    const { house } = t;
    const [desktop, phone] = [await t.page({ lang }), await t.page({ size: 'phone', lang })];
    const { uuid, address } = await showCode(desktop, house);

    // The picture is a JPEG, and the clock runs.
    const src = await desktop.locator('img.js_qrcode_img').getAttribute('src');
    assert.equal(src, `/connect/qrcode/${uuid}`);
    const image = await desktop.request.get(house.platform + src);
    assert.equal(image.headers()['content-type'], 'image/jpeg');
    assert.deepEqual([...(await image.body()).subarray(0, 3)], [0xff, 0xd8, 0xff]);
    const clock = desktop.locator('.js_wx_clock');
    const before = await clock.innerText();
    assert.match(before, /^[45]:\d\d$/);
    await desktop.waitForFunction(
      (was) => document.querySelector('.js_wx_clock').textContent !== was, before, { timeout: 3000 });
    assert.ok(await desktop.locator('#wx_default_tip').isVisible());
    assert.match(await desktop.locator('.dev a').getAttribute('href'), new RegExp(uuid));

    // The phone scans.
    await phone.goto(address);
    await desktop.waitForSelector('#wx_after_scan:visible');
    assert.ok(!(await desktop.locator('#wx_default_tip').isVisible()));
    await signIn(phone, house.person('mei'));
    const asked = await phone.locator(sel.consent).innerText();
    assert.ok(asked.includes('小屋 Rooms') && asked.includes('小屋科技 Rooms Ltd') && asked.includes(NICKNAME));
    assert.match(asked, lang === 'en-GB' ? /only continue if you scanned/i : /亲自扫描/);
    assert.equal(await phone.locator(sel.deny).count(), 0, 'a scan is cancelled, not denied');
    await phone.click(sel.allow);
    await phone.waitForSelector('.mark.joined');

    // The app's server hands the code to the backend, and hears who it is.
    await desktop.waitForURL(`${house.app}/bind`);
    const calls = await wire(desktop);
    assert.equal(calls[0], 'POST /user/wechat/prepare 0');
    assert.match(calls[1], /^→ GET .*\/connect\/qrconnect$/);
    assert.equal(calls[2], '← GET /callback/scan');
    assert.equal(calls[3], 'POST /user/wechat/login 0');
    assert.equal((await said(desktop, '→ GET')).scope, 'snsapi_login');
    const answer = await said(desktop, 'POST /user/wechat/login');
    assert.equal(answer.is_bind, 'false');
    assert.equal(JSON.parse(answer.profile).nickname, NICKNAME);
    await greeted(desktop, house, NICKNAME);

    for (const act of ['again', 'refresh']) {
      await desktop.click(`button[value=${act}]`);
      await desktop.waitForSelector('.done[role=status] code');
      const [old, young] = await desktop.locator('.done code').allInnerTexts();
      assert.notEqual(old, young, act);
    }

    await logOut(desktop, house);
    await desktop.goto(`${house.app}/me`);
    await desktop.waitForURL(`${house.app}/`);
  });
}

test('scan: cancelled on the phone, then the same code again', async (t) => {
  const { house } = t;
  const [desktop, phone] = [await t.page(), await t.page({ size: 'phone' })];
  const { uuid, address } = await showCode(desktop, house);
  await phone.goto(address);
  await signIn(phone, house.person('wei'));
  await phone.click(sel.cancel);
  await phone.waitForSelector('.mark.apart');
  await desktop.waitForSelector('#wx_after_cancel:visible');

  assert.equal((await confirmAddress(desktop, house)).uuid, uuid, 'the page has not changed its code');
  await phone.goto(address); // signed in already: straight to the question
  await desktop.waitForSelector('#wx_after_scan:visible');
  await phone.click(sel.allow);
  await greeted(desktop, house, '阿伟');
});

test('scan: an expired code is renewed', async (t) => {
  const { house } = t;
  const [desktop, phone] = [await t.page({ lang: 'en-GB' }), await t.page({ size: 'phone' })];
  let expire = true;
  await desktop.route(/\/connect\/l\/qrconnect/, (route) => {
    if (!expire) return route.continue();
    expire = false;
    return route.fulfill({ contentType: 'text/javascript', body: "window.wx_errcode=402;window.wx_code='';" });
  });
  await start(desktop, house, 'scan');
  await desktop.waitForSelector('.js_wx_expired:visible');
  const old = await confirmAddress(desktop, house);
  assert.ok(await desktop.locator('.js_wx_renew').isVisible());
  await desktop.waitForFunction(
    (uuid) => document.getElementById('scan')?.dataset.uuid !== uuid, old.uuid, { timeout: 8000 });
  const fresh = await confirmAddress(desktop, house);
  assert.notEqual(fresh.uuid, old.uuid);
  await phone.goto(fresh.address);
  await signIn(phone, house.person('ana'));
  await phone.click(sel.allow);
  await greeted(desktop, house, 'Ana');
});

test('scan: a lost connection is told and tried again', async (t) => {
  const { house } = t;
  t.allow(/ERR_FAILED/);
  const [desktop, phone] = [await t.page(), await t.page({ size: 'phone' })];
  let lost = true;
  await desktop.route(/\/connect\/l\/qrconnect/, (route) => {
    if (!lost) return route.continue();
    lost = false;
    return route.abort();
  });
  await start(desktop, house, 'scan');
  await desktop.waitForSelector('.js_wx_trouble:visible');
  await phone.goto((await confirmAddress(desktop, house)).address);
  await signIn(phone, house.person('ana'));
  await phone.click(sel.allow);
  await greeted(desktop, house, 'Ana');
});

test('scan: who only knows the uuid never gets the code', async (t) => {
  const { house } = t;
  const [desktop, phone, thief] = [await t.page(), await t.page({ size: 'phone' }), await t.page()];
  const { uuid, address } = await showCode(desktop, house);
  await showCode(thief, house); // has a scan of its own, and so its own mark
  const bare = await t.browser();

  let over = false;
  const heard = [];
  const listen = async (context, more) => {
    while (!over) {
      heard.push(await poll(context, house, uuid, more));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const listeners = [
    listen(thief.context(), ''), listen(thief.context(), '&last=404'), listen(bare, ''),
    listen(bare, '&f=json'),
  ];
  await phone.goto(address);
  await signIn(phone, house.person('mei'));
  await phone.click(sel.allow);
  await phone.waitForSelector('.mark.joined');
  await greeted(desktop, house, NICKNAME);
  await desktop.waitForTimeout(500);
  over = true;
  await Promise.all(listeners);
  for (const context of [thief.context(), bare]) {
    for (const more of ['', '&last=404', '&last=405', '&f=json']) heard.push(await poll(context, house, uuid, more));
  }

  assert.ok(heard.length > 8);
  for (const answer of heard) {
    assert.match(answer, /^(window\.wx_errcode=(408|404|403|402);window\.wx_code='';|\{"wx_errcode":(408|404|403|402),"wx_code":""\})$/);
  }
  assert.ok(heard.some((answer) => answer.includes('404')), 'that somebody scanned is no secret');
  // Nor does opening the confirm address a second time give anything.
  await thief.goto(address);
  assert.ok(!thief.url().includes('code='));
  assert.equal(await thief.locator(sel.allow).count(), 0);
});

test('scan: two tabs of one browser, each with its own code', async (t) => {
  const { house } = t;
  const browser = await t.browser({ lang: 'en-GB' });
  const [one, two] = [await browser.newPage(), await browser.newPage()];
  const first = await showCode(one, house);
  const second = await showCode(two, house);
  assert.notEqual(first.uuid, second.uuid);
  const phone = await t.page({ size: 'phone' });
  await phone.goto(first.address);
  await signIn(phone, house.person('mei'));
  await phone.click(sel.allow);
  await greeted(one, house, NICKNAME);
  assert.ok(await two.locator('#wx_default_tip').isVisible(), 'the other tab goes on waiting');
  await phone.goto(second.address);
  await phone.click(sel.allow);
  await greeted(two, house, NICKNAME);
});
