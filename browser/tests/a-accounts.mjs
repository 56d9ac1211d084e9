// The demo app's accounts, on the login backend: the whole story on a phone, and its by-ways.
import assert from 'node:assert/strict';
import { test } from '../lib/suite.mjs';
import {
  bind, greeted, logOut, proveNumber, said, sel, signIn, start, typePasscode, wire,
} from '../lib/people.mjs';

const MEI = '梅 Zoé 🐟';

/** The code that the page of a question or a refusal shows. */
const code = async (page) => (await page.locator('main').innerText()).match(/\b[1-5]\d{3}\b/)?.[0];

/** The devices that the app lists: name, and whether it is this one. */
async function devices(page, house, base = '') {
  await page.goto(`${house.app}${base}/devices`);
  return page.locator('.device strong').allInnerTexts();
}

for (const lang of ['zh-CN', 'en-GB']) {
  test(`accounts: the whole story on a phone (${lang})`, async (t) => {
    const { house } = t;
    const browser = await t.browser({ size: 'phone', lang });
    const page = await browser.newPage();
    const questions = [];
    page.on('framenavigated', (frame) => {
      if (frame.url().startsWith(house.platform)) questions.push(frame.url());
    });

    // The first login: WeChat knows them, a number is bound, the passcode is in the inbox.
    await start(page, house, 'page');
    await signIn(page, house.person('mei'));
    await page.click(sel.allow);
    await page.waitForURL(`${house.app}/bind`);
    assert.ok((await page.locator('main').innerText()).includes(MEI), 'whom WeChat says it is');
    await page.fill('#phone', '13900001111');
    await page.click('button[value=send]');
    await page.waitForSelector('#passcode');
    const inbox = page.waitForEvent('popup').catch(() => null);
    await page.click('p.dev a');
    const letters = await inbox;
    assert.match(letters.url(), /\/dev\/inbox$/);
    const digits = (await letters.locator('.letters .code').first().innerText()).trim();
    await letters.close();
    await page.fill('#passcode', digits === '000000' ? '000001' : '000000');
    await page.click('button[value=enter]');
    assert.match(await page.locator(sel.problem).innerText(), /3004/);
    await page.fill('#passcode', digits);
    await page.click('button[value=enter]');
    await greeted(page, house, MEI);
    assert.ok((await page.locator('main').innerText()).includes('139****1111'));
    const heard = await wire(page);
    assert.ok(heard.includes('POST /user/wechat/bind 0'), heard.join('\n'));
    assert.match((await said(page, 'POST /user/wechat/bind')).token, /…/, 'tokens are masked');
    assert.ok(!(await page.content()).includes(digits), 'and passcodes');

    // A second device beside it, in the same browser: it finds the same account.
    await page.goto(`${house.app}/devices`);
    const opened = page.waitForEvent('popup');
    await page.click('a[target=_blank][href="/device/2/"]');
    const second = await opened;
    await second.waitForSelector('#agree');
    await second.check('#agree');
    await second.click('button[value=page]');
    await greeted(second, house, MEI, '/device/2');
    assert.equal((await devices(second, house, '/device/2')).length, 2);
    await page.reload();
    assert.ok((await page.locator('.device').allInnerTexts()).length === 2, 'both are logged in');

    // It logs the first one out; that one hears why.
    await second.click('button[value=remove]');
    await second.waitForSelector('.done[role=status]');
    assert.equal(await second.locator('.device').count(), 1);
    await page.goto(`${house.app}/me`);
    assert.equal(await code(page), '5004');
    await page.click('a.primary');
    await page.waitForURL(`${house.app}/`);

    // The first one comes in again by phone number, and then without any page at all.
    await page.click('button[value=phone]');
    await proveNumber(page, house, '13900001111');
    await greeted(page, house, MEI);
    questions.length = 0;
    await page.click('button[value=again]');
    await page.waitForSelector('.done[role=status] code');
    assert.deepEqual(questions, [], 'the platform was not visited');
    const [old, young] = await page.locator('.done code').allInnerTexts();
    assert.notEqual(old, young);
    assert.ok((await wire(page)).includes('POST /user/wechat/relogin 0'));
    await page.click('button[value=refresh]');
    await page.waitForFunction((was) => document.querySelector('.done code')?.textContent === was, young);

    // Another number, after proving the old one.
    await page.goto(`${house.app}/security`);
    await page.click('a[href="/change"]');
    await page.click('button[value=own]');
    await typePasscode(page, house, '13900001111', 'prove');
    await page.waitForSelector('#phone');
    await proveNumber(page, house, '13900002222');
    await page.waitForURL(`${house.app}/security`);
    await page.waitForSelector('.done[role=status]');
    assert.ok((await page.locator('main').innerText()).includes('139****2222'));

    // WeChat is unlinked, with a proof of what is left, and linked again.
    await page.click('a[href="/unlink"]');
    await page.click('button[value=own]');
    await typePasscode(page, house, '13900002222');
    await page.waitForURL(`${house.app}/security`);
    await page.click('button[value=link]');
    await page.waitForURL((url) => url.href.startsWith(`${house.app}/security`));
    await page.waitForSelector('a[href="/unlink"]');
    assert.ok((await wire(page)).includes('POST /user/wechat/link 0'));

    // Deleted; the next login may take that back.
    for (const keep of [true, false]) {
      await page.goto(`${house.app}/security`);
      await page.click('a[href="/delete"]');
      await page.click('button[value=own]');
      await typePasscode(page, house, '13900002222');
      await page.waitForURL(`${house.app}/delete`);
      assert.match(await page.locator('main').innerText(), /20\d\d-\d\d-\d\d/, 'the day is named');
      await second.goto(`${house.app}/device/2/me`);
      assert.match(await code(second), /^500[14]$/, 'the other device is out too');
      await page.click('a.primary');
      await page.check('#agree');
      await page.click('button[value=page]');
      await page.waitForSelector('button[value=cancel]');
      assert.equal(await code(page), '4006');
      if (!keep) continue;
      await page.click('button[value=cancel]');
      await greeted(page, house, MEI);
      await page.waitForSelector('.done[role=status]');
    }
  });
}

