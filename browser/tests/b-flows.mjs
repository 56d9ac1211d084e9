// The live picture of all logins: it moves by itself, tells what is wrong, shows what went over the
// wire without its secrets, and stands ten thousand of them.
import assert from 'node:assert/strict';
import { test } from '../lib/suite.mjs';

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

  // From the top to the end, by pages, by leaps and by the wheel.
  const seen = await page.evaluate(async () => {
    const list = document.querySelector('.list');
    const frame = () => new Promise(requestAnimationFrame);
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
  assert.ok(longest < 200, `a task of ${longest} ms`);
  console.log(`      10,000 flows: longest task while scrolling ${Math.round(seen.longest)} ms, while filtering ${Math.round(longest)} ms`);
});
