// People in a browser: `node browser/run.mjs --yufu target/debug/yufu`. See README.md beside this.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { fileURLToPath } from 'node:url';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const HELP = `node browser/run.mjs --yufu PATH [--only NAME]... [--headed] [--shots DIR] [--list]

--yufu PATH    the yufu to run
--only NAME    only tests whose name holds NAME; may be given again
--headed       show the browser
--shots DIR    keep the pictures of the pages there (docs/img); else they go to a temporary folder
--list         the names of the tests`;

/** Installs what package-lock.json names, when it has changed since the last time. */
function install() {
  const modules = path.join(HERE, 'node_modules');
  const stamp = path.join(modules, '.made-from');
  const lock = readFileSync(path.join(HERE, 'package-lock.json'), 'utf8');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return;
  console.log('browser: installing playwright-core (npm ci)');
  const npm = spawnSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: HERE,
    stdio: ['ignore', 'ignore', 'inherit'],
    timeout: 180_000,
  });
  if (npm.status !== 0) throw new Error('npm ci did not work; is npm there, and the network?');
  writeFileSync(stamp, lock);
}

async function main() {
  const { values } = parseArgs({
    options: {
      yufu: { type: 'string' },
      only: { type: 'string', multiple: true },
      headed: { type: 'boolean' },
      shots: { type: 'string' },
      list: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help || (!values.yufu && !values.list)) {
    console.log(HELP);
    return values.help ? 0 : 2;
  }
  install();
  const { collect, runAll } = await import('./lib/suite.mjs');
  const tests = await collect(values.only);
  if (values.list) {
    for (const test of tests) console.log(test.name);
    return 0;
  }
  if (!tests.length) {
    console.error('browser: no test has such a name; see --list');
    return 2;
  }
  const temporary = values.shots ? null : mkdtempSync(path.join(tmpdir(), 'yufu-shots-'));
  try {
    const shots = path.resolve(values.shots ?? temporary);
    const yufu = path.resolve(values.yufu);
    const { passed, failed } = await runAll(tests, { yufu, shots, headed: values.headed });
    console.log(`${passed} passed, ${failed} failed`);
    return failed ? 1 : 0;
  } finally {
    if (temporary) rmSync(temporary, { recursive: true, force: true });
  }
}

main().then(
  (code) => process.exit(code),
  (error) => {
    console.error(`browser: ${error.message}`);
    process.exit(1);
  },
);
