// passport-wechat under Express, listening: the sandbox delivers its callback a second time, by itself.
import passport from 'passport';
import { Strategy } from 'passport-wechat';
import express from 'express';
import { authorize, client, drive, same } from './harness.mjs';

await drive(async () => {
  const app = express();
  const server = app.listen(0, '127.0.0.1');
  await new Promise((up) => server.once('listening', up));
  const callbackURL = `http://127.0.0.1:${server.address().port}/callback`;
  const ends = [];
  let both;
  const twice = new Promise((done) => { both = done; });
  const ended = (end) => { if (ends.push(end) === 2) both(); };
  passport.use(new Strategy(
    { appID: client.appid, appSecret: client.secret, callbackURL, scope: 'snsapi_userinfo', state: 's' },
    (accessToken, refreshToken, profile, expiresIn, done) => done(null, { id: profile.openid })));
  app.use(passport.initialize());
  app.get('/login', passport.authenticate('wechat', { session: false }));
  app.get('/callback', passport.authenticate('wechat', { session: false }), (request, response) => {
    ended('in');
    response.json(request.user);
  });
  app.use((error, request, response, next) => {
    ended(`${error.code} ${error.message}`);
    response.status(500).end();
  });
  const ask = await fetch(`http://127.0.0.1:${server.address().port}/login`, { redirect: 'manual' });
  const callback = await authorize(ask.headers.get('location'), callbackURL);
  await fetch(callback);
  await twice;
  same('logins', ends.filter((end) => end === 'in').length, 1);
  same('the second time', ends.find((end) => end !== 'in')?.replace(/, rid.*/, ''), 'nothing');
});
