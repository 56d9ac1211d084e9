// The phone of the sandbox in one window, an app on a screen in the other.
import assert from 'node:assert/strict';
import { test } from '../lib/suite.mjs';
import { authorizeAddress, start } from '../lib/people.mjs';

/** The demo app's QR page on a screen. */
async function showCode(page, house) {
  await start(page, house, 'scan');
  await page.waitForURL(/\/connect\/qrconnect\?/);
}

const codes = '#codes .qr';

for (const [lang, size] of [['zh-CN', 'phone'], ['en-GB', 'desktop']]) {
  test(`phone: scan the code on the screen beside it (${lang}, ${size})`, async (t) => {
    const { house } = t;
    const [screen, phone] = [await t.page({ lang }), await t.page({ lang, size })];
    await phone.goto(`${house.platform}/phone?person=mei`);
    assert.ok(await phone.locator('#codes-none').isVisible());
    await showCode(screen, house);
    await phone.waitForSelector(codes);
    assert.match(await phone.locator(codes).innerText(), /小屋 Rooms/);
    await phone.click(codes);
    const ask = phone.locator('.ask');
    await ask.waitFor();
    assert.match(await ask.innerText(), /小屋 Rooms[\s\S]*小屋科技 Rooms Ltd[\s\S]*snsapi_login/);
    assert.equal(await ask.locator('[data-act=deny]').count(), 0, 'a scan is gone back from, not refused');
    assert.ok(await ask.locator('[data-act=agree]').evaluate((button) => button === document.activeElement));
    await screen.waitForSelector('#wx_after_scan:visible');
    await ask.locator('[data-act=agree]').click();
    await screen.waitForURL(`${house.app}/bind`);
    await ask.waitFor({ state: 'detached' });
    await phone.waitForSelector('#codes-none:visible');
    await phone.click('#tab-apps');
    assert.match(await phone.locator('#apps').innerText(), /小屋 Rooms/);

    // Revoking asks twice.
    const revoke = phone.locator('#apps .revoke');
    await revoke.click();
    assert.ok(await revoke.evaluate((button) => button.classList.contains('sure')));
    await revoke.click();
    await phone.waitForSelector('#apps-none:visible');
  });
}

test('phone: gone back from, ignored, and not installed', async (t) => {
  const { house } = t;
  t.allow(/404|409/);
  const [screen, phone] = [await t.page(), await t.page({ size: 'phone', lang: 'en-GB' })];
  await showCode(screen, house);
  await phone.goto(`${house.platform}/phone`);
  await phone.click(codes);
  await phone.click('.ask [data-act=cancel]');
  await screen.waitForSelector('#wx_after_cancel:visible');
  await phone.waitForSelector(`${codes}:not([disabled])`);
  await phone.click(codes);
  await phone.click('.ask [data-act=ignore]');
  await phone.waitForSelector('.ask', { state: 'detached' });
  await phone.uncheck('#installed');
  await phone.waitForFunction(() => document.querySelector('#toast').textContent === 'Done');
  await phone.fill('#what', 'anything');
  await phone.click('#scan-do');
  await phone.waitForSelector('#scan-problem:visible');
  assert.match(await phone.locator('#scan-problem').innerText(), /not installed/);
});

test('phone: what is pasted is scanned, and an app on the phone hears its result', async (t) => {
  const { house } = t;
  t.allow(/400|422/);
  const [screen, phone] = [await t.page(), await t.page({ size: 'phone', lang: 'en-GB' })];
  await phone.goto(`${house.platform}/phone?person=ana`);
  await phone.fill('#what', 'https://example.com/');
  await phone.press('#what', 'Enter');
  await phone.waitForSelector('#scan-problem:visible');
  assert.match(await phone.locator('#scan-problem').innerText(), /example\.com is not the platform/);
  await phone.fill('#what', await authorizeAddress(screen, house, 'native'));
  await phone.press('#what', 'Enter');
  await phone.waitForSelector('.ask');
  assert.ok(!(await phone.locator('#scan-problem').isVisible()));
  await phone.click('.ask [data-act=deny]');
  await phone.waitForSelector('.ask', { state: 'detached' });
  await phone.click('#tab-results');
  await phone.waitForSelector('#results .bad');
  assert.match(await phone.locator('#results').innerText(), /errCode -4 · ERR_AUTH_DENIED/);
});

test('phone: by keyboard alone, and whose phone it is stays in the address', async (t) => {
  const { house } = t;
  const phone = await t.page({ lang: 'en-GB' });
  await phone.goto(`${house.platform}/phone?person=wei`);
  assert.equal(await phone.locator('#owner').innerText(), '阿伟');
  await phone.focus('#tab-now');
  for (const tab of ['apps', 'sms', 'results', 'now']) {
    await phone.keyboard.press('ArrowRight');
    assert.ok(await phone.locator(`#screen-${tab}`).isVisible(), tab);
    assert.equal(await phone.evaluate(() => document.activeElement.id), `tab-${tab}`);
  }
  await phone.focus('.whose input:checked');
  await phone.keyboard.press('ArrowDown');
  await phone.waitForURL(/person=ana/);
  assert.equal(await phone.locator('#owner').innerText(), 'Ana');
  await phone.reload();
  assert.equal(await phone.locator('#owner').innerText(), 'Ana');
});

test('phone: a message arrives with its passcode', async (t) => {
  const { house } = t;
  const [screen, phone] = [await t.page({ lang: 'en-GB' }), await t.page({ size: 'phone', lang: 'en-GB' })];
  await phone.goto(`${house.platform}/phone?person=mei`);
  await phone.waitForFunction(() => document.querySelector('#hour').textContent !== '–:––');
  await start(screen, house, 'phone');
  await screen.fill('#phone', house.person('mei').phone);
  await screen.click('button[value=send]');
  await screen.waitForSelector('#passcode');
  await phone.waitForSelector('#tab-sms .count:visible');
  await phone.click('#tab-sms');
  assert.match(await phone.locator('#sms .passcode').innerText(), /^\d{6}$/);
});
