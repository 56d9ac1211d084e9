// The native hand-over, with the demo app's web page standing in for an app.
import assert from 'node:assert/strict';
import { test } from '../lib/suite.mjs';
import { authorizeAddress, fields, greeted, logOut, sel, signIn, start } from '../lib/people.mjs';

test('native: asked every time, through the stand-in, logged in', async (t) => {
  const { house } = t;
  const page = await t.page({ size: 'phone', lang: 'en-GB' });
  for (const round of [1, 2]) {
    await start(page, house, 'native');
    if (round === 1) await signIn(page, house.person('mei'));
    // A grant stands in the second round, and still there is a question.
    assert.ok((await page.locator(sel.consent).innerText()).includes('小屋 Rooms App'));
    await page.click(sel.allow);
    await page.waitForURL(/\/app\/wx[0-9a-f]{16}\/oauth\?/);
    const received = await fields(page, 'main');
    assert.equal(received.errCode, '0');
    assert.match(received.code, /…/, 'the code is masked');
    await page.click('a.primary[href^="/native/finish"]');
    await greeted(page, house, '梅 Zoé 🐟');
    await logOut(page, house);
  }
});

test('native: denied is -4 at the app', async (t) => {
  const { house } = t;
  const page = await t.page({ size: 'phone' });
  await start(page, house, 'native');
  await signIn(page, house.person('wei'));
  await page.click(sel.deny);
  await page.waitForURL(/\/app\/wx[0-9a-f]{16}\/oauth\?/);
  assert.equal((await fields(page, 'main')).errCode, '-4');
  assert.match(await page.locator('.result').innerText(), /ERR_AUTH_DENIED/);
  assert.equal(await page.locator('a[href^="/native/finish"]').count(), 0);
  await page.click('a.primary'); // once more
  await page.waitForSelector(sel.consent);
});

test('native: a wrong identity is -6 on an error page, and a plain challenge an error', async (t) => {
  const { house } = t;
  const page = await t.page({ size: 'phone', lang: 'en-GB' });
  const right = new URL(await authorizeAddress(page, house, 'native'));
  const registered = right.searchParams.get('bundle');
  const open = async (change) => {
    const address = new URL(right);
    change(address.searchParams);
    const shown = await page.goto(address.href);
    assert.equal(shown.status(), 200);
    assert.equal(shown.request().redirectedFrom(), null, 'never a redirect');
    return page.locator('main').innerText();
  };

  const wrongBundle = await open((query) => query.set('bundle', 'com.example.other'));
  assert.match(wrongBundle, /-6/);
  assert.match(wrongBundle, /bundle/i, 'names the field');
  assert.ok(!(await page.content()).includes(registered), 'but not what is registered');

  const wrongSignature = await open((query) => {
    query.set('platform', 'android');
    query.set('signature', 'ffffffffffffffffffffffffffffffff');
  });
  assert.match(wrongSignature, /-6/);
  assert.match(wrongSignature, /signature/i);
  assert.ok(!(await page.content()).includes('0123456789abcdef0123456789abcdef'));

  const plain = await open((query) => {
    query.set('code_challenge', 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM');
    query.set('code_challenge_method', 'plain');
  });
  assert.match(plain, /code_challenge/);
  assert.equal(await page.locator(sel.signIn).count(), 0);
});

test('native: a return to a custom scheme names the app and opens it', async (t) => {
  const { house } = t;
  t.allow(/Failed to launch|ERR_UNKNOWN_URL_SCHEME|wx[0-9a-f]{16}:/);
  const page = await t.page({ size: 'phone' });
  const address = new URL(await authorizeAddress(page, house, 'native'));
  address.searchParams.set('platform', 'android');
  address.searchParams.set('signature', '0123456789abcdef0123456789abcdef');
  await page.goto(address.href);
  await signIn(page, house.person('mei'));
  const asked = await page.locator(sel.consent).innerText();
  assert.match(asked, /com\.example\.rooms/);
  const sent = page.waitForResponse((response) => response.request().method() === 'POST' && response.status() === 303);
  await page.locator(sel.allow).click({ noWaitAfter: true });
  const appid = house.client('mobile').appid;
  assert.match((await sent).headers().location, new RegExp(`^${appid}://oauth\\?code=[^&]+&state=[^&]+$`));
});
