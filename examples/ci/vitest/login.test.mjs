import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { authorize, newPerson } from './sandbox.mjs';

const PORT = 20000 + Math.floor(Math.random() * 20000), app = `http://127.0.0.1:${PORT}`;
let server;

beforeAll(async () => {
  server = spawn('node', ['app.mjs'], { env: { ...process.env, PORT }, stdio: ['ignore', 'pipe', 'inherit'] });
  await once(server.stdout, 'data');
});
afterAll(() => server.kill());

test('a new person logs in', async () => {
  const person = await newPerson();
  const login = await fetch(`${app}/login`, { redirect: 'manual' });
  const callback = await authorize(login.headers.get('location'), person);
  const back = await fetch(callback, { redirect: 'manual' });
  expect(back.status).toBe(302);
  const cookie = back.headers.get('set-cookie').split(';')[0];
  const home = await (await fetch(app, { headers: { cookie } })).text();
  expect(home).toContain(person);
});

test('a person who says no comes back without a code, or not at all', async () => {
  const login = await fetch(`${app}/login`, { redirect: 'manual' });
  expect(await authorize(login.headers.get('location'), 'mei', 'deny')).toBeUndefined();
});
