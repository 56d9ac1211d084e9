// co-wechat-oauth, as a service account. It asks for JSON by name.
import OAuth from 'co-wechat-oauth';
import { authorize, client, drive, holds, query, refusal, same, state, subject } from './harness.mjs';

await drive(async () => {
  const oauth = new OAuth(client.appid, client.secret);
  const back = query(await authorize(oauth.getAuthorizeURL(client.callback, state, 'snsapi_userinfo'), client.callback));
  same('state', back.state, state);

  const { data: token } = await oauth.getAccessToken(back.code);
  subject('openid', token.openid);
  same('expires_in', token.expires_in, 7200);
  same('scope', token.scope, 'snsapi_userinfo');

  const profile = await oauth.getUser({ openid: token.openid, lang: 'zh_CN' });
  same('nickname', profile.nickname, client.nickname);
  same('openid again', profile.openid, token.openid);
  subject('unionid', profile.unionid);
  same('sns/auth', (await oauth.verifyToken(token.openid, token.access_token)).errmsg, 'ok');

  const renewed = await oauth.refreshAccessToken(token.refresh_token);
  same('refresh', renewed.data.openid, token.openid);
  holds('refreshed token is valid', renewed.isValid(), renewed.data);

  const used = await refusal(oauth.getAccessToken(back.code));
  same('40163', used?.code, 40163);
});
