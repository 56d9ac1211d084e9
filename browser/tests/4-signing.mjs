// Signing in, up and out; passcodes and passwords.
import assert from 'node:assert/strict';
import { test } from '../lib/suite.mjs';
import { greeted, passcode, sel, signIn, signInAt, start } from '../lib/people.mjs';

const NEW_NUMBER = '+447700900123';

test('signing: by passcode from the inbox', async (t) => {
  const { house } = t;
  const page = await t.page({ size: 'phone', lang: 'en-GB' });
  await page.goto(`${house.platform}/account`);
  await page.click('.tabs a:not([aria-current])');
  await page.fill('#phone', '138 0000 0001');
  await page.click('button[value=send_passcode]');
  assert.ok((await page.locator('main').innerText()).includes('138****0001'));
  const code = await passcode(page.context(), house, '+8613800000001');
  assert.match(code, /^\d{6}$/);

  const wrong = code === '000000' ? '111111' : '000000';
  await page.fill('#passcode', wrong);
  await page.click('button[value=passcode]');
  assert.match(await page.locator(sel.problem).innerText(), /passcode is wrong/i);
  await page.fill('#passcode', code);
  await page.click('button[value=passcode]');
  await page.waitForURL(`${house.platform}/account`);
  assert.ok((await page.locator('.whoami').first().innerText()).includes('梅 Zoé 🐟'));
});

test('signing: a wrong password, and one message for strangers', async (t) => {
  const { house } = t;
  for (const [lang, words] of [['zh-CN', '手机号或密码不对'], ['en-GB', 'Phone number or password is wrong']]) {
    const page = await t.page({ size: 'phone', lang });
    await page.goto(`${house.platform}/account`);
    for (const phone of [house.person('ana').phone, '+8613899999999']) {
      await signIn(page, { phone, password: 'not-the-password' });
      assert.ok((await page.locator(sel.problem).innerText()).includes(words));
      assert.equal(await page.inputValue('#phone'), phone, 'the number need not be typed again');
      assert.equal(await page.inputValue('#password'), '');
    }
    await signIn(page, { phone: 'not a number', password: 'x' });
    await page.waitForSelector(sel.problem);
  }
});

test('signing: sign up on the way into an app', async (t) => {
  const { house } = t;
  const page = await t.page({ size: 'phone', lang: 'en-GB' });
  await start(page, house, 'page');
  await page.click('.after a[href^="/account/sign-up"]');
  await page.fill('#phone', NEW_NUMBER);
  await page.click('button[value=send_passcode]');
  const code = await passcode(page.context(), house, NEW_NUMBER);
  await page.fill('#passcode', code);
  await page.fill('#nickname', 'Bö 🦊 新');
  await page.fill('#password', 'a-good-password');
  await page.click('button[value=sign_up]');
  // Back where it was interrupted.
  const asked = await page.locator(sel.consent).innerText();
  assert.ok(asked.includes('Bö 🦊 新') && asked.includes('小屋服务号 Rooms Pages'));
  await page.click(sel.allow);
  await greeted(page, house, 'Bö 🦊 新');

  // The account is there, with its password.
  const other = await t.page();
  await signInAt(other, house, { phone: NEW_NUMBER, password: 'a-good-password' });
  assert.ok((await other.locator('.whoami').first().innerText()).includes('Bö 🦊 新'));
});

test('signing: the number of an account signs in rather than up', async (t) => {
  const { house } = t;
  const page = await t.page({ lang: 'en-GB' });
  await page.goto(`${house.platform}/account/sign-up`);
  await page.fill('#phone', house.person('wei').phone);
  await page.click('button[value=send_passcode]');
  await page.fill('#passcode', await passcode(page.context(), house, house.person('wei').phone));
  await page.fill('#nickname', 'somebody else');
  await page.click('button[value=sign_up]');
  await page.waitForURL(`${house.platform}/account`);
  assert.ok((await page.locator('.whoami').first().innerText()).includes('阿伟'), 'nothing was written over');
});

test('signing: a forgotten password on the way into an app', async (t) => {
  const { house } = t;
  const wei = house.person('wei');
  const page = await t.page({ lang: 'zh-CN' });
  await start(page, house, 'page');
  await page.click('.split a[href^="/account/reset"]');
  await page.fill('#phone', wei.phone);
  await page.click('button[value=send_passcode]');
  const code = await passcode(page.context(), house, wei.phone);
  await page.fill('#passcode', code);
  await page.fill('#password', 'another-password');
  await page.click('button[value=reset]');
  await page.click(sel.allow);
  await greeted(page, house, '阿伟');

  const other = await t.page();
  await other.goto(`${house.platform}/account`);
  await signIn(other, wei);
  await other.waitForSelector(sel.problem);
  await signIn(other, wei, 'another-password');
  await other.waitForURL(`${house.platform}/account`);
});

