// Better Auth with its WeChat provider, as a website, on its memory database.
import { betterAuth } from 'better-auth';
import { memoryAdapter } from 'better-auth/adapters/memory';
import { authorize, client, drive, holds, same, subject } from './harness.mjs';
import { visitor } from './cookies.mjs';

const ORIGIN = 'http://127.0.0.1:8000';
const REDIRECT = `${ORIGIN}/api/auth/callback/wechat`;

await drive(async () => {
  const database = { user: [], session: [], account: [], verification: [] };
  const errors = [];
  const auth = betterAuth({
    baseURL: ORIGIN,
    secret: 'for one run only, and for nobody; long enough',
    database: memoryAdapter(database),
    socialProviders: { wechat: { clientId: client.appid, clientSecret: client.secret } },
    telemetry: { enabled: false },
    rateLimit: { enabled: false },
    logger: { level: 'error', log: (level, message, ...more) => errors.push([message, ...more].map(String).join(' ')) },
  });
  const visit = visitor(auth.handler, ORIGIN);
  const ask = async () => {
    const answer = await visit('/api/auth/sign-in/social', { method: 'POST', json: { provider: 'wechat', callbackURL: '/in', errorCallbackURL: '/no' } });
    return authorize((await answer.json()).url, REDIRECT);
  };

  const callback = await ask();
  const done = await visit(callback);
  same('logged in', done.headers.get('location'), '/in');
  const session = await (await visit('/api/auth/get-session')).json();
  same('nickname', session?.user?.name, client.nickname);
  const [account] = database.account;
  subject('unionid as account', account.accountId);
  same('scope', account.scope, 'snsapi_login');
  const left = (account.accessTokenExpiresAt - Date.now()) / 1000;
  holds('expires_in', left > 7100 && left <= 7200, left);

  const renewed = await visit('/api/auth/refresh-token', { method: 'POST', json: { accountId: account.id } });
  const tokens = await renewed.json();
  same('refresh', renewed.status, 200);
  holds('refreshed token', typeof tokens.accessToken === 'string' && tokens.refreshToken === account.refreshToken, tokens);

  // A used code, under a state of its own.
  same('no error', errors.join(), '');
  const fresh = new URL(await ask());
  fresh.searchParams.set('code', new URL(callback).searchParams.get('code'));
  const used = await visit(String(fresh));
  same('used code', used.headers.get('location'), '/no?error=invalid_code');
  holds('errmsg', errors.join().includes('code been used'), errors);
});
