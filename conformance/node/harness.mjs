// What every Node driver shares: the question it was started with, a person to ask, and a list of checks.
// The runner speaks with a driver in JSON lines: {"authorize", "redirect"} goes out, {"callback"} comes in, and
// {"result"} closes the talk.
import { createInterface } from 'node:readline';

export const client = JSON.parse(process.env.CONFORMANCE);
export const state = 's7Kd-2_x9';
const passed = [];
const failed = [];
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** Lets the person answer at `url`; resolves to the callback URL, or null when a refusal leads nowhere. */
export async function authorize(url, redirect, { refuse = false } = {}) {
  process.stdout.write(JSON.stringify({ authorize: String(url), redirect, refuse }) + '\n');
  const { value } = await lines.next();
  const answer = JSON.parse(value ?? '{"error": "the runner is gone"}');
  if (answer.error !== undefined) await finish(`no callback: ${answer.error}`);
  return answer.callback;
}

/** A call of the sandbox's control, made by the runner; resolves to its answer. */
export async function sandbox(method, path, body) {
  process.stdout.write(JSON.stringify({ sandbox: [method, path, body] }) + '\n');
  return JSON.parse((await lines.next()).value).answer;
}

/** The callback's parameters. */
export const query = (url) => Object.fromEntries(new URL(url).searchParams);

export function same(what, got, wanted) {
  if (got === wanted) passed.push(what);
  else failed.push(`${what}: ${JSON.stringify(got)}, not ${JSON.stringify(wanted)}`);
}

export function holds(what, truth, seen = '') {
  if (truth) passed.push(what);
  else failed.push(`${what}: ${JSON.stringify(seen)}`);
}

/** An openid or unionid as the platform shapes them. */
export const subject = (what, got) => holds(what, typeof got === 'string' && /^o[\w-]{27}$/.test(got), got);

/** What a promise rejects with; undefined when it does not. */
export const refusal = (promise) => promise.then(() => undefined, (error) => error ?? new Error('rejected with nothing'));

export function finish(problem) {
  if (problem) failed.push(problem);
  process.stdout.write(JSON.stringify({ result: { passed, failed } }) + '\n', () => process.exit(failed.length ? 1 : 0));
  // Nothing may run on behind the result.
  return new Promise(() => {});
}

/** Runs the driver; an exception that the library lets out is a failure like any other. */
export async function drive(steps) {
  const crash = (error) => finish(`${error?.name}: ${error?.message}`.slice(0, 300));
  process.on('uncaughtException', crash);
  process.on('unhandledRejection', crash);
  try {
    await steps();
  } catch (error) {
    await crash(error);
  }
  await finish();
}
