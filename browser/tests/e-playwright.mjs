// The snippet of docs/run.md: a browser of one's own tests, launched for the sandbox.
import assert from 'node:assert/strict';
import { chromium } from 'playwright-core';
import { sandboxed } from '../../examples/playwright/sandboxed.mjs';
import { test } from '../lib/suite.mjs';

test('playwright: the snippet opens the platform by its own name', async (t) => {
  const { platform, token } = t.house;
  Object.assign(process.env, { YUFU_SANDBOX: platform, YUFU_SANDBOX_TOKEN: token });
  const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
  const browser = await chromium.launch(await sandboxed({ executablePath, args: ['--no-sandbox', '--disable-gpu'] }));
  t.atEnd(() => browser.close());
  const page = await browser.newPage();
  const query = new URLSearchParams({
    appid: t.house.client('website').appid, redirect_uri: `${t.house.app}/callback/scan`, response_type: 'code',
    scope: 'snsapi_login', state: 'st-1',
  });
  const answer = await page.goto(`https://open.weixin.qq.com/connect/qrconnect?${query}`);
  assert.equal(answer.status(), 200);
  await page.waitForSelector('#scan');
});
