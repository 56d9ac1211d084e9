// Logto's WeChat connector for the web. It checks the answers' types itself.
import createConnector from '@logto/connector-wechat-web';
import { authorize, client, drive, query, refusal, same, state, subject } from './harness.mjs';

await drive(async () => {
  const connector = await createConnector({ getConfig: async () => ({ appId: client.appid, appSecret: client.secret }) });
  const ask = await connector.getAuthorizationUri({ state, redirectUri: client.callback }, async () => {});
  const back = query(await authorize(ask, client.callback));
  same('state', back.state, state);

  const user = await connector.getUserInfo(back, async () => ({}));
  subject('unionid as id', user.id);
  same('nickname', user.name, client.nickname);
  subject('openid', user.rawData.openid);
  same('unionid', user.rawData.unionid, user.id);

  const used = await refusal(connector.getUserInfo(back, async () => ({})));
  same('40163 as a bad code', used?.code, 'social_auth_code_invalid');
});
