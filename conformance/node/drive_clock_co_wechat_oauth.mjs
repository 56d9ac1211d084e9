// co-wechat-oauth while the sandbox turns and freezes its clock.
import OAuth from 'co-wechat-oauth';
import { authorize, client, drive, holds, query, refusal, same, sandbox, state } from './harness.mjs';

const turn = (how) => sandbox('POST', '/clock', how);

await drive(async () => {
  const oauth = new OAuth(client.appid, client.secret);
  const ask = async () => query(await authorize(oauth.getAuthorizeURL(client.callback, state, 'snsapi_userinfo'), client.callback));
  const { data: token } = await oauth.getAccessToken((await ask()).code);
  const userinfo = () => refusal(oauth.getUser({ openid: token.openid, lang: 'zh_CN' }));

  // Shortly before its end, and the clock stands: it does not end however long one waits.
  const { now } = await turn({ jump: '1h59m50s', freeze: true });
  await new Promise((later) => setTimeout(later, 1000));
  same('frozen: the time', (await sandbox('GET', '/clock')).now, now);
  same('frozen: the token lives on', (await userinfo())?.code, undefined);
  await turn({ freeze: false });
  await turn({ jump: '9s' });
  let end;
  while (end?.code === undefined) end = await userinfo();
  same('it goes on: userinfo is 42001', end.code, 42001);
  await turn({ real: true });
  same('back to real: the token is good', (await userinfo())?.code, undefined);

  await turn({ jump: '31d' });
  same('jump 31d: refresh is 42002', (await refusal(oauth.refreshAccessToken(token.refresh_token)))?.code, 42002);
  await turn({ jump: '-31d' });
  const renewed = await oauth.refreshAccessToken(token.refresh_token);
  same('jump back: refresh is good', renewed.data.openid, token.openid);
  const { code } = await ask();
  await turn({ jump: '6m' });
  same('jump 6m: the code is 40029', (await refusal(oauth.getAccessToken(code)))?.code, 40029);
  await turn({ real: true });
  holds('back to real: the code pays', (await oauth.getAccessToken(code)).isValid());
});
