// node-socialite's WeChat provider: connect_redirect=1, JSON asked for by name.
import { WeChat } from 'node-socialite/dist/Providers/WeChat.js';
import { authorize, client, drive, holds, query, refusal, same, state, subject } from './harness.mjs';

await drive(async () => {
  const provider = () => new WeChat({ client_id: client.appid, client_secret: client.secret, redirect: client.callback });
  const ask = provider().withState(state).redirect();
  const back = query(await authorize(ask, client.callback));
  same('state', back.state, state);

  const user = await provider().userFromCode(back.code);
  subject('openid', user.getId());
  same('nickname', user.getNickname(), client.nickname);
  same('expires_in', user.getExpiresIn(), 7200);
  holds('refresh token', typeof user.getRefreshToken() === 'string', user.getRefreshToken());
  subject('unionid', user.getRaw().unionid);

  const used = await refusal(provider().userFromCode(back.code));
  holds('40163', used?.message.includes('"errcode":40163,'), used?.message);
});
