// Collects tests and runs them, each with a house and browsers of its own.
import { X509Certificate, createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import path from 'node:path';
import { chromium } from 'playwright-core';
import { startHouse } from './house.mjs';
import { watch } from './watch.mjs';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--host-resolver-rules=MAP foreign.test 127.0.0.1',
];
const WORKERS = 2;
const TEST_MS = 60_000;
const STEP_MS = 10_000;
const SIZES = {
  phone: { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true },
  desktop: { viewport: { width: 1280, height: 800 } },
};

const registered = [];

/** Says that there is a test. */
export function test(name, run) {
  registered.push({ name, run });
}

/** All tests in the order of their files, or those whose name holds one of `only`. */
export async function collect(only) {
  const folder = fileURLToPath(new URL('../tests/', import.meta.url));
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.mjs')).sort()) {
    await import(path.join(folder, file));
  }
  return registered.filter(({ name }) => !only || only.some((part) => name.includes(part)));
}

/** What a test gets: a house, people with browsers, and what is wrong so far. */
class Stage {
  #browser;
  #proxied = null;
  #contexts = [];
  #closers = [];
  #watched = { problems: [], allowed: [], pending: [] };

  constructor(browser, house, shots) {
    this.#browser = browser;
    this.house = house;
    this.shots = shots;
  }

  /** A browser of its own: `size` phone or desktop, `lang`, `dark`, `js`; `proxied` if the platform's
   * own names shall lead to the house. */
  async browser({ size = 'desktop', lang = 'zh-CN', dark = false, js = true, proxied = false } = {}) {
    const browser = proxied ? await this.#throughProxy() : this.#browser;
    const context = await browser.newContext({
      ...SIZES[size],
      locale: lang,
      colorScheme: dark ? 'dark' : 'light',
      javaScriptEnabled: js,
      deviceScaleFactor: 1,
      reducedMotion: 'reduce',
    });
    context.setDefaultTimeout(STEP_MS);
    // As if the first address that was printed had been clicked: it opens the inbox.
    const name = `yufu_sandbox_${new URL(this.house.platform).port}`;
    await context.addCookies([{ name, value: this.house.token, url: this.house.platform, httpOnly: true, sameSite: 'Strict' }]);
    watch(context, this.house, this.#watched, proxied);
    this.#contexts.push(context);
    return context;
  }

  /** A browser that goes through the house's proxy and takes its certificates. */
  async #throughProxy() {
    if (this.#proxied) return this.#proxied;
    const chain = readFileSync(path.join(path.dirname(this.house.ca), 'ca-chain.pem'), 'utf8');
    const intermediate = new X509Certificate(chain.slice(chain.lastIndexOf('-----BEGIN')));
    const key = intermediate.publicKey.export({ type: 'spki', format: 'der' });
    const args = [
      ...FLAGS, `--proxy-server=${this.house.proxy}`,
      `--ignore-certificate-errors-spki-list=${createHash('sha256').update(key).digest('base64')}`,
    ];
    this.#proxied = await chromium.launch({ executablePath: CHROMIUM, args });
    this.atEnd(() => this.#proxied.close());
    return this.#proxied;
  }

  /** A page in a browser of its own. */
  async page(options) {
    return (await this.browser(options)).newPage();
  }

  /** An error on the console that belongs to this test. */
  allow(...patterns) {
    this.#watched.allowed.push(...patterns);
  }

  /** Closes something at the end of the test. */
  atEnd(close) {
    this.#closers.push(close);
  }

  async end() {
    await Promise.all(this.#watched.pending);
    for (const context of this.#contexts) await context.close();
    for (const close of this.#closers) await close();
    return [...new Set(this.#watched.problems)];
  }

  /** What the browsers show now, for a failure. */
  async scene() {
    const lines = [];
    for (const page of this.#contexts.flatMap((context) => context.pages())) {
      const text = await page.evaluate(() => document.body?.innerText ?? '').catch(() => '');
      lines.push(`  at ${page.url()}\n    ${text.slice(0, 700).replaceAll('\n', '\n    ')}`);
    }
    return [...lines, ...this.#watched.problems.map((problem) => `  ${problem}`)].join('\n');
  }
}

function inTime(promise, ms) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${ms / 1000} s`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

async function runOne(browser, { run }, { yufu, shots }) {
  const house = await startHouse(yufu);
  const stage = new Stage(browser, house, shots);
  let failure = null;
  try {
    await inTime(run(stage), TEST_MS);
  } catch (error) {
    const scene = await inTime(stage.scene(), 5000).catch(() => '');
    failure = `${error.stack}\n${scene}\n${house.said()}`;
  }
  try {
    const problems = await inTime(stage.end(), STEP_MS);
    if (!failure && problems.length) failure = problems.map((problem) => `  ${problem}`).join('\n');
  } catch (error) {
    failure ??= error.stack;
  } finally {
    await house.stop().catch((error) => (failure ??= error.message));
  }
  return failure;
}

/** Runs the tests and tells one line of each. */
export async function runAll(tests, options) {
  const headless = !options.headed;
  const browser = await chromium.launch({ executablePath: CHROMIUM, headless, args: FLAGS });
  let [passed, failed] = [0, 0];
  try {
    const queue = [...tests];
    const worker = async () => {
      for (let test = queue.shift(); test; test = queue.shift()) {
        const began = Date.now();
        const failure = await runOne(browser, test, options);
        const took = `${((Date.now() - began) / 1000).toFixed(1)} s`;
        console.log(`${failure ? 'FAIL' : 'ok  '}  ${test.name}  ${took}`);
        if (failure) console.log(failure.trimEnd());
        failure ? failed++ : passed++;
      }
    };
    await Promise.all(Array.from({ length: WORKERS }, worker));
  } finally {
    await browser.close();
  }
  return { passed, failed };
}
