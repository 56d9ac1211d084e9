// The control of the sandbox: people, apps, answers by themselves, events and the way back, each by
// clicking, on a desktop and on a phone.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { open, told } from '../lib/control.mjs';
import { test } from '../lib/suite.mjs';

const one = async (house, list, key, value) => (await told(house, list))[list].find((it) => it[key] === value);

/** Waits until somebody is so, whatever the page shows. */
async function until(house, list, key, value, fits) {
  for (let i = 0; i < 60; i++) {
    const it = await one(house, list, key, value);
    if (it && fits(it)) return it;
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new Error(`never so: ${JSON.stringify(await one(house, list, key, value))}`);
}

/** An app's own address for events; answers each with the next of `answers`. */
async function receiver(t, answers) {
  const heard = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (part) => (body += part));
    request.on('end', () => {
      heard.push({ url: request.url, body });
      const [status, text] = answers.shift() ?? [200, 'success'];
      response.writeHead(status).end(text);
    });
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  t.atEnd(() => new Promise((done) => server.close(done)));
  return { heard, url: `http://127.0.0.1:${server.address().port}/events` };
}

async function fits(page, width) {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wide <= width, `${wide} wide`);
}

for (const [size, width] of [['desktop', 1280], ['phone', 390]]) {
  test(`control: people come, change and go (${size})`, async (t) => {
    t.allow(/status of 40[049]/);
    const { house } = t;
    const page = await t.page({ size, lang: 'en-GB' });
    await open(page, house);
    const people = page.locator('#people');

    // Somebody is added; what is wrong stands at its field.
    await people.getByText('Add a person').click();
    const add = people.locator('details.drawer').last();
    await add.locator('[name=name]').fill('Zoe');
    await add.locator('[name=nickname]').fill('Zoé 🦊𠮷 مرحبا');
    await add.locator('[name=phone]').fill('12');
    await add.locator('button.primary').click();
    await page.waitForFunction(() => document.querySelectorAll('#people [aria-invalid=true]').length === 2);
    assert.equal(await one(house, 'people', 'nickname', 'Zoé 🦊𠮷 مرحبا'), undefined);
    await add.locator('[name=name]').fill('zoe');
    await add.locator('[name=phone]').fill('+8613800000009');
    await add.locator('[name=sex]').selectOption('female');
    await add.locator('[name=city]').fill('长沙');
    await add.locator('button.primary').click();
    const card = people.locator('[data-person=zoe]');
    await card.waitFor();
    assert.equal((await one(house, 'people', 'name', 'zoe')).sex, 'female');
    // They can be chosen where somebody is chosen, without a reload.
    for (const place of ['faults', 'auto', 'events']) {
      assert.equal(await page.locator(`#${place} select[name=person] option[value=zoe]`).count(), 1, place);
    }

    // Switches: picture, unionid, the client on the phone.
    for (const [label, key, on, off] of [['Has a picture', 'avatar', 'face', 'none'], ['Gets a unionid', 'unionid', true, false], ['Has the app installed', 'installed', true, false]]) {
      const button = card.getByRole('switch', { name: label });
      assert.equal(await button.getAttribute('aria-checked'), 'true');
      await button.click();
      await until(house, 'people', 'name', 'zoe', (it) => it[key] === off);
      await card.locator('[role=switch][aria-checked=false]', { hasText: label }).waitFor();
      await button.focus();
      await page.keyboard.press('Space');
      await until(house, 'people', 'name', 'zoe', (it) => it[key] === on);
    }

    // Edited: emoji in the name; the rest stays.
    await card.locator('summary').click();
    await card.locator('[name=nickname]').fill('😀👩‍👩‍👧');
    await card.locator('details button.primary').click();
    await card.locator('h3', { hasText: '😀👩‍👩‍👧' }).waitFor();
    assert.equal((await one(house, 'people', 'name', 'zoe')).city, '长沙');

    // Restricted, and back; closed only by a second and a third click.
    const standing = card.locator('[name=standing]');
    await standing.selectOption('restricted');
    await until(house, 'people', 'name', 'zoe', (it) => it.standing === 'restricted');
    await standing.selectOption('active');
    await until(house, 'people', 'name', 'zoe', (it) => it.standing === 'active');
    await standing.selectOption('closed');
    await card.getByRole('button', { name: 'Close the account' }).click();
    assert.equal((await one(house, 'people', 'name', 'zoe')).standing, 'active');
    await card.getByRole('button', { name: 'really close it?' }).click();
    await until(house, 'people', 'name', 'zoe', (it) => it.standing === 'closed');
    await fits(page, width);

    await card.getByRole('button', { name: 'Remove' }).click();
    await card.getByRole('button', { name: 'Really remove?' }).click();
    await card.waitFor({ state: 'detached' });
    assert.equal(await one(house, 'people', 'name', 'zoe'), undefined);
    assert.equal(await page.locator('#auto select[name=person] option[value=zoe]').count(), 0);
  });

  test(`control: apps come and change (${size})`, async (t) => {
    t.allow(/status of 40[049]/);
    const { house } = t;
    const page = await t.page({ size, lang: 'en-GB' });
    await open(page, house);
    const apps = page.locator('#clients');
    await apps.getByText('Add an app').click();
    const add = apps.locator('details.drawer').last();
    await add.locator('[name=name]').fill('Mine 我的');
    await add.locator('[name=kind]').selectOption('website');
    await add.locator('[name=redirects]').fill('www.example.com:8080');
    await add.locator('button.primary').click();
    await add.locator('[name=redirects][aria-invalid=true]').waitFor();
    await add.locator('[name=redirects]').fill('www.example.com');
    await add.locator('[name=appid]').fill('wx00000000deadbeef');
    await add.locator('[name=secret]').fill('0123456789abcdef0123456789abcdef');
    await add.locator('button.primary').click();
    const card = apps.locator('[data-client=wx00000000deadbeef]');
    await card.waitFor();
    const is = (fits) => until(house, 'clients', 'appid', 'wx00000000deadbeef', fits);
    assert.deepEqual((await is(() => true)).redirects, ['www.example.com']);

    // The secret is shown when it is asked for.
    assert.ok(!(await card.innerText()).includes('0123456789abcdef'));
    await card.getByRole('button', { name: 'Show' }).click();
    assert.ok((await card.innerText()).includes('0123456789abcdef0123456789abcdef'));

    await card.locator('[role=switch]').first().click();
    await is((it) => it.listed === false);
    await card.locator('[role=switch][aria-checked=false]').first().click();
    await is((it) => it.listed === true);
    // Only a service account can be without the Open Platform: the switch falls back and says why.
    await card.locator('[role=switch]').nth(1).click();
    await card.locator('.toggled .problem:visible').waitFor();
    assert.equal(await card.locator('[role=switch]').nth(1).getAttribute('aria-checked'), 'true');
    const service = house.client('service').appid;
    await apps.locator(`[data-client=${service}] [role=switch]`).nth(1).click();
    await until(house, 'clients', 'appid', service, (it) => it.bound === false);

    // Where its events go: what is wrong stands at its field, then it is kept.
    const push = card.locator('details.drawer').nth(1);
    await push.locator('summary').click();
    await push.locator('[name=url]').fill('ftp://x');
    await push.locator('[name=aes_key]').fill('short');
    await push.locator('button.primary').click();
    for (const name of ['url', 'token', 'aes_key']) await push.locator(`[name=${name}][aria-invalid=true]`).waitFor();
    await push.locator('[name=url]').fill('http://127.0.0.1:9/events');
    await push.locator('[name=token]').fill('a-token');
    await push.locator('[name=aes_key]').fill('');
    await push.locator('[name=mode]').selectOption('plain');
    await push.locator('[name=format]').selectOption('json');
    await push.locator('button.primary').click();
    await card.getByText('http://127.0.0.1:9/events').waitFor();
    assert.equal((await is((it) => it.push)).push.format, 'json');
    await fits(page, width);
  });

  test(`control: events are pushed, and whoever answers by themselves is chosen (${size})`, async (t) => {
    t.allow(/status of 40[049]/);
    const { house } = t;
    const app = await receiver(t, [[200, 'success'], [500, 'no']]);
    const page = await t.page({ size, lang: 'en-GB' });
    await open(page, house);
    const { appid } = house.client('website');

    const auto = page.locator('#auto');
    await auto.locator('[name=person]').selectOption('wei');
    await auto.locator('[name=decision]').selectOption('deny');
    await auto.locator('button.primary').click();
    await auto.getByText(/wei/).first().waitFor();
    assert.deepEqual((await told(house, 'auto')).auto, { person: 'wei', decision: 'deny', page: 'skip' });
    await auto.locator('[name=person]').selectOption('mei');
    await auto.locator('[name=decision]').selectOption('allow');
    await auto.locator('button.primary').click();
    await page.waitForFunction(() => /mei/.test(document.querySelector('#auto .tag').textContent));

    // Somebody has to have authorized the app, and the app needs an address: both are said.
    const events = page.locator('#events');
    await events.locator('[name=person]').selectOption('mei');
    await events.locator('[name=client]').selectOption(appid);
    await events.locator('button.primary').click();
    await events.locator('[name=client][aria-invalid=true]').waitFor();
    const card = page.locator(`[data-client=${appid}]`);
    await card.locator('details.drawer').nth(1).locator('summary').click();
    const push = card.locator('details.drawer').nth(1);
    await push.locator('[name=url]').fill(app.url);
    await push.locator('[name=token]').fill('a-token');
    await push.locator('[name=mode]').selectOption('plain');
    await push.locator('button.primary').click();
    await card.getByText(app.url).waitFor();
    await events.locator('button.primary').click();
    await events.locator('[name=person][aria-invalid=true]').waitFor();
    const redirect = encodeURIComponent('http://127.0.0.1:3000/callback');
    const answer = await fetch(`${house.platform}/connect/qrconnect?appid=${appid}&redirect_uri=${redirect}&response_type=code&scope=snsapi_login&state=s`, { redirect: 'manual' });
    assert.match(answer.headers.get('location'), /code=/);
    await events.locator('[name=event]').selectOption('user_info_modified');
    await events.locator('button.primary').click();
    await events.getByText('the app took it').waitFor();
    assert.match(app.heard[0].body, /user_info_modified/);
    await events.locator('button.primary').click();
    await events.getByText('the app answered 500').waitFor();
    await fits(page, width);

    await auto.locator('button:not(.primary)').click();
    await page.waitForFunction(() => !/mei/.test(document.querySelector('#auto .tag').textContent));
    assert.equal((await told(house, 'auto')).auto, null);

    // What is revoked on the phone comes by itself.
    const phone = await t.page({ size: 'phone', lang: 'en-GB' });
    await phone.goto(`${house.platform}/phone?person=mei`);
    await phone.click('#tab-apps');
    await phone.locator('.revoke').click();
    await phone.locator('.revoke.sure').click();
    for (let i = 0; i < 60 && app.heard.length < 3; i++) await new Promise((done) => setTimeout(done, 100));
    assert.match(app.heard[2].body, /user_authorization_revoke/);
  });

  test(`control: everything goes back to the start (${size})`, async (t) => {
    t.allow(/status of 40[049]/);
    const { house } = t;
    const page = await t.page({ size, lang: 'zh-CN' });
    await open(page, house);
    const clock = page.locator('#clock');
    await clock.getByRole('button', { name: '+31 天' }).click();
    await page.locator('.chip').first().click();
    await page.locator('.fault-row').first().waitFor();
    await page.locator('#people [data-person=ana] [role=switch]').nth(1).click();
    await until(house, 'people', 'name', 'ana', (it) => it.unionid === false);
    const reset = page.locator('#snapshots button.danger');
    await reset.click();
    assert.equal((await told(house, 'faults')).faults.length, 1, 'one click does nothing');
    await reset.click();
    await until(house, 'people', 'name', 'ana', (it) => it.unionid === true);
    await page.waitForFunction(() => document.querySelectorAll('.fault-row[data-fault]').length === 0);
    assert.equal((await told(house, 'clock')).ahead, 0);
    assert.deepEqual((await told(house, 'faults')).faults, []);
    // Not a word of the page is left in another language, but for names.
    const english = await page.evaluate(() => [...document.querySelectorAll('#control button, #control label, #control h2, #control .hint, #control summary, #control option')]
      .filter((it) => it.checkVisibility()).map((it) => it.textContent.trim())
      .filter((text) => /[A-Za-z]{4,}/.test(text) && !/\p{Script=Han}/u.test(text)));
    assert.deepEqual([...new Set(english)].filter((text) => !KNOWN.test(text)), []);
    await fits(page, width);
  });
}

/** What is called the same in every language. */
const KNOWN = /^(appid|secret|XML|JSON|unionid|[a-z_]+)$/;
