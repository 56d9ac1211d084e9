// A login with Node's https: over an agent that keeps connections, in a worker, and over a socket that is opened by hand.
const https = require('node:https');
const tls = require('node:tls');
const { Worker, isMainThread, parentPort } = require('node:worker_threads');

const { APPID, SECRET, REDIRECT, TRUSTED, UNTRUSTED } = process.env;
const agent = new https.Agent({ keepAlive: true });

const get = (url, options = { agent }) => new Promise((resolve, reject) => {
  https.get(url, options, (answer) => {
    let text = '';
    answer.setEncoding('utf8').on('data', (more) => { text += more; }).on('end', () => resolve({ headers: answer.headers, text }));
  }).on('error', reject);
});
const other = async (url) => {
  try {
    return (await get(url)).text;
  } catch (problem) {
    if (!/SELF_SIGNED|UNABLE_TO|VERIFY/.test(problem.code)) throw problem;
    return 'refused';
  }
};
const api = (path, params, options) => get(`https://api.weixin.qq.com${path}?${new URLSearchParams(params)}`, options).then(({ text }) => JSON.parse(text));
const byHand = () => tls.connect(443, 'api.weixin.qq.com', { servername: 'api.weixin.qq.com' });

async function main() {
  const query = new URLSearchParams({ appid: APPID, redirect_uri: REDIRECT, response_type: 'code', scope: 'snsapi_login', state: 'from-https' });
  const page = await get(`https://open.weixin.qq.com/connect/qrconnect?${query}`);
  const came = new URL(page.headers.location).searchParams;
  const tokens = await api('/sns/oauth2/access_token', { appid: APPID, secret: SECRET, code: came.get('code'), grant_type: 'authorization_code' });
  const user = await api('/sns/userinfo', { access_token: tokens.access_token, openid: tokens.openid }, { createConnection: byHand, agent: false });
  return { nickname: user.nickname, openid: tokens.openid, state: came.get('state'), trusted: await other(TRUSTED), untrusted: await other(UNTRUSTED) };
}

if (isMainThread) {
  const worker = new Worker(__filename);
  worker.on('message', (said) => { console.log(JSON.stringify(said)); process.exit(0); });
  worker.on('error', (problem) => { throw problem; });
} else {
  main().then((said) => parentPort.postMessage(said));
}