test('signing: a changed password signs the other devices out', async (t) => {
  const { house } = t;
  const ana = house.person('ana');
  const [page, other] = [await t.page({ size: 'phone', lang: 'en-GB' }), await t.page()];
  await signInAt(page, house, ana);
  await signInAt(other, house, ana);
  await page.click('a[href="/account/password"]');
  await page.fill('#current', 'not-the-password');
  await page.fill('#password', 'a-new-password');
  await page.click('button[value=change]');
  assert.match(await page.locator(sel.problem).innerText(), /current password is wrong/i);
  await page.fill('#current', ana.password);
  await page.fill('#password', 'a-new-password');
  await page.click('button[value=change]');
  await page.waitForSelector('.done[role=status]');

  await other.goto(`${house.platform}/account`);
  await other.waitForURL(/\/account\/sign-in/);
  await signIn(other, ana);
  await other.waitForSelector(sel.problem);
  await signIn(other, ana, 'a-new-password');
  await other.waitForURL(`${house.platform}/account`);
});

test('signing: out here, and out everywhere', async (t) => {
  const { house } = t;
  const wei = house.person('wei');
  const [page, other] = [await t.page(), await t.page({ size: 'phone' })];
  for (const button of ['sign_out', 'sign_out_all']) {
    await signInAt(page, house, wei);
    await signInAt(other, house, wei);
    await page.click(`button[value=${button}]`);
    await page.waitForSelector('.mark.joined');
    await page.goto(`${house.platform}/account`);
    await page.waitForURL(/\/account\/sign-in/);
    await other.goto(`${house.platform}/account`);
    const stillIn = other.url() === `${house.platform}/account`;
    assert.equal(stillIn, button === 'sign_out');
  }
});

test('signing: one tap signs in as a person of the sandbox', async (t) => {
  const { house } = t;
  const page = await t.page({ size: 'phone', lang: 'en-GB' });
  await start(page, house, 'page');
  await page.locator('button.person').nth(2).click();
  await page.click(sel.allow);
  await greeted(page, house, 'Ana');
});

test('signing: the language is kept, and so is what was begun', async (t) => {
  const { house } = t;
  const page = await t.page({ size: 'phone', lang: 'zh-CN' });
  await start(page, house, 'page');
  await page.click('.tabs a:not([aria-current])');
  await page.click('a.switch');
  assert.match(await page.locator('h1').innerText(), /Sign in/);
  assert.ok(await page.locator('button[value=send_passcode]').isVisible(), 'still by passcode');
  assert.ok((await page.locator('.asker').innerText()).includes('Rooms Pages'), 'still for the app');
  await page.goto(`${house.platform}/account/sign-in`);
  assert.match(await page.locator('h1').innerText(), /Sign in/, 'English is remembered');

  // Through the sign-up page and back, the interrupted login goes on.
  await start(page, house, 'page');
  const question = page.url().split('?')[0].split('#')[0];
  await page.click('.after a[href^="/account/sign-up"]');
  await page.click('.after a:not([href*="sign-up"])');
  assert.equal(page.url().split('?')[0].split('#')[0], question);
  await page.goto(`${house.platform}/account/sign-in?next=${new URL(question).pathname}`);
  await page.click('a.switch');
  await signIn(page, house.person('ana'));
  await page.click(sel.allow);
  await greeted(page, house, 'Ana');
});

test('signing: too many wrong passwords have to wait, and keep nobody else out', async (t) => {
  const { house } = t;
  const page = await t.page({ lang: 'en-GB' });
  await page.goto(`${house.platform}/account`);
  let said = '';
  for (let i = 0; i < 30 && !/Too many/.test(said); i++) {
    await signIn(page, { phone: house.person('wei').phone, password: `wrong ${i}` });
    said = await page.locator(sel.problem).innerText();
  }
  assert.match(said, /Too many tries\. Wait [1-9]\d* seconds?/);
  // Nobody else is kept out, not even from the same address.
  const other = await t.page();
  await signInAt(other, house, house.person('ana'));
});
