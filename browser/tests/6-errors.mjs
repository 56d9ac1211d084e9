// What a person sees when an app asks wrongly: a page with the number and the remedy, HTTP 200,
// and never a redirect to an address that was not checked.
import assert from 'node:assert/strict';
import { test } from '../lib/suite.mjs';
import { greeted, start } from '../lib/people.mjs';

const CHALLENGE = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM';

/** Every wrong request: which door, what is wrong, the number, a word of the remedy. */
function wrongs(house) {
  const appid = (kind) => house.client(kind).appid;
  const qr = { appid: appid('website'), redirect_uri: house.client('website').redirect, response_type: 'code', scope: 'snsapi_login', state: 's' };
  const page = { appid: appid('service'), redirect_uri: house.client('service').redirect, response_type: 'code', scope: 'snsapi_userinfo', state: 's' };
  const app = { appid: appid('mobile'), scope: 'snsapi_userinfo', state: 's', platform: 'ios', bundle: 'com.example.rooms', code_challenge: CHALLENGE, code_challenge_method: 'S256' };
  const doors = { '/connect/qrconnect': qr, '/connect/oauth2/authorize': page, '/connect/app/authorize': app };
  const both = ['/connect/qrconnect', '/connect/oauth2/authorize'];
  const list = [];
  const add = (paths, change, number, remedy) => {
    for (const path of paths) list.push({ path, query: { ...doors[path], ...change }, number, remedy });
  };
  add(Object.keys(doors), { appid: 'wxffffffffffffffff' }, null, /appid/);
  add(Object.keys(doors), { appid: undefined }, null, /appid/);
  add(both, { redirect_uri: 'https://evil.example/back' }, 10003, /redirect_uri/);
  add(both, { redirect_uri: 'http://127.0.0.1.evil.example/back' }, 10003, /redirect_uri/);
  add(both, { redirect_uri: 'javascript:alert(1)' }, 10003, /redirect_uri/);
  add(both, { redirect_uri: undefined }, 10011, /redirect_uri/);
  add(Object.keys(doors), { scope: undefined }, 10010, /scope/i);
  add(Object.keys(doors), { scope: 'snsapi_everything' }, 10005, /snsapi_/);
  add(['/connect/oauth2/authorize'], { state: 'x'.repeat(200) }, null, /state/);
  add(['/connect/qrconnect'], { appid: appid('service') }, null, /./);
  add(['/connect/oauth2/authorize'], { appid: appid('website') }, null, /./);
  add(Object.keys(doors), { appid: '<script>alert(1)</script>' }, null, /appid/);
  return list;
}

for (const lang of ['zh-CN', 'en-GB']) {
  test(`errors: every wrong request has a page (${lang})`, async (t) => {
    const { house } = t;
    const page = await t.page({ size: 'phone', lang });
    page.on('dialog', () => assert.fail('a script of the request ran'));
    for (const { path, query, number, remedy } of wrongs(house)) {
      const given = Object.entries(query).filter(([, value]) => value !== undefined);
      const address = `${house.platform}${path}?${new URLSearchParams(given)}`;
      const shown = await page.goto(address);
      const what = decodeURIComponent(address.slice(house.platform.length));
      assert.equal(shown.status(), 200, what);
      assert.equal(shown.request().redirectedFrom(), null, what);
      assert.equal(page.url(), address, 'never a redirect');
      const aside = await page.locator('.aside').innerText();
      assert.match(aside, remedy, what);
      assert.match(aside, lang === 'zh-CN' ? /给开发者/ : /For the developer/);
      if (number) assert.ok(aside.includes(String(number)), `${what}: ${aside}`);
      const words = await page.locator('.middle').innerText();
      assert.match(words, lang === 'zh-CN' ? /不是你的问题|手机/ : /nothing you did|phone/i, what);
      assert.equal(await page.locator('form').count(), 0);
    }
  });
}

test('errors: addresses that lead nowhere', async (t) => {
  const { house } = t;
  t.allow(/status of 404/);
  const page = await t.page({ lang: 'en-GB' });
  const shown = await page.goto(`${house.platform}/no/such/page`);
  assert.equal(shown.status(), 404);
  assert.match(await page.locator('h1').innerText(), /no such page/i);

  // Made-up and half secrets are over, not found out.
  for (const path of ['/interaction/1', `/interaction/1${'a'.repeat(38)}`, '/interaction/%00', '/connect/confirm', '/connect/confirm?uuid=nothing']) {
    const over = await page.goto(house.platform + path);
    assert.ok([200, 404].includes(over.status()), `${path}: ${over.status()}`);
    assert.equal(await page.locator('form').count(), 0, path);
    assert.ok((await page.locator('h1').innerText()).length > 3, path);
  }
  const image = await page.request.get(`${house.platform}/connect/qrcode/nothing`);
  assert.equal(image.status(), 404);
});

test('errors: a login begun in another browser is not taken over', async (t) => {
  const { house } = t;
  const [mine, other] = [await t.page({ lang: 'en-GB' }), await t.page({ lang: 'en-GB' })];
  await start(mine, house, 'page');
  await mine.waitForURL(/\/interaction\//);
  await other.goto(mine.url());
  assert.match(await other.locator('h1').innerText(), /over/);
  assert.equal(await other.locator('form').count(), 0);
  await mine.reload();
  assert.ok(await mine.locator('#phone').isVisible(), 'and it is still there for its owner');
});

test('errors: a code for one browser is not accepted from another', async (t) => {
  const { house } = t;
  const [mine, other] = [await t.page({ lang: 'en-GB' }), await t.page({ lang: 'en-GB' })];
  let back;
  mine.on('request', (request) => {
    if (request.url().includes('/callback/page?')) back = request.url();
  });
  await start(mine, house, 'page');
  await mine.locator('button.person').first().click();
  await mine.click('button[value=allow]');
  await greeted(mine, house, '梅 Zoé 🐟');
  assert.match(back, /code=/);
  // Neither elsewhere nor here a second time.
  for (const page of [other, mine]) {
    await page.goto(back);
    assert.match(await page.locator('main').innerText(), /state/);
  }
  await other.goto(`${house.app}/me`);
  assert.equal(other.url(), `${house.app}/`);
});
