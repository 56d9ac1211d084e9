// Log in with WeChat, as it is written against the real platform: nothing here knows of yufu.
import crypto from 'node:crypto';
import express from 'express';

const { WECHAT_APPID = 'wx5f0e6ad8c21b7390', WECHAT_SECRET = '5d41402abc4b2a76b9719d911017c592', PORT = 3000 } = process.env;
const states = new Set(), sessions = new Map();
const app = express();

app.get('/', (req, res) => {
  const user = sessions.get(/sid=(\w+)/.exec(req.headers.cookie ?? '')?.[1]);
  res.send(user ? `Hello, ${user.nickname}` : '<a href="/login">Log in with WeChat</a>');
});

app.get('/login', (req, res) => {
  const state = crypto.randomBytes(16).toString('hex');
  states.add(state);
  const redirect = encodeURIComponent(`http://${req.headers.host}/callback`);
  res.redirect(`https://open.weixin.qq.com/connect/qrconnect?appid=${WECHAT_APPID}&redirect_uri=${redirect}&response_type=code&scope=snsapi_login&state=${state}#wechat_redirect`);
});

app.get('/callback', async (req, res) => {
  const { code, state } = req.query;
  if (!code || !states.delete(state)) return res.status(400).send('Start again');
  const api = 'https://api.weixin.qq.com/sns';
  const token = await (await fetch(`${api}/oauth2/access_token?appid=${WECHAT_APPID}&secret=${WECHAT_SECRET}&code=${code}&grant_type=authorization_code`)).json();
  if (token.errcode) return res.status(502).send(token.errmsg);
  const user = await (await fetch(`${api}/userinfo?access_token=${token.access_token}&openid=${token.openid}`)).json();
  const sid = crypto.randomBytes(16).toString('hex');
  sessions.set(sid, user);
  res.cookie('sid', sid, { httpOnly: true, sameSite: 'lax' }).redirect('/');
});

app.listen(PORT, '127.0.0.1', () => console.log(`http://127.0.0.1:${PORT}`));
