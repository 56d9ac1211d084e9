// `yufu dev` as a child process: started, read, stopped by closing its standard input.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';

const START_MS = 20_000;
const STOP_MS = 8_000;

/** Every child that still runs, so that none outlives the suite. */
const running = new Set();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));

/** Starts a house of its own and waits for the line that says it is ready. */
export async function startHouse(yufu) {
  const args = ['dev', '--json', '--port', '0', '--until-stdin-closes', '--poll-hold', '2'];
  const child = spawn(yufu, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  running.add(child);
  const ended = new Promise((resolve) => child.once('close', resolve));
  ended.then(() => running.delete(child));
  let errors = '';
  child.stderr.on('data', (part) => (errors = (errors + part).slice(-4000)));
  child.stdin.on('error', () => {});

  const line = await new Promise((resolve, reject) => {
    let text = '';
    const give = (problem) => {
      child.kill('SIGKILL');
      reject(new Error(`${yufu} ${args.join(' ')}: ${problem}\n${errors}`));
    };
    const timer = setTimeout(() => give('not ready in time'), START_MS);
    child.once('error', (error) => give(error.message));
    child.once('exit', (code) => give(`ended with ${code}`));
    child.stdout.on('data', (part) => {
      text += part;
      const end = text.indexOf('\n');
      if (end < 0) return;
      clearTimeout(timer);
      child.removeAllListeners('exit');
      resolve(text.slice(0, end));
    });
  });
  const world = JSON.parse(line);
  return {
    ...world,
    client: (kind) => world.clients.find((client) => client.kind === kind),
    person: (name) => world.people.find((person) => person.name === name),
    /** What the house wrote to its standard error, for failures. */
    said: () => errors,
    async stop() {
      child.stdin.end();
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
      const code = await ended;
      clearTimeout(timer);
      if (code !== 0) throw new Error(`yufu dev ended with ${code}\n${errors}`);
      if (existsSync(world.data_dir)) throw new Error(`yufu dev left ${world.data_dir} behind`);
    },
  };
}
