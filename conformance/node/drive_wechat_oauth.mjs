// wechat-oauth, as a website that shows a QR code.
import { promisify } from 'node:util';
import OAuth from 'wechat-oauth';
import { authorize, client, drive, holds, query, refusal, same, state, subject } from './harness.mjs';

await drive(async () => {
  const oauth = new OAuth(client.appid, client.secret);
  const call = (name) => promisify(oauth[name].bind(oauth));
  const back = query(await authorize(oauth.getAuthorizeURLForWebsite(client.callback, state), client.callback));
  same('state', back.state, state);

  const { data: token } = await call('getAccessToken')(back.code);
  subject('openid', token.openid);
  subject('unionid', token.unionid);
  same('expires_in', token.expires_in, 7200);
  same('scope', token.scope, 'snsapi_login');

  const profile = await call('getUser')({ openid: token.openid, lang: 'zh_CN' });
  same('nickname', profile.nickname, client.nickname);
  same('openid again', profile.openid, token.openid);
  same('unionid again', profile.unionid, token.unionid);
  same('sns/auth', (await call('verifyToken')(token.openid, token.access_token)).errmsg, 'ok');

  const renewed = await call('refreshAccessToken')(token.refresh_token);
  same('refresh', renewed.data.openid, token.openid);
  holds('refreshed token is valid', renewed.isValid(), renewed.data);

  const used = await refusal(call('getAccessToken')(back.code));
  same('40163', used?.code, 40163);
  holds('errmsg', used?.message.startsWith('code been used'), used?.message);
});
