// passport-wechat under Passport and Express, as a service account; the one driver that also refuses.
import passport from 'passport';
import { Strategy } from 'passport-wechat';
import { authorize, client, drive, holds, same, state, subject } from './harness.mjs';
import { site } from './site.mjs';

await drive(async () => {
  const users = [];
  passport.use(new Strategy(
    { appID: client.appid, appSecret: client.secret, callbackURL: client.callback, scope: 'snsapi_userinfo', state },
    (accessToken, refreshToken, profile, expiresIn, done) => {
      users.push({ profile, expiresIn });
      done(null, { id: profile.openid });
    }));
  const visit = await site((app) => {
    app.use(passport.initialize());
    app.get('/login', passport.authenticate('wechat', { session: false }));
    app.get('/callback', passport.authenticate('wechat', { session: false }), (request, response) => response.json(request.user));
  });
  const ask = async () => (await visit('/login')).headers.get('location');

  const callback = await authorize(await ask(), client.callback);
  same('state', new URL(callback).searchParams.get('state'), state);
  const done = await visit(callback);
  same('logged in', done.status, 200);
  const [{ profile, expiresIn }] = users;
  same('openid', (await done.json()).id, profile.openid);
  subject('openid again', profile.openid);
  subject('unionid', profile.unionid);
  same('nickname', profile.nickname, client.nickname);
  same('expires_in', expiresIn, 7200);

  const used = await visit(callback);
  same('used code', used.status, 500);
  const { code, message } = await used.json();
  same('40163', code, 40163);
  holds('errmsg', message.startsWith('code been used'), message);

  const refused = await authorize(await ask(), client.callback, { refuse: true });
  same('refusal has no code', new URL(refused).search, `?state=${state}`);
  same('refused', (await visit(refused)).status, 401);
  same('one login', users.length, 1);
});
