// A login with axios.
import axios from 'axios';

const { APPID, SECRET, REDIRECT, TRUSTED, UNTRUSTED } = process.env;

const other = async (url) => {
  try {
    return (await axios.get(url)).data;
  } catch (problem) {
    if (!/SELF_SIGNED|UNABLE_TO|VERIFY/.test(problem.code ?? problem.cause?.code)) throw problem;
    return 'refused';
  }
};

const page = await axios.get('https://open.weixin.qq.com/connect/qrconnect', {
  maxRedirects: 0,
  validateStatus: () => true,
  params: { appid: APPID, redirect_uri: REDIRECT, response_type: 'code', scope: 'snsapi_login', state: 'from-axios' },
});
const came = new URL(page.headers.location).searchParams;
const { data: tokens } = await axios.get('https://api.weixin.qq.com/sns/oauth2/access_token', {
  params: { appid: APPID, secret: SECRET, code: came.get('code'), grant_type: 'authorization_code' },
});
const { data: user } = await axios.get('https://api.weixin.qq.com/sns/userinfo', { params: { access_token: tokens.access_token, openid: tokens.openid } });
console.log(JSON.stringify({ nickname: user.nickname, openid: tokens.openid, state: came.get('state'), trusted: await other(TRUSTED), untrusted: await other(UNTRUSTED) }));
