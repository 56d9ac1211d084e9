// passport-weixin under Passport and Express, as a website. It asks for the token with a form.
import passport from 'passport';
import { Strategy } from 'passport-weixin';
import { authorize, client, drive, holds, same, state, subject } from './harness.mjs';
import { site } from './site.mjs';

await drive(async () => {
  const users = [];
  passport.use(new Strategy(
    { clientID: client.appid, clientSecret: client.secret, callbackURL: client.callback },
    (accessToken, refreshToken, params, profile, done) => {
      users.push({ params, profile });
      done(null, { id: profile.id });
    }));
  const visit = await site((app) => {
    app.use(passport.initialize());
    const ask = (request, response, next) => passport.authenticate('weixin', { session: false, state })(request, response, next);
    app.get('/login', ask);
    app.get('/callback', ask, (request, response) => response.json(request.user));
  });

  const callback = await authorize((await visit('/login')).headers.get('location'), client.callback);
  same('state', new URL(callback).searchParams.get('state'), state);
  const done = await visit(callback);
  same('logged in', done.status, 200);
  const [{ params, profile }] = users;
  subject('unionid as id', profile.id);
  same('unionid', (await done.json()).id, profile._json.unionid);
  same('nickname', profile.displayName, client.nickname);
  subject('openid', params.openid);
  same('openid again', profile._json.openid, params.openid);
  same('expires_in', params.expires_in, 7200);

  const used = await visit(callback);
  same('used code', used.status, 500);
  const { message } = await used.json();
  holds('errmsg', message.startsWith('code been used'), message);
  same('one login', users.length, 1);
});
