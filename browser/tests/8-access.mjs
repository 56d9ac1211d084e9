// Without scripts, and without a mouse.
import assert from 'node:assert/strict';
import { test } from '../lib/suite.mjs';
import { confirmAddress, greeted, logOut, passcode, sel, signIn, start } from '../lib/people.mjs';

test('access: a whole login without scripts', async (t) => {
  const { house } = t;
  const page = await t.page({ size: 'phone', js: false });
  await start(page, house, 'page');
  await signIn(page, { phone: house.person('mei').phone, password: 'wrong' });
  await page.waitForSelector(sel.problem);
  await signIn(page, house.person('mei'));
  await page.click(sel.allow);
  await greeted(page, house, '梅 Zoé 🐟');
  for (const act of ['again', 'refresh']) {
    await page.click(`button[value=${act}]`);
    await page.waitForSelector('.done[role=status]');
  }
  // The hand-over and the account, too.
  await logOut(page, house);
  await start(page, house, 'native');
  await page.click(sel.allow);
  await page.click('a.primary[href^="/native/finish"]');
  await greeted(page, house, '梅 Zoé 🐟');
  await page.goto(`${house.platform}/account`);
  await page.locator('.grant summary').first().click();
  await page.locator('button[value=revoke]').first().click();
  await page.waitForSelector('.done[role=status]');
  await page.click('button[value=sign_out]');
  await page.waitForSelector('.mark.joined');
  // The QR page says what is missing.
  await page.goto(`${house.app}/me`);
  await logOut(page, house);
  await start(page, house, 'scan');
  assert.match(await page.locator('main').innerText(), /本页需要脚本/);
});

test('access: a phone without scripts answers a scan, by passcode', async (t) => {
  const { house } = t;
  const [desktop, phone] = [await t.page(), await t.page({ size: 'phone', js: false, lang: 'en-GB' })];
  await start(desktop, house, 'scan');
  await phone.goto((await confirmAddress(desktop, house)).address);
  await phone.click('.tabs a:not([aria-current])');
  await phone.fill('#phone', '13800000002');
  await phone.click('button[value=send_passcode]');
  const code = await passcode(desktop.context(), house, '+8613800000002');
  await phone.fill('#passcode', code);
  await phone.click('button[value=passcode]');
  await phone.click(sel.allow);
  await greeted(desktop, house, '阿伟');
});

/** Presses Tab until the element has the focus, and sees to it that the focus can be seen. */
async function tabTo(page, selector) {
  for (let i = 0; i < 30; i++) {
    await page.keyboard.press('Tab');
    const [there, seen] = await page.evaluate((selector) => {
      const focused = document.activeElement;
      return [focused.matches(selector), parseFloat(getComputedStyle(focused).outlineWidth) >= 2];
    }, selector);
    assert.ok(seen, `the focus can be seen on the way to ${selector}`);
    if (there) return;
  }
  throw new Error(`Tab does not reach ${selector}`);
}

test('access: keyboard alone', async (t) => {
  const { house } = t;
  const page = await t.page({ lang: 'en-GB' });
  const { keyboard } = page;
  await page.goto(house.app);
  await tabTo(page, '#agree');
  await keyboard.press('Space');
  await tabTo(page, 'button[value=page]');
  await keyboard.press('Enter');
  await page.waitForURL(/\/interaction\//);
  await tabTo(page, '#phone');
  await keyboard.type(house.person('mei').phone);
  await keyboard.press('Tab');
  if (!(await page.evaluate(() => document.activeElement.id === 'password'))) await tabTo(page, '#password');
  await keyboard.type(house.person('mei').password);
  await keyboard.press('Enter');
  await page.waitForSelector(sel.consent);
  await tabTo(page, sel.allow);
  await tabTo(page, sel.deny);
  await keyboard.press('Shift+Tab');
  await keyboard.press('Enter');
  // The number and the passcode, too; the field has the focus when its page opens.
  await page.waitForURL(`${house.app}/bind`);
  await tabTo(page, '#phone');
  await keyboard.type('13900007777');
  await keyboard.press('Enter');
  await page.waitForSelector('#passcode:focus');
  await keyboard.type(await passcode(page.context(), house, '+8613900007777'));
  await keyboard.press('Enter');
  await page.waitForURL(`${house.app}/me`);
  await greeted(page, house, '梅 Zoé 🐟');
});

test('access: pages fit a phone, and everything to tap is big enough', async (t) => {
  const { house } = t;
  const page = await t.page({ size: 'phone', lang: 'en-GB' });
  const check = async (what) => {
    const [width, small] = await page.evaluate(() => [
      document.documentElement.scrollWidth,
      [...document.querySelectorAll('button, .button, input:not([type=hidden]), select, .switch, .brand')]
        .filter((e) => e.checkVisibility()).map((e) => [e.outerHTML.slice(0, 80), e.getBoundingClientRect().height])
        .filter(([, height]) => height < 32),
    ]);
    assert.ok(width <= 390, `${what} is ${width} wide`);
    assert.deepEqual(small, [], what);
  };
  for (const path of ['/', '/dev/inbox', '/dev/codes', '/account/sign-in', '/account/sign-in?by=passcode', '/account/sign-up', '/account/reset']) {
    await page.goto(house.platform + path);
    await check(path);
  }
  await page.goto(house.app);
  await check('the demo app');
  await start(page, house, 'phone');
  await check('a number');
  for (const way of ['native', 'page']) {
    await start(page, house, way);
    if (way === 'native') await signIn(page, house.person('mei'));
    await page.waitForSelector(sel.consent);
    await check(`consent of ${way}`);
    await page.click(sel.allow);
    if (way === 'native') {
      await check('the stand-in');
      await page.click('a.primary[href^="/native/finish"]');
    }
    if (way === 'native') {
      await page.waitForURL(`${house.app}/bind`);
      await check('binding');
    }
    await greeted(page, house, '梅 Zoé 🐟');
    for (const path of ['/devices', '/security', '/change', '/unlink', '/delete', '/me']) {
      await page.goto(house.app + path);
      for (const summary of await page.locator('.wire summary').all()) await summary.click();
      await check(path);
    }
    await logOut(page, house);
  }
  for (const path of ['/account', '/account/password']) {
    await page.goto(house.platform + path);
    await check(path);
  }
  await start(page, house, 'scan');
  await check('the QR page');
});
