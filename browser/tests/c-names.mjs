// The platform under its own names: a browser that goes through the proxy.
import assert from 'node:assert/strict';
import http from 'node:http';
import { test } from '../lib/suite.mjs';
import { sel, signIn } from '../lib/people.mjs';

const OPEN = 'https://open.weixin.qq.com';
const SCRIPT = 'https://res.wx.qq.com/connect/zh_CN/htmledition/js/wxLogin.js';

/** Somebody's website, which knows the platform by its real names alone. */
async function website(t) {
  const server = http.createServer((request, response) => {
    const url = new URL(request.url, 'http://site');
    response.setHeader('content-type', 'text/html; charset=utf-8');
    if (url.pathname === '/embed') {
      const options = {
        id: 'login', appid: t.house.client('website').appid, scope: 'snsapi_login',
        redirect_uri: encodeURIComponent(`http://${request.headers.host}/back`), state: 'st-1',
      };
      return response.end(`<!DOCTYPE html><title>site</title><div id="login"></div>
        <script src="${SCRIPT}"></script><script>new WxLogin(${JSON.stringify(options)})</script>`);
    }
    if (url.pathname === '/back') return response.end('<!DOCTYPE html><title>back</title><h1>back</h1>');
    response.statusCode = url.pathname === '/favicon.ico' ? 204 : 404;
    response.end();
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.atEnd(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return `http://localhost:${server.address().port}`;
}

const query = (params) => new URLSearchParams(params).toString();

/** Scans what a page shows, with the phone of somebody, and says yes. */
async function approve(t, shown) {
  const phone = await t.page({ size: 'phone', proxied: true });
  const uuid = await shown.locator('#scan').getAttribute('data-uuid');
  await phone.goto(`${OPEN}/connect/confirm?uuid=${uuid}`);
  assert.equal(new URL(phone.url()).origin, OPEN);
  await signIn(phone, t.house.person('mei'));
  await phone.click(sel.allow);
  await phone.waitForSelector('.mark.joined');
  return phone;
}

test('names: a scan at open.weixin.qq.com', async (t) => {
  const site = await website(t);
  const page = await t.page({ proxied: true });
  const asked = query({
    appid: t.house.client('website').appid, redirect_uri: `${site}/back`, response_type: 'code',
    scope: 'snsapi_login', state: 'st-1',
  });
  await page.goto(`${OPEN}/connect/qrconnect?${asked}#wechat_redirect`);
  const image = page.locator('img.js_qrcode_img');
  await image.evaluate((img) => img.decode());
  // Cookies are those of TLS, though the house itself has none.
  const cookies = await page.context().cookies(OPEN);
  const mark = cookies.find((cookie) => cookie.name === '__Host-yufu_scan');
  assert.ok(mark?.secure && mark.httpOnly, JSON.stringify(cookies));
  const phone = await approve(t, page);
  await page.waitForURL(/\/back\?/);
  const back = new URL(page.url());
  assert.equal(back.origin, site);
  assert.equal(back.searchParams.get('state'), 'st-1');
  assert.match(back.searchParams.get('code'), /^[0-9A-Za-z]{32}$/);
  const session = (await phone.context().cookies(OPEN)).find((cookie) => cookie.name === '__Host-yufu_session');
  assert.ok(session?.secure && session.sameSite === 'Lax', JSON.stringify(session));
});

test('names: wxLogin.js from res.wx.qq.com', async (t) => {
  const site = await website(t);
  const page = await t.page({ proxied: true });
  await page.goto(`${site}/embed`);
  const element = await page.waitForSelector('#login iframe');
  assert.ok((await element.getAttribute('src')).startsWith(`${OPEN}/connect/qrconnect?appid=`));
  const frame = await element.contentFrame();
  await frame.locator('img.js_qrcode_img').evaluate((img) => img.decode());
  await approve(t, frame);
  await page.waitForURL(/\/back\?code=[0-9A-Za-z]{32}&state=st-1$/);
});

test('names: a page inside the client', async (t) => {
  const site = await website(t);
  const page = await t.page({ size: 'phone', proxied: true });
  const asked = query({
    appid: t.house.client('service').appid, redirect_uri: `${site}/back`, response_type: 'code',
    scope: 'snsapi_userinfo', state: 'st-1',
  });
  await page.goto(`${OPEN}/connect/oauth2/authorize?${asked}#wechat_redirect`);
  await signIn(page, t.house.person('mei'));
  // The face of the person is there under this name too.
  await page.waitForSelector(sel.consent);
  await page.locator('img').first().evaluate((img) => img.decode());
  await page.click(sel.allow);
  await page.waitForURL(/\/back\?code=[0-9A-Za-z]{32}&state=st-1/);
});

test('names: nothing of the sandbox is under them', async (t) => {
  const page = await t.page({ proxied: true });
  t.allow(/status of (401|403|404|421)/);
  for (const path of ['/', '/dev/inbox', '/dev/codes', '/phone', '/flows', '/_sandbox/state']) {
    const answer = await page.goto(OPEN + path);
    assert.ok([401, 403, 404].includes(answer.status()), `${path}: ${answer.status()}`);
  }
});
