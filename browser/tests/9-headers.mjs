// What every page carries. The watch of the suite looks at each answer of each test; here every
// address is opened once, and what scripts may see is tried.
import assert from 'node:assert/strict';
import { test } from '../lib/suite.mjs';
import { greeted, sel, signIn, signInAt, start } from '../lib/people.mjs';

test('headers: every page, signed in and out', async (t) => {
  const { house } = t;
  t.allow(/status of 404/, /Executing inline script violates/);
  const page = await t.page({ lang: 'en-GB' });
  const paths = [
    '/', '/account', '/account/sign-in', '/account/sign-up', '/account/reset', '/account/password',
    '/dev/inbox', '/dev/codes', '/connect/confirm', '/connect/qrconnect', '/connect/oauth2/authorize',
    '/connect/app/authorize', '/nothing',
  ];
  for (const round of ['out', 'in']) {
    for (const path of paths) {
      const shown = await page.goto(house.platform + path);
      const headers = shown.headers();
      if (headers['x-frame-options'] === undefined) assert.fail(`${path} without X-Frame-Options`);
      // What the policy says, the browser does: nothing of a page's own making runs.
      const ran = await page.evaluate(() => {
        const script = document.createElement('script');
        script.textContent = 'window.ran = true';
        const seen = new Promise((resolve) => document.addEventListener('securitypolicyviolation', () => resolve('refused'), { once: true }));
        document.body.append(script);
        return Promise.race([seen, new Promise((resolve) => setTimeout(() => resolve(window.ran ? 'ran' : 'no report'), 1000))]);
      });
      assert.equal(ran, 'refused', path);
      assert.equal(await page.evaluate(() => document.cookie.replace(/yufu_lang=\w+/, '')), '', 'no secret for scripts');
    }
    if (round === 'out') await signInAt(page, house, house.person('mei'));
  }
});

test('headers: the first address that is printed opens the inbox, and is left at once', async (t) => {
  const { house } = t;
  t.allow(/status of 401/);
  const page = await t.page({ lang: 'en-GB' });
  await page.context().clearCookies();
  await page.goto(`${house.platform}/dev/inbox`);
  await page.fill('#token', 'not this one');
  await page.click('button.primary');
  await page.waitForSelector(sel.problem);
  await page.fill('#token', house.token);
  await page.click('button.primary');
  await page.waitForURL(`${house.platform}/dev/inbox`);
  await page.context().clearCookies();
  await page.goto(`${house.app}/?token=${house.token}`);
  assert.equal(page.url(), `${house.app}/`);
  await page.goto(`${house.platform}/dev/inbox`);
  await page.waitForSelector('.empty');
});

test('headers: cookies are out of reach, and no secret is in an address that leaves', async (t) => {
  const { house } = t;
  const page = await t.page();
  const referrers = [];
  page.on('request', (request) => {
    const referrer = request.headers().referer;
    if (referrer && /interaction|code=|confirm/.test(referrer)) referrers.push(`${request.url()} from ${referrer}`);
  });
  await start(page, house, 'page');
  await signIn(page, house.person('mei'));
  await page.click(sel.allow);
  await greeted(page, house, '梅 Zoé 🐟');
  await page.goto(`${house.platform}/account?lang=en`);
  const cookies = await page.context().cookies();
  const names = cookies.map(({ name }) => name.replace(/_\d+$/, '')).sort();
  assert.deepEqual(names, ['rooms', 'yufu_browser', 'yufu_lang', 'yufu_sandbox', 'yufu_session']);
  for (const { name, httpOnly, sameSite, path } of cookies) {
    assert.equal(sameSite, name.startsWith('yufu_sandbox') ? 'Strict' : 'Lax', name);
    assert.equal(path, '/', name);
    assert.equal(httpOnly, true, name);
  }
  assert.deepEqual(referrers, []);
});

test('headers: scripts, styles and pictures may be kept, and change their address when they change', async (t) => {
  const { house } = t;
  const page = await t.page();
  const loaded = [];
  page.on('response', (response) => {
    if (response.url().includes('/assets/')) loaded.push(response);
  });
  await start(page, house, 'scan');
  await page.waitForLoadState('load');
  await page.waitForSelector('.js_wx_clock');
  assert.ok(loaded.length >= 2, String(loaded.length));
  for (const response of loaded) {
    assert.match(response.url(), /\?v=[0-9a-f]{16}$/);
    assert.match(response.headers()['cache-control'], /immutable/);
    assert.equal(response.headers()['x-content-type-options'] ?? 'nosniff', 'nosniff');
  }
});
