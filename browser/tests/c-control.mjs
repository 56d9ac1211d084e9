// The control of the sandbox as a page: it does what the REST API does, and shows what is wrong
// where it is wrong.
import assert from 'node:assert/strict';
import { open, told } from '../lib/control.mjs';
import { test } from '../lib/suite.mjs';

test('control: faults are added, counted down, and taken away', async (t) => {
  t.allow(/status of 40[04]/);
  const { house } = t;
  const page = await t.page({ lang: 'en-GB' });
  await open(page, house);
  await page.getByText('the platform is in good health').waitFor();

  // What is wrong stands at its field, all of it at once.
  const form = page.locator('.of-fault');
  await form.locator('[name=times]').fill('0');
  await form.locator('[name=chance]').fill('7');
  await form.locator('button.primary').click();
  for (const name of ['code', 'times', 'chance']) {
    const input = form.locator(`[name=${name}]`);
    await page.waitForFunction((name) => document.querySelector(`.of-fault [name=${name}]`).getAttribute('aria-invalid') === 'true', name);
    assert.ok((await form.locator(`#${await input.getAttribute('id')}-wrong`).innerText()).length > 3, name);
  }
  assert.deepEqual((await told(house, 'faults')).faults, []);
  await form.locator('[name=code]').fill('45011');
  await form.locator('[name=times]').fill('2');
  await form.locator('[name=chance]').fill('');
  await form.locator('[name=endpoint]').selectOption('access_token');
  await form.locator('button.primary').click();
  const row = page.locator('.fault-row');
  await row.waitFor();
  assert.match(await row.innerText(), /Refuse with a number[\s\S]*45011[\s\S]*access_token[\s\S]*2 of 2 left/);

  // It is played, and the page counts along.
  const played = await fetch(`${house.platform}/sns/oauth2/access_token?appid=${house.client('website').appid}&secret=x&code=x&grant_type=authorization_code`);
  assert.equal((await played.json()).errcode, 45011);
  await page.getByText('1 of 2 left').waitFor();

  // Every kind has its fields, and at least one at once.
  const kinds = await form.locator('[name=kind] option').evaluateAll((all) => all.map((option) => [option.value, option.textContent]));
  assert.ok(kinds.length >= 20, String(kinds.length));
  for (const [kind, label] of kinds) {
    assert.notEqual(label, kind, 'it has words');
    await form.locator('[name=kind]').selectOption(kind);
    await page.waitForFunction((kind) => document.querySelector('.of-fault [name=kind]').value === kind, kind);
  }
  await page.locator('.chip').first().click();
  await page.waitForFunction(() => document.querySelectorAll('.fault-row').length === 2);
  await row.first().getByRole('button').click();
  await page.waitForFunction(() => document.querySelectorAll('.fault-row').length === 1);
  await page.getByRole('button', { name: 'Remove all' }).click();
  await page.getByRole('button', { name: 'Remove all 1?' }).click();
  await page.getByText('the platform is in good health').waitFor();
  assert.deepEqual((await told(house, 'faults')).faults, []);
});

test('control: the clock is turned, frozen, and put right', async (t) => {
  t.allow(/status of 40[04]/);
  const { house } = t;
  const page = await t.page({ lang: 'en-GB' });
  await open(page, house);
  const clock = page.locator('#clock');
  await clock.getByText('on time').waitFor();
  await clock.getByRole('button', { name: '+2 h' }).click();
  await clock.getByText('2 h ahead').waitFor();
  await clock.getByRole('button', { name: '+31 d' }).click();
  await clock.getByText('31 d 2 h ahead').waitFor();
  await clock.locator('[name=jump]').fill('a while');
  await clock.getByRole('button', { name: 'Jump' }).click();
  await clock.locator('.entry .problem:visible').first().waitFor();
  await clock.getByRole('button', { name: 'Freeze' }).click();
  await clock.getByText('frozen').waitFor();
  assert.equal((await told(house, 'clock')).frozen, true);
  await clock.getByRole('button', { name: 'Let it go on' }).click();
  await page.waitForFunction(() => !document.querySelector('#clock').innerText.includes('frozen'));
  await clock.getByRole('button', { name: 'Back to real' }).click();
  await clock.getByText('on time').waitFor();
  assert.equal((await told(house, 'clock')).ahead, 0);
});

test('control: a snapshot brings everything back', async (t) => {
  t.allow(/status of 404/);
  const { house } = t;
  const page = await t.page({ lang: 'en-GB' });
  await open(page, house);
  const section = page.locator('#snapshots');
  await section.locator('[name=name]').fill('before');
  await section.getByRole('button', { name: 'Save a snapshot' }).click();
  await section.locator('[data-snapshot=before]').waitFor();
  await page.locator('#clock').getByRole('button', { name: '+2 h' }).click();
  await page.locator('#clock').getByText('2 h ahead').waitFor();
  await section.getByRole('button', { name: 'Restore' }).click();
  await section.getByRole('button', { name: 'Really restore?' }).click();
  await page.locator('#clock').getByText('on time').waitFor();
  await section.getByRole('button', { name: 'Remove' }).click();
  await section.getByRole('button', { name: 'Really remove?' }).click();
  await section.locator('[data-snapshot=before]').waitFor({ state: 'detached' });
});

test('control: it fits a phone, and everything to tap is big enough', async (t) => {
  t.allow(/status of 404/);
  const { house } = t;
  const page = await t.page({ size: 'phone', lang: 'zh-CN' });
  await open(page, house);
  for (const summary of await page.locator('summary').all()) await summary.click();
  const [width, small] = await page.evaluate(() => [
    document.documentElement.scrollWidth,
    [...document.querySelectorAll('button, .button, input, select, .places a, .sections a')].filter((e) => e.checkVisibility())
      .map((e) => [e.outerHTML.slice(0, 80), e.getBoundingClientRect().height]).filter(([, height]) => height < 32),
  ]);
  assert.ok(width <= 390, `${width} wide`);
  assert.deepEqual(small, []);
});
