// A login with got.
import got from 'got';

const { APPID, SECRET, REDIRECT, TRUSTED, UNTRUSTED } = process.env;

const other = async (url) => {
  try {
    return await got(url, { retry: { limit: 0 } }).text();
  } catch (problem) {
    if (!/SELF_SIGNED|UNABLE_TO|VERIFY/.test(problem.code)) throw problem;
    return 'refused';
  }
};

const page = await got('https://open.weixin.qq.com/connect/qrconnect', {
  followRedirect: false,
  searchParams: { appid: APPID, redirect_uri: REDIRECT, response_type: 'code', scope: 'snsapi_login', state: 'from-got' },
});
const came = new URL(page.headers.location).searchParams;
const tokens = await got('https://api.weixin.qq.com/sns/oauth2/access_token', {
  searchParams: { appid: APPID, secret: SECRET, code: came.get('code'), grant_type: 'authorization_code' },
}).json();
const user = await got('https://api.weixin.qq.com/sns/userinfo', { searchParams: { access_token: tokens.access_token, openid: tokens.openid } }).json();
console.log(JSON.stringify({ nickname: user.nickname, openid: tokens.openid, state: came.get('state'), trusted: await other(TRUSTED), untrusted: await other(UNTRUSTED) }));
