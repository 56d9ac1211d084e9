// Grant's Express handler with its `wechat` provider, as a service account. It sends a Bearer header besides the query.
import grant from 'grant';
import session from 'express-session';
import { authorize, client, drive, holds, same, subject } from './harness.mjs';
import { site } from './site.mjs';

const REDIRECT = 'http://127.0.0.1:8000/connect/wechat/callback';

await drive(async () => {
  const visit = await site((app) => {
    app.use(session({ secret: 'for one run', resave: false, saveUninitialized: true }));
    app.use(grant.express({
      defaults: { origin: 'http://127.0.0.1:8000', transport: 'session', state: true },
      wechat: {
        key: client.appid, secret: client.secret, scope: ['snsapi_userinfo'], callback: '/done',
        response: ['tokens', 'raw', 'profile'],
      },
    }));
    app.get('/done', (request, response) => response.json(request.session.grant));
  });
  const ask = async () => authorize((await visit('/connect/wechat')).headers.get('location'), REDIRECT);
  const land = async (callback) => (await visit((await visit(callback)).headers.get('location'))).json();

  const callback = await ask();
  const { response } = await land(callback);
  holds('token', typeof response.access_token === 'string', response);
  holds('refresh token', typeof response.refresh_token === 'string', response);
  same('expires_in', response.raw.expires_in, 7200);
  same('scope', response.raw.scope, 'snsapi_userinfo');
  subject('openid', response.raw.openid);
  same('openid again', response.profile.openid, response.raw.openid);
  subject('unionid', response.profile.unionid);
  same('nickname', response.profile.nickname, client.nickname);

  // A used code, under a state of its own.
  const fresh = new URL(await ask());
  fresh.searchParams.set('code', new URL(callback).searchParams.get('code'));
  const used = (await land(String(fresh))).response;
  same('40163', used.raw?.errcode, 40163);
  same('no token', used.access_token, undefined);
});
