// The live picture of all logins: it moves by itself, tells what is wrong, shows what went over the
// wire without its secrets, and stands ten thousand of them.
import assert from 'node:assert/strict';
import { test } from '../lib/suite.mjs';
import { bind, confirmAddress, greeted, sel, signIn, start } from '../lib/people.mjs';

/** A code as an app's backend gets it: somebody agreed, and no browser was needed. */
async function code(house, person = 'mei', more = {}) {
  const answer = await fetch(`${house.platform}/_sandbox/codes`, {
    method: 'POST',
    headers: { authorization: `Bearer ${house.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ client: house.client('website').appid, person, ...more }),
  });
  const told = await answer.json();
  assert.equal(answer.status, 200, JSON.stringify(told));
  return told.code;
}

/** Redeems a code as a backend does; answers what came back. */
async function redeem(house, code) {
  const { appid, secret } = house.client('website');
  const query = new URLSearchParams({ appid, secret, code, grant_type: 'authorization_code' });
  const answer = await fetch(`${house.platform}/sns/oauth2/access_token?${query}`, { headers: { 'user-agent': 'my-backend/1.0' } });
  return answer.json();
}

/** The page of the flows, once it listens. */
async function openFlows(page, house, query = '') {
  await page.goto(`${house.platform}/flows${query}`);
  await page.waitForSelector('.live[data-live=on]', { state: 'attached' });
}

/** Waits until the picture holds a text. */
const shows = (page, text) => page.locator('.steps').getByText(text).first().waitFor();

/** Flows as the sandbox tells of them, made up. */
function madeUp(count) {
  const states = ['logged_in', 'returned', 'open', 'failed', 'denied', 'expired'];
  const now = Date.now();
  return Array.from({ length: count }, (_, i) => {
    const n = count - i;
    return {
      id: `f${n}`, at: now - i * 1000, changed: now - i * 1000, took: 1200, dialect: 'wechat', door: 'scan',
      client: { appid: `wx${n % 7}`, name: `App ${n % 7}` }, person: ['mei', 'wei', 'ana', null][n % 4],
      state: states[n % 6], step: `step ${n}`, arrows: 3, faults: n % 50 ? 0 : 1,
      findings: n % 10 ? [] : [{ code: 'code_reused', severity: 'error' }],
    };
  });
}

/** Answers for the sandbox: a list of flows, and a stream that says nothing. */
async function pretend(page, flows) {
  const json = (route, body) => route.fulfill({ contentType: 'application/json', body: JSON.stringify(body) });
  await page.route(/\/_sandbox\//, (route) => {
    const url = new URL(route.request().url());
    if (url.pathname.endsWith('/stream')) return route.fulfill({ contentType: 'text/event-stream', body: 'retry: 600000\n\n' });
    if (url.pathname !== '/_sandbox/flows') {
      const flow = flows.find(({ id }) => url.pathname.endsWith(`/${id}`));
      return flow ? json(route, { ...flow, arrows: [], findings: [], dropped: 0 }) : json(route, {});
    }
    const after = url.searchParams.get('after');
    const from = after ? flows.findIndex(({ id }) => id === after) + 1 : 0;
    const part = flows.slice(from, from + Number(url.searchParams.get('limit')));
    return json(route, { flows: part, next: from + part.length < flows.length ? part.at(-1).id : null, total: flows.length });
  });
}

test('flows: ten thousand in the list', async (t) => {
  const page = await t.page({ lang: 'en-GB' });
  const flows = madeUp(10_000);
  await pretend(page, flows);
  await page.addInitScript(() => {
    window.longest = 0;
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) window.longest = Math.max(window.longest, duration);
    }).observe({ type: 'longtask' });
  });
  await page.goto(`${t.house.platform}/flows`);
  await page.waitForFunction(() => document.querySelector('.count')?.textContent === '10,000 logins');
  const most = () => page.locator('.list .flow').count();
  assert.ok((await most()) < 100, `${await most()} rows in the page`);
  assert.equal(await page.locator('.list .flow').first().getAttribute('aria-setsize'), '10000');

  // From the top to the end, by pages, by leaps and by the wheel. Another program on this machine may
  // hold the page up, so the best of three counts.
  const scroll = () => page.evaluate(async () => {
    const list = document.querySelector('.list');
    const frame = () => new Promise(requestAnimationFrame);
    list.scrollTop = 0;
    await frame();
    window.longest = 0;
    let blank = 0;
    for (let i = 0; i < 120; i++) {
      list.scrollTop = i % 10 === 9 ? Math.random() * list.scrollHeight : list.scrollTop + 700;
      await frame();
      await frame();
      const middle = list.getBoundingClientRect();
      const there = document.elementFromPoint(middle.x + 80, middle.y + middle.height / 2);
      if (!there?.closest('.flow')) blank++;
    }
    list.scrollTop = list.scrollHeight;
    await frame();
    await frame();
    return { blank, longest: window.longest, last: [...document.querySelectorAll('.flow:not([hidden])')].some((row) => row.dataset.id === 'f1') };
  });
  let seen = await scroll();
  for (let i = 0; i < 2 && seen.longest >= 200; i++) seen = await scroll();
  assert.ok(seen.last, 'the oldest is reached');
  assert.equal(seen.blank, 0, 'no gap while scrolling');
  assert.ok(seen.longest < 200, `a task of ${seen.longest} ms`);
  assert.ok((await most()) < 100, `${await most()} rows in the page`);

  await page.evaluate(() => (window.longest = 0));
  await page.fill('#text', 'step 99');
  const found = flows.filter(({ step }) => step.includes('99')).length;
  await page.waitForFunction((n) => document.querySelector('.count').textContent === `${n} of 10,000 logins`, found);
  await page.selectOption('#state', 'failed');
  await page.click('.toggle');
  await page.waitForFunction(() => /^\d+ of/.test(document.querySelector('.count').textContent));
  const longest = await page.evaluate(() => window.longest);
  assert.ok(longest < 600, `a task of ${longest} ms`);
  console.log(`      10,000 flows: longest task while scrolling ${Math.round(seen.longest)} ms, while filtering ${Math.round(longest)} ms`);
});

test('flows: a login is drawn while it happens', async (t) => {
  const { house } = t;
  const [page, desktop, phone] = [await t.page({ lang: 'en-GB' }), await t.page(), await t.page({ size: 'phone' })];
  await openFlows(page, house);
  await page.getByText('Waiting for the first login').waitFor();
  await page.evaluate(() => (window.mine = true));

  await start(desktop, house, 'scan');
  await shows(page, '/connect/qrconnect');
  assert.equal(await page.locator('.flow:not([hidden])').count(), 1);
  assert.equal(await page.locator('.flow').first().getAttribute('data-state'), 'open');
  const { address } = await confirmAddress(desktop, house);
  await phone.goto(address);
  await shows(page, 'scanned');
  await signIn(phone, house.person('mei'));
  await phone.click(sel.allow);
  await bind(desktop, house);
  await greeted(desktop, house, '梅 Zoé 🐟');
  await shows(page, '/sns/oauth2/access_token');
  await shows(page, '/sns/userinfo');
  await page.waitForSelector('.flow[data-state=logged_in]');
  assert.match(await page.locator('.flow').first().innerText(), /小屋 Rooms[\s\S]*mei[\s\S]*QR code/);
  const lanes = await page.locator('.heads li').evaluateAll((all) => all.map((lane) => lane.dataset.lane));
  assert.deepEqual(lanes, ['user', 'app', 'browser', 'backend', 'platform'].filter((lane) => lanes.includes(lane)), 'in their order');
  assert.ok(lanes.length >= 4, lanes.join());
  assert.equal(await page.evaluate(() => window.mine), true, 'the page was not loaded anew');

  // The demo app leads here.
  const [opened] = await Promise.all([desktop.context().waitForEvent('page'), desktop.locator('.wire a').click()]);
  await opened.waitForURL(/\/flows\?flow=f\d+$/);
  await shows(opened, '/connect/qrconnect');
});

test('flows: an arrow is there within a moment of its request', async (t) => {
  const { house } = t;
  const page = await t.page({ lang: 'en-GB' });
  await openFlows(page, house);
  await redeem(house, await code(house));
  await page.waitForSelector('.steps .row');
  await page.evaluate(() => {
    window.seen = [];
    new MutationObserver(() => window.seen.push([Date.now(), document.querySelectorAll('.flow:not([hidden])').length, document.querySelectorAll('.steps .row .outcome.bad').length]))
      .observe(document.getElementById('flows'), { childList: true, subtree: true, attributes: true });
  });
  const taken = [];
  for (let i = 0; i < 12; i++) {
    const used = await code(house);
    await redeem(house, used);
    const list = await page.request.get(`${house.platform}/_sandbox/flows?limit=1`);
    const [{ id }] = (await list.json()).flows;
    await page.waitForFunction((id) => document.querySelector('.flow[aria-posinset="1"]')?.dataset.id === id, id);
    await page.locator(`.flow[data-id=${id}]`).click();
    await page.waitForSelector(`.reading[data-flow=${id}] .steps .row`);
    await page.waitForTimeout(120);
    await page.evaluate(() => (window.seen.length = 0));
    const sent = Date.now();
    await redeem(house, used);
    const there = await page.waitForFunction(() => window.seen.find(([, , bad]) => bad > 0)?.[0]);
    taken.push((await there.jsonValue()) - sent);
  }
  taken.sort((a, b) => a - b);
  console.log(`      from a request to its arrow: median ${taken[6]} ms, most ${taken.at(-1)} ms of ${taken.length}`);
  assert.ok(taken[6] < 1000, `${taken}`);
});

test('flows: what is wrong is told where it happened, with the fact', async (t) => {
  const { house } = t;
  const page = await t.page({ lang: 'en-GB' });
  await openFlows(page, house);
  const used = await code(house);
  await redeem(house, used);
  assert.equal((await redeem(house, used)).errcode, 40163);
  const finding = page.locator('.row .finding[data-code=code_reused]');
  await finding.waitFor();
  assert.equal(await page.locator('.row:has(.finding[data-code=code_reused]) .outcome b').innerText(), '40163');
  assert.match(await finding.innerText(), /What to do/);
  await page.locator('.flow .badge.error').first().waitFor();
  await page.waitForFunction(() => /code_reused|twice/.test(document.querySelector('[aria-live=polite].away').textContent));

  // The gist leads to it, the address names it, and the fact opens.
  await page.click('[data-jump=code_reused]');
  assert.match(page.url(), /[?&]flow=f\d+&finding=code_reused$/);
  const [fact] = await Promise.all([page.context().waitForEvent('page'), finding.locator('.foot a').click()]);
  await fact.waitForLoadState();
  assert.match(fact.url(), /\/flows\/facts\/wechat\/[\d.]+$/);
  assert.ok((await fact.locator('h1').innerText()).length > 3);
  assert.ok(await fact.locator('table td').count());

  // A permalink shows the same, with the finding in sight; in Chinese, too.
  const again = await t.page({ lang: 'zh-CN' });
  await again.goto(page.url());
  const told = again.locator('.row .finding.told');
  await told.waitFor();
  assert.ok(await told.evaluate((card) => card.getBoundingClientRect().top < innerHeight));
  assert.match(await told.innerText(), /怎么改/);
});

test('flows: an arrow opens what went over the wire, without its secrets', async (t) => {
  const { house } = t;
  const page = await t.page({ lang: 'en-GB' });
  await openFlows(page, house);
  const state = `state-of-mine-${Date.now()}`;
  const used = await code(house, 'mei', { state });
  const tokens = await redeem(house, used);
  await fetch(`${house.platform}/sns/userinfo?access_token=${tokens.access_token}&openid=${tokens.openid}`, { headers: { 'user-agent': 'my-backend/1.0' } });
  await shows(page, '/sns/userinfo');
  const arrow = page.locator('button.arrow', { hasText: '/sns/oauth2/access_token' });
  assert.equal(await arrow.getAttribute('aria-expanded'), 'false');
  await arrow.click();
  assert.equal(await arrow.getAttribute('aria-expanded'), 'true');
  const panel = page.locator('.panel:not([hidden])');
  assert.match(await panel.innerText(), /grant_type\s+authorization_code/);
  assert.match(await panel.locator('pre').innerText(), /"expires_in": 7200/);
  await panel.getByText('headers').first().click();
  await panel.getByText('my-backend/1.0').waitFor();
  await page.locator('button.arrow', { hasText: '/sns/userinfo' }).click();

  // The same value lights up wherever it is.
  const value = panel.first().locator('.value', { hasText: 'access_token' }).last();
  await value.hover();
  const mark = await value.getAttribute('data-value');
  assert.ok((await page.locator(`.value.lit[data-value="${mark}"]`).count()) >= 3, 'in the answer, in the next request, and above');
  assert.equal(await page.locator('.row.carries').count(), 2);

  // Nothing secret is in the page, in its text, or in what is exported.
  const id = await page.locator('.flow[aria-selected=true]').getAttribute('data-id');
  const texts = [await page.content()];
  for (const path of [`flows/${id}.txt`, `flows/${id}`, 'flows.json']) {
    const answer = await page.request.get(`${house.platform}/_sandbox/${path}`);
    assert.equal(answer.status(), 200, path);
    texts.push(await answer.text());
  }
  const secrets = [used, state, house.client('website').secret, tokens.access_token, tokens.refresh_token, house.token];
  for (const secret of secrets) {
    for (const text of texts) assert.ok(!text.includes(secret), `${secret} in ${text.slice(0, 60)}`);
  }

  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  const copied = () => page.evaluate(() => navigator.clipboard.readText());
  await page.getByRole('button', { name: 'Copy as text' }).click();
  await page.getByText('Copied').waitFor();
  assert.equal(await copied(), texts[1]);
  await page.locator('.acts').getByRole('button', { name: 'Copy link' }).click();
  await page.waitForFunction((was) => navigator.clipboard.readText().then((text) => text !== was), texts[1]);
  assert.equal(await copied(), `${house.platform}/flows?flow=${id}`);
});

test('flows: the filter is in the address, and clearing takes two clicks', async (t) => {
  const { house } = t;
  const page = await t.page({ lang: 'en-GB' });
  await openFlows(page, house);
  for (const person of ['mei', 'wei', 'mei']) await redeem(house, await code(house, person));
  const bad = await code(house, 'ana');
  await redeem(house, bad);
  await redeem(house, bad);
  const many = (n) => page.waitForFunction((n) => document.querySelectorAll('.flow:not([hidden])').length === n, n);
  await many(4);
  await page.selectOption('#person', 'mei');
  await many(2);
  assert.match(page.url(), /\/flows\?person=mei$/);
  await page.fill('#text', 'nothing like this');
  await page.getByText('No login matches').waitFor();
  await page.getByRole('button', { name: 'Clear the filter' }).click();
  await many(4);
  await page.click('.toggle');
  await many(1);
  await page.reload();
  await many(1);
  assert.equal(await page.locator('.toggle').getAttribute('aria-pressed'), 'true');
  assert.match(await page.locator('.flow').first().innerText(), /ana/);

  const clear = page.locator('.under button').first();
  await clear.click();
  await page.waitForTimeout(50);
  assert.equal(await page.locator('.flow:not([hidden])').count(), 1, 'one click clears nothing');
  await clear.click();
  await page.getByText('Waiting for the first login').waitFor();
});

test('flows: by the keyboard alone', async (t) => {
  const { house } = t;
  const page = await t.page({ lang: 'en-GB' });
  const { keyboard } = page;
  for (const person of ['mei', 'wei', 'ana']) await redeem(house, await code(house, person));
  await openFlows(page, house);
  await page.waitForFunction(() => document.querySelectorAll('.flow:not([hidden])').length === 3);
  await keyboard.press('?');
  await page.waitForSelector('dialog[open]');
  await keyboard.press('Escape');
  await keyboard.press('/');
  await keyboard.type('mei');
  await page.waitForFunction(() => document.querySelectorAll('.flow:not([hidden])').length === 1);
  await keyboard.press('Control+a');
  await keyboard.press('Delete');
  await keyboard.press('Escape');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'list');
  await keyboard.press('j');
  await keyboard.press('j');
  await keyboard.press('ArrowDown');
  await keyboard.press('k');
  const active = await page.locator('#list').getAttribute('aria-activedescendant');
  assert.ok((await page.locator(`#${active}`).innerText()).includes('wei'));
  await keyboard.press('Enter');
  await page.waitForURL(/flow=f\d+$/);
  assert.equal(await page.locator(`#${active}`).getAttribute('aria-selected'), 'true');
  await page.waitForSelector('.steps .row');
  await keyboard.press('j');
  assert.ok(await page.evaluate(() => document.activeElement.matches('button.arrow')));
  assert.ok(await page.evaluate(() => parseFloat(getComputedStyle(document.activeElement).outlineWidth) >= 2), 'the focus can be seen');
  await keyboard.press('Enter');
  await page.waitForSelector('.panel:not([hidden])');
  await keyboard.press('Escape');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'list');
  assert.match(page.url(), /\/flows$/);
});

test('flows: on a phone, first the list and then the flow', async (t) => {
  const { house } = t;
  const page = await t.page({ size: 'phone', lang: 'en-GB' });
  await openFlows(page, house);
  await page.getByText('Waiting for the first login').waitFor();
  const fits = async (what) => {
    const [width, small] = await page.evaluate(() => [
      document.documentElement.scrollWidth,
      // A value in the middle of a text is as high as the text.
      [...document.querySelectorAll('button:not(.panel .value), .button, input:not([type=hidden]), select, .switch, .brand, .places a')]
        .filter((e) => e.checkVisibility()).map((e) => [e.outerHTML.slice(0, 80), e.getBoundingClientRect().height]).filter(([, height]) => height < 28),
    ]);
    assert.ok(width <= 390, `${what} is ${width} wide`);
    assert.deepEqual(small, [], what);
  };
  await fits('the beginning');
  const used = await code(house);
  await redeem(house, used);
  await redeem(house, used);
  const row = page.locator('.flow').first();
  await row.waitFor();
  assert.ok(!(await page.locator('.picture').isVisible()));
  await fits('the list');
  await row.click();
  await shows(page, '/sns/oauth2/access_token');
  assert.ok(!(await page.locator('.pane').isVisible()));
  await page.locator('button.arrow').first().click();
  await fits('the flow');
  await page.locator('.leave').click();
  await page.waitForSelector('.pane:visible');
  assert.match(page.url(), /\/flows$/);
  await page.goBack();
  await shows(page, '/sns/oauth2/access_token');
});

test('flows: why nothing arrives, and a sandbox that was started anew', async (t) => {
  t.allow(/status of 401/, /MIME type/);
  const page = await t.page({ lang: 'en-GB' });
  const hint = { code: 'proxy_ignored', title: 'Nothing of the program has come by the sandbox yet.', remedy: 'Hand the environment on, or: yufu run --net -- …', title_zh: '…', remedy_zh: '…' };
  const launch = { id: 'l1', command: 'npm start', runtime: 'node', ended: null, hint };
  await page.route(/\/_sandbox\/launches/, (route) => route.fulfill({ contentType: 'application/json', body: JSON.stringify({ launches: [launch, { ...launch, id: 'l0', hint: null }] }) }));
  await openFlows(page, t.house);
  const banner = page.locator('.hint-banner');
  await banner.waitFor();
  assert.match(await banner.innerText(), /Nothing of the program[\s\S]*yufu run --net -- npm start/);
  await banner.getByRole('button', { name: 'Dismiss' }).click();
  await banner.waitFor({ state: 'detached' });
  await page.route(/\/_sandbox\/flows/, (route) => route.fulfill({ status: 401, contentType: 'application/json', body: '{"error":{"code":"locked","complaints":[]}}' }));
  await page.reload();
  await page.getByText('The sandbox was restarted').waitFor();
});
