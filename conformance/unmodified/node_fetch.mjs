// A login with Node's own fetch.
const { APPID, SECRET, REDIRECT, TRUSTED, UNTRUSTED } = process.env;

const other = async (url) => {
  try {
    return await (await fetch(url)).text();
  } catch (problem) {
    if (!/SELF_SIGNED|UNABLE_TO|VERIFY/.test(problem.cause?.code)) throw problem;
    return 'refused';
  }
};
const get = async (path, params) => (await fetch(`https://api.weixin.qq.com${path}?${new URLSearchParams(params)}`)).json();

const query = new URLSearchParams({ appid: APPID, redirect_uri: REDIRECT, response_type: 'code', scope: 'snsapi_login', state: 'from-fetch' });
const page = await fetch(`https://open.weixin.qq.com/connect/qrconnect?${query}#wechat_redirect`, { redirect: 'manual' });
const came = new URL(page.headers.get('location')).searchParams;
const tokens = await get('/sns/oauth2/access_token', { appid: APPID, secret: SECRET, code: came.get('code'), grant_type: 'authorization_code' });
const user = await get('/sns/userinfo', { access_token: tokens.access_token, openid: tokens.openid });
console.log(JSON.stringify({ nickname: user.nickname, openid: tokens.openid, state: came.get('state'), trusted: await other(TRUSTED), untrusted: await other(UNTRUSTED) }));