test('accounts: a number that has an account is confirmed, and another WeChat is not let in', async (t) => {
  const { house } = t;
  const page = await t.page({ size: 'phone', lang: 'en-GB' });
  const number = '13900003333';
  // Somebody has an account by number alone.
  await start(page, house, 'phone');
  await proveNumber(page, house, number);
  await page.waitForURL(`${house.app}/me`);
  await logOut(page, house);
  // Mei comes with WeChat and the same number: hers? Yes.
  await start(page, house, 'page');
  await signIn(page, house.person('mei'));
  await page.click(sel.allow);
  await bind(page, house, number);
  await page.waitForSelector('button[value=confirm]');
  assert.equal(await code(page), '4005');
  await page.click('button[value=confirm]');
  await greeted(page, house, MEI);
  await logOut(page, house);
  // Wei has her number now: not without a proof of her WeChat.
  const other = await t.page({ size: 'phone', lang: 'en-GB' });
  await start(other, house, 'page');
  await signIn(other, house.person('wei'));
  await other.click(sel.allow);
  await bind(other, house, number);
  await other.waitForSelector('button[value=replace]');
  assert.equal(await code(other), '4001');
  await other.click('button[value=replace]');
  await other.waitForSelector('button[value=other]');
  assert.equal(await code(other), '4010');
  // So he takes a number of his own.
  await other.click('a[href$="step=number"]');
  await proveNumber(other, house, '13900004444');
  await greeted(other, house, '阿伟');
});

test('accounts: WeChat withdrawn at the platform takes a new authorization', async (t) => {
  const { house } = t;
  const page = await t.page({ size: 'phone', lang: 'en-GB' });
  await start(page, house, 'page');
  await signIn(page, house.person('ana'));
  await page.click(sel.allow);
  await greeted(page, house, 'Ana');
  await page.goto(`${house.platform}/account`);
  await page.click('.grant summary');
  await page.click('button[value=revoke]');
  await page.waitForSelector('.done[role=status]');
  await page.goto(`${house.app}/me`);
  await page.click('button[value=again]');
  await page.waitForSelector('.card h1');
  assert.equal(await code(page), '2008');
  await page.click('a.primary');
  await page.click(sel.allow);
  await greeted(page, house, 'Ana');
});

test('accounts: a change of number proved with WeChat, and what a form refuses', async (t) => {
  const { house } = t;
  const page = await t.page({ size: 'phone', lang: 'en-GB' });
  await start(page, house, 'page');
  await signIn(page, house.person('mei'));
  await page.click(sel.allow);
  await bind(page, house, '13900005555');
  await greeted(page, house, MEI);
  await page.goto(`${house.app}/change`);
  await page.click('button[value=wechat]');
  await page.waitForSelector('#phone');
  await page.fill('#phone', '12345');
  await page.click('button[value=send]');
  assert.match(await page.locator(sel.problem).innerText(), /3001/);
  await proveNumber(page, house, '13900006666');
  await page.waitForURL(`${house.app}/security`);
  assert.ok((await page.locator('main').innerText()).includes('139****6666'));
  // A form that is not ours does nothing.
  const answer = await page.request.post(`${house.app}/me`, { form: { csrf: 'x', act: 'log_out' }, maxRedirects: 0 });
  assert.equal(answer.status(), 303);
  await page.goto(`${house.app}/me`);
  await greeted(page, house, MEI);
});

test('accounts: without the terms there is no login', async (t) => {
  const { house } = t;
  const page = await t.page({ size: 'phone', lang: 'en-GB' });
  await page.goto(`${house.app}/login/page`);
  assert.match(await page.locator(sel.problem).innerText(), /1003/);
  assert.ok((await wire(page)).includes('POST /user/wechat/prepare 1003'));
});

test('accounts: on a desktop', async (t) => {
  const { house } = t;
  const page = await t.page({ lang: 'en-GB' });
  await start(page, house, 'page');
  await signIn(page, house.person('mei'));
  await page.click(sel.allow);
  await greeted(page, house, MEI);
  for (const path of ['/me', '/devices', '/security', '/change', '/unlink', '/delete']) {
    await page.goto(house.app + path);
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(width <= 1280, `${path} is ${width} wide`);
    assert.equal(await page.locator('h1').count(), 1, path);
  }
});
