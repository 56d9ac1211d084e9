// The sandbox for tests that are started by `yufu run -- npx vitest run`.
import { randomUUID } from 'node:crypto';

const { YUFU_SANDBOX, YUFU_SANDBOX_TOKEN } = process.env;

/** Tells the sandbox something; answers its JSON. */
export async function call(method, path, body) {
  const answer = await fetch(`${YUFU_SANDBOX}/_sandbox${path}`, {
    method,
    headers: { authorization: `Bearer ${YUFU_SANDBOX_TOKEN}`, 'content-type': 'application/json' },
    body: body && JSON.stringify(body),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(text);
  return JSON.parse(text);
}

/** Somebody whom no other test knows, so that tests may run beside each other. */
export async function newPerson() {
  const name = `p${randomUUID().slice(0, 8)}`;
  await call('POST', '/people', { name, nickname: `测试 ${name}` });
  return name;
}

/** The person answers an authorize address; the address that the browser goes to. */
export async function authorize(url, person, decision = 'allow') {
  return (await call('POST', '/authorize', { url, person, decision })).callback;
}
