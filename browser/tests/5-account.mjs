// My account: the profile, and the apps that I authorized.
import assert from 'node:assert/strict';
import { test } from '../lib/suite.mjs';
import { fields, greeted, logOut, said, sel, signIn, signInAt, start } from '../lib/people.mjs';

test('account: a profile is edited, to the letter', async (t) => {
  const { house } = t;
  const page = await t.page({ size: 'phone', lang: 'en-GB' });
  await signInAt(page, house, house.person('ana'));
  const nickname = 'Ána <b>&"\' 👩‍🚀🏳️‍🌈 阿娜';
  await page.click('summary:has-text("Edit profile")');
  await page.fill('#nickname', nickname);
  await page.selectOption('#sex', '2');
  await page.fill('#city', 'São Paulo');
  await page.click('button[value=save_profile]');
  await page.waitForSelector('.done[role=status]');
  assert.ok((await page.locator('.whoami').first().innerText()).includes(nickname));
  await page.reload();
  await page.click('summary:has-text("Edit profile")');
  assert.equal(await page.inputValue('#nickname'), nickname);
  assert.equal(await page.inputValue('#sex'), '2');
  assert.equal(await page.inputValue('#city'), 'São Paulo');

  // What is not fit is said, and nothing is saved.
  await page.locator('#nickname').evaluate((input) => input.removeAttribute('maxlength'));
  await page.fill('#nickname', 'x'.repeat(200));
  await page.click('button[value=save_profile]');
  await page.waitForSelector(sel.problem);

  // An app gets it as it was typed.
  await start(page, house, 'page');
  await page.click(sel.allow);
  await greeted(page, house, nickname);
});

test('account: a revoked app can do nothing from that moment', async (t) => {
  const { house } = t;
  const [app, mine] = [await t.page({ lang: 'en-GB' }), await t.page({ size: 'phone', lang: 'en-GB' })];
  await start(app, house, 'page');
  await signIn(app, house.person('mei'));
  await app.click(sel.allow);
  await greeted(app, house, '梅 Zoé 🐟');
  const { uid } = await said(app, 'GET /user/me');

  await signInAt(mine, house, house.person('mei'));
  const grant = mine.locator('.grant');
  assert.equal(await grant.count(), 1);
  const row = await grant.innerText();
  assert.ok(row.includes('小屋服务号 Rooms Pages') && row.includes('小屋科技 Rooms Ltd'));
  assert.match(row, /nickname and picture/i);
  await mine.click('.grant summary');
  await mine.click('button[value=revoke]');
  await mine.waitForSelector('.done[role=status]');
  assert.equal(await mine.locator('.grant').count(), 0);

  // The app's session is the app's; but logging in again asks WeChat, and that is over.
  await app.click('button[value=again]');
  await app.waitForSelector('.card h1');
  assert.equal((await fields(app, 'main')).code, '2008');

  await app.goto(`${house.app}/devices`);
  assert.equal((await fields(app, 'main')).code, '2008', 'nor does the session go on');

  // The next login asks again, and the person is the same one.
  await app.click('a.primary');
  await app.click(sel.allow);
  await greeted(app, house, '梅 Zoé 🐟');
  assert.equal((await said(app, 'GET /user/me')).uid, uid);
});

test('account: a second click on revoke is no error', async (t) => {
  const { house } = t;
  const browser = await t.browser({ lang: 'en-GB' });
  const [one, two] = [await browser.newPage(), await browser.newPage()];
  await start(one, house, 'page');
  await signIn(one, house.person('wei'));
  await one.click(sel.allow);
  await greeted(one, house, '阿伟');
  for (const page of [one, two]) {
    await page.goto(`${house.platform}/account`);
    await page.click('.grant summary');
  }
  for (const page of [one, two]) {
    await page.click('button[value=revoke]');
    await page.waitForSelector('.done[role=status]');
    assert.equal(await page.locator('.grant').count(), 0);
  }
});
