// wxLogin.js on a page of somebody else's website.
import assert from 'node:assert/strict';
import http from 'node:http';
import { test } from '../lib/suite.mjs';
import { sel, signIn, start } from '../lib/people.mjs';

/** A website that embeds the QR code as its documentation says, and where the login returns to. */
async function website(t) {
  const { house } = t;
  const server = http.createServer((request, response) => {
    const url = new URL(request.url, 'http://site');
    const send = (html) => {
      response.setHeader('content-type', 'text/html; charset=utf-8');
      response.end(html);
    };
    if (url.pathname === '/embed') {
      const options = {
        id: 'login', appid: house.client('website').appid, scope: 'snsapi_login',
        redirect_uri: encodeURIComponent(`http://${request.headers.host}/back?from=embed`), state: 'st-1',
        ...JSON.parse(url.searchParams.get('options') ?? '{}'),
      };
      return send(`<!DOCTYPE html><title>site</title><div id="login">old content</div>
        <script src="${house.platform}/connect/zh_CN/htmledition/js/wxLogin.js"></script>
        <script>window.told = []; new WxLogin({...${JSON.stringify(options)},
          onReady: (ready) => told.push(['ready', ready])});</script>`);
    }
    if (url.pathname === '/frame') {
      return send(`<!DOCTYPE html><title>site</title><iframe src="${url.searchParams.get('src')}"></iframe>`);
    }
    if (url.pathname === '/back') return send(`<!DOCTYPE html><title>back</title><h1 id="back">${url.search.replaceAll('<', '')}</h1>`);
    response.statusCode = url.pathname === '/favicon.ico' ? 204 : 404;
    response.end();
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.atEnd(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  const port = server.address().port;
  const at = (host) => (path, query) => `http://${host}:${port}${path}?${new URLSearchParams(query)}`;
  return { here: at('127.0.0.1'), foreign: at('foreign.test') };
}

/** The frame that WxLogin made, with its QR image loaded. */
async function frameOf(page) {
  const frame = await (await page.waitForSelector('#login iframe')).contentFrame();
  await frame.waitForSelector('img.js_qrcode_img');
  await frame.locator('img.js_qrcode_img').evaluate((img) => img.decode());
  return frame;
}

async function approve(t, frame) {
  const phone = await t.page({ size: 'phone' });
  const uuid = await frame.locator('#scan').getAttribute('data-uuid');
  await phone.goto(`${t.house.platform}/connect/confirm?uuid=${uuid}`);
  await frame.waitForSelector('#wx_after_scan:visible');
  await signIn(phone, t.house.person('mei'));
  await phone.click(sel.allow);
  await phone.waitForSelector('.mark.joined');
}

for (const self of [undefined, false, true]) {
  test(`wxLogin: self_redirect ${self}`, async (t) => {
    const site = await website(t);
    const page = await t.page();
    await page.goto(site.here('/embed', { options: JSON.stringify({ self_redirect: self }) }));
    const frame = await frameOf(page);
    assert.equal(await page.locator('#login').innerText(), '', 'the old content is replaced');
    const element = page.locator('#login iframe');
    assert.deepEqual(await element.evaluate((f) => [f.width, f.height]), ['300px', '400px']);
    assert.match(await element.getAttribute('src'), new RegExp(`&login_type=jssdk&self_redirect=${self ?? 'default'}&`));
    assert.deepEqual(await page.evaluate(() => window.told), [['ready', true]]);
    const overflow = await frame.evaluate(() => document.documentElement.scrollHeight);
    assert.ok(overflow <= 400, `the page is ${overflow} high in a frame of 400`);

    await approve(t, frame);
    const where = self ? await element.elementHandle().then((handle) => handle.contentFrame()) : page;
    await where.waitForURL(/\/back\?/);
    const query = new URL(where.url()).searchParams;
    assert.deepEqual([query.get('from'), query.get('state')], ['embed', 'st-1']);
    assert.match(query.get('code'), /^[0-9A-Za-z]{32}$/);
    if (self) assert.match(page.url(), /\/embed/, 'the page around it stays');
    else assert.equal(page.frames().length, 1);
  });
}

test('wxLogin: looks', async (t) => {
  const site = await website(t);
  const page = await t.page();
  const open = async (options) => {
    await page.goto(site.here('/embed', { options: JSON.stringify(options) }));
    return frameOf(page);
  };
  const css = Buffer.from('.impowerBox .qrcode{width:123px}.impowerBox .title{display:none}').toString('base64');
  const styled = await open({ href: `data:text/css;base64,${css}`, style: 'white' });
  await styled.waitForFunction(() => document.querySelector('.qrcode').getBoundingClientRect().width === 123);
  assert.ok(!(await styled.locator('.title').isVisible()));
  assert.equal(await styled.evaluate(() => getComputedStyle(document.body).color), 'rgb(255, 255, 255)');

  const lite = await open({ stylelite: 1 });
  assert.ok(await lite.locator('img.web_qrcode_img').isVisible());
  assert.ok(!(await lite.locator('.title').isVisible()));
  const [width, height] = await lite.evaluate(() => [document.documentElement.scrollWidth, document.body.scrollHeight]);
  assert.ok(width <= 300 && height <= 400, `${width}x${height}`);

  assert.match(await (await open({ lang: 'en' })).locator('.title').innerText(), /Scan to log in/);
});

test('wxLogin: only registered hosts may frame the code, and nobody anything else', async (t) => {
  const { house } = t;
  t.allow(/frame-ancestors|X-Frame-Options|Framing/i);
  const site = await website(t);
  const page = await t.page();
  const qr = `${house.platform}/connect/qrconnect?` + new URLSearchParams({
    appid: house.client('website').appid, redirect_uri: house.client('website').redirect,
    response_type: 'code', scope: 'snsapi_login', login_type: 'jssdk',
  });
  const policy = (await page.request.get(qr)).headers()['content-security-policy'];
  assert.match(policy, /frame-ancestors 'self'( http:\/\/(127\.0\.0\.1|localhost):\*)+$/);

  const framed = async (address, src) => {
    await page.goto(address('/frame', { src }));
    const frame = await (await page.waitForSelector('iframe')).contentFrame();
    await page.waitForTimeout(300);
    return frame.evaluate(() => !!document.querySelector('main')).catch(() => false);
  };
  assert.equal(await framed(site.here, qr), true);
  assert.equal(await framed(site.foreign, qr), false);

  // A question and a sign-in page refuse even the hosts that may show the code.
  const person = await page.context().newPage();
  await start(person, house, 'page');
  await person.waitForURL(/\/interaction\//);
  const question = person.url();
  const confirm = await person.request.get(qr).then((answer) => answer.text());
  const uuid = /data-uuid="([^"]+)"/.exec(confirm)[1];
  for (const path of [question, `${house.platform}/account/sign-in`, `${house.platform}/connect/confirm?uuid=${uuid}`, `${house.platform}/`, house.app]) {
    assert.equal(await framed(site.here, path), false, path);
  }
  await signIn(person, house.person('mei'));
  await person.waitForSelector(sel.consent);
  assert.equal(await framed(site.here, question), false);
  assert.equal(await framed(site.here, `${house.platform}/account`), false);
});
