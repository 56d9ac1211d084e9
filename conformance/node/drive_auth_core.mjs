// Auth.js with its WeChat provider, as a website. It splits the token request between query and form, and sends a
// Basic header besides.
import { Auth } from '@auth/core';
import WeChat from '@auth/core/providers/wechat';
import { authorize, client, drive, holds, same, subject } from './harness.mjs';
import { visitor } from './cookies.mjs';

const ORIGIN = 'http://127.0.0.1:8000';
const REDIRECT = `${ORIGIN}/auth/callback/wechat`;

await drive(async () => {
  const logins = [];
  const errors = [];
  const visit = visitor((request) => Auth(request, {
    basePath: '/auth',
    secret: 'for one run only, and for nobody',
    trustHost: true,
    providers: [WeChat({ clientId: client.appid, clientSecret: client.secret, platformType: 'WebsiteApp' })],
    callbacks: {
      jwt({ token, account, profile }) {
        if (account) logins.push({ account, profile });
        return token;
      },
    },
    logger: { error: (error) => errors.push(error), warn() {}, debug() {} },
  }), ORIGIN);
  const ask = async () => {
    const { csrfToken } = await (await visit('/auth/csrf')).json();
    const answer = await visit('/auth/signin/wechat', { method: 'POST', form: { csrfToken, callbackUrl: `${ORIGIN}/in` } });
    return authorize(answer.headers.get('location'), REDIRECT);
  };

  const callback = await ask();
  const done = await visit(callback);
  same('logged in', done.headers.get('location'), `${ORIGIN}/in`);
  same('no error', errors.map(String).join(), '');
  const session = await (await visit('/auth/session')).json();
  same('nickname', session?.user?.name, client.nickname);
  const [{ account, profile }] = logins;
  subject('unionid as account', account.providerAccountId);
  same('unionid', profile.unionid, account.providerAccountId);
  subject('openid', account.openid);
  same('openid again', profile.openid, account.openid);
  same('expires_in', account.expires_in, 7200);

  // A used code, under a state of its own.
  const fresh = new URL(await ask());
  fresh.searchParams.set('code', new URL(callback).searchParams.get('code'));
  const used = await visit(String(fresh));
  holds('used code', used.headers.get('location')?.startsWith(`${ORIGIN}/auth/error?`), used.headers.get('location'));
  same('one login', logins.length, 1);
  same('one error', errors.length, 1);
});
