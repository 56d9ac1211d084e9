// A page inside the client: asks once, then is silent.
import assert from 'node:assert/strict';
import { test } from '../lib/suite.mjs';
import { authorizeAddress, greeted, logOut, said, sel, signIn, signInAt, start } from '../lib/people.mjs';

test('page: sign in, allow, then silent, then forcePopup, then deny', async (t) => {
  const { house } = t;
  const page = await t.page({ size: 'phone' });
  const questions = [];
  page.on('framenavigated', (frame) => {
    if (frame.url().includes('/interaction/')) questions.push(frame.url());
  });
  await start(page, house, 'page');
  await signIn(page, house.person('mei'));
  const asked = await page.locator(sel.consent).innerText();
  assert.ok(asked.includes('小屋服务号 Rooms Pages') && asked.includes('梅 Zoé 🐟') && asked.includes('138****0001'));
  assert.ok(asked.includes(new URL(house.app).hostname), 'where the browser returns to');
  await page.click(sel.allow);
  await greeted(page, house, '梅 Zoé 🐟');
  const { uid } = await said(page, 'GET /user/me');

  // Again: silent, the same person for the app.
  await logOut(page, house);
  questions.length = 0;
  await start(page, house, 'page');
  await greeted(page, house, '梅 Zoé 🐟');
  assert.deepEqual(questions, []);
  assert.equal((await said(page, 'GET /user/me')).uid, uid);

  // Unless the app insists, and then the person may say no.
  await logOut(page, house);
  const insisting = new URL(await authorizeAddress(page, house, 'page'));
  insisting.searchParams.set('forcePopup', 'true');
  await page.goto(insisting.href);
  await page.click(sel.deny);
  await page.waitForURL(/\/callback\/page\?/);
  const refusal = await page.locator('main').innerText();
  assert.match(refusal, /-4/);
  assert.ok(!page.url().includes('code='));

  // A refusal takes nothing back that was granted before.
  await start(page, house, 'page');
  await greeted(page, house, '梅 Zoé 🐟');
});

test('page: the question in Chinese and in English', async (t) => {
  const { house } = t;
  for (const [lang, words, other] of [
    ['zh-CN', ['允许登录', '允许', '拒绝', '昵称和头像', '切换账号'], /^Log in to/],
    ['en-GB', ['Log in to', 'Allow', 'Deny', 'nickname and picture', 'Not you?'], /^允许登录/],
  ]) {
    const page = await t.page({ size: 'phone', lang });
    await start(page, house, 'page');
    await signIn(page, house.person('wei'));
    await page.waitForSelector(sel.consent);
    assert.equal(await page.locator('html').getAttribute('lang'), lang.startsWith('zh') ? 'zh-CN' : 'en');
    const text = await page.locator('body').innerText();
    for (const word of words) assert.ok(text.includes(word), `${word} in ${lang}`);
    // The switch on the page changes the language and keeps the question.
    await page.click('a.switch');
    assert.match(await page.locator('h1').innerText(), other);
    await page.click('a.switch');
    assert.ok((await page.locator('h1').innerText()).includes(words[0]));
    await page.click(sel.deny);
    await page.waitForURL(/\/callback\/page\?/);
  }
});

test('page: not you? switch to another account', async (t) => {
  const { house } = t;
  const page = await t.page({ lang: 'en-GB' });
  await signInAt(page, house, house.person('wei'));
  await start(page, house, 'page');
  assert.ok((await page.locator(sel.consent).innerText()).includes('阿伟'));
  await page.click('button[value=switch]');
  await signIn(page, house.person('ana'));
  assert.ok((await page.locator(sel.consent).innerText()).includes('Ana'));
  await page.click(sel.allow);
  await greeted(page, house, 'Ana');
});

test('page: back after consent, and the address once more, give no second code', async (t) => {
  const { house } = t;
  const page = await t.page();
  const codes = [];
  page.on('request', (request) => {
    const code = new URL(request.url()).searchParams.get('code');
    if (code && request.isNavigationRequest()) codes.push(code);
  });
  await start(page, house, 'page');
  await signIn(page, house.person('mei'));
  await page.waitForSelector(sel.consent);
  const question = page.url();
  await page.click(sel.allow);
  await greeted(page, house, '梅 Zoé 🐟');
  assert.equal(codes.length, 1);

  // Past the pages on which the app asked for a number.
  for (let i = 0; i < 6 && page.url() !== question; i++) await page.goBack();
  assert.equal(page.url(), question);
  assert.equal(await page.locator(sel.allow).count(), 0, 'nothing left to allow');
  assert.match(await page.locator('h1').innerText(), /失效/);
  await page.goto(question);
  assert.match(await page.locator('h1').innerText(), /失效/);
  assert.equal(codes.length, 1);
  // The demo app is still logged in.
  await page.goto(`${house.app}/me`);
  await greeted(page, house, '梅 Zoé 🐟');
});

test('page: a double click on allow is one login', async (t) => {
  const { house } = t;
  for (const way of ['page', 'native']) {
    const page = await t.page({ lang: 'en-GB' });
    await start(page, house, way);
    await signIn(page, house.person('mei'));
    // The answer is slow, so that the second click comes while the first is on its way.
    await page.route(/\/interaction\//, async (route) => {
      const answer = await route.fetch({ maxRedirects: 0 });
      await new Promise((resolve) => setTimeout(resolve, 400));
      await route.fulfill({ response: answer }).catch(() => {});
    });
    await page.locator(sel.allow).click({ clickCount: 2, delay: 60, noWaitAfter: true });
    if (way === 'native') await page.click('a.primary[href^="/native/finish"]');
    await greeted(page, house, '梅 Zoé 🐟');
  }
});

test('page: a question shown to one person is not answered by the next', async (t) => {
  const { house } = t;
  const browser = await t.browser({ lang: 'en-GB' });
  const [one, two] = [await browser.newPage(), await browser.newPage()];
  await start(one, house, 'page');
  await signIn(one, house.person('mei'));
  assert.ok((await one.locator(sel.consent).innerText()).includes('梅 Zoé 🐟'));

  await two.goto(`${house.platform}/account`);
  await two.click('button[value=sign_out]');
  await two.waitForSelector('.mark.joined');
  await signInAt(two, house, house.person('wei'));

  await one.click(sel.allow);
  await one.waitForFunction(() => document.querySelector('.consent')?.innerText.includes('阿伟'));
  assert.ok(!one.url().includes('code='));
  await two.goto(`${house.platform}/account`);
  assert.equal(await two.locator('.grant').count(), 0, 'nothing was authorized');
  await one.click(sel.allow);
  await greeted(one, house, '阿伟');
});

test('page: a question signed out of meanwhile asks to sign in again', async (t) => {
  const { house } = t;
  const browser = await t.browser({ lang: 'en-GB' });
  const [one, two] = [await browser.newPage(), await browser.newPage()];
  await start(one, house, 'page');
  await signIn(one, house.person('mei'));
  await one.waitForSelector(sel.consent);
  await two.goto(`${house.platform}/account`);
  await two.click('button[value=sign_out]');
  await two.waitForSelector('.mark.joined');
  await one.click(sel.allow);
  await signIn(one, house.person('mei'));
  await one.click(sel.allow);
  await greeted(one, house, '梅 Zoé 🐟');
});
