// new WxLogin({...}): puts the QR page into an element. Own code, compatible with wxLogin.js of
// the WeChat Open Platform: same options, same address, same parameter order.
(function (window, document) {
  'use strict';
  // The platform is where this script came from, or beside it: the script has a name of its own.
  var script = document.currentScript, base = location.origin;
  try {
    if (script && script.src) base = new URL(script.src, location.href).origin;
  } catch (e) { /* an old browser: the page's own origin */ }
  if (/^https?:\/\/res\.wx\.qq\.com$/.test(base)) base = 'https:' + '//open.weixin.qq.com';

  function WxLogin(options) {
    var o = options || {};
    // Values are concatenated as they are: callers encode redirect_uri and state themselves.
    function given(name) { return o[name] === undefined || o[name] === null ? '' : String(o[name]); }
    var self = o.self_redirect === true || o.self_redirect === 'true' ? 'true'
      : o.self_redirect === false || o.self_redirect === 'false' ? 'false' : 'default';
    var src = base + '/connect/qrconnect?appid=' + given('appid') + '&scope=' + given('scope') +
      '&redirect_uri=' + given('redirect_uri') + '&state=' + given('state') +
      '&login_type=jssdk&self_redirect=' + self +
      '&styletype=' + given('styletype') + '&sizetype=' + given('sizetype') +
      '&bgcolor=' + given('bgcolor') + '&rst=' + given('rst');
    if (given('style')) src += '&style=' + given('style');
    if (given('href')) src += '&href=' + given('href');
    if (o.lang === 'en') src += '&lang=en';
    if (o.stylelite) src += '&stylelite=' + (o.stylelite === true ? '1' : given('stylelite'));
    if (given('fast_login') !== '') src += '&fast_login=' + (o.fast_login === false ? '0' : o.fast_login === true ? '1' : given('fast_login'));

    var frame = document.createElement('iframe'), gone = false;
    frame.setAttribute('sandbox', 'allow-scripts allow-top-navigation allow-same-origin');
    frame.setAttribute('allow', 'local-network-access');
    frame.setAttribute('frameborder', '0');
    frame.setAttribute('scrolling', 'no');
    frame.setAttribute('allowtransparency', 'true');
    frame.title = o.lang === 'en' ? 'Scan to log in' : '扫码登录';
    frame.width = '300px';
    frame.height = '400px';
    frame.style.border = '0';
    frame.style.background = 'transparent';
    frame.style.colorScheme = 'light'; // else a dark page paints the frame's background

    function call(name, value) { if (typeof o[name] === 'function') o[name](value); }
    frame.onload = function () { call('onReady', true); call('onQRcodeReady'); };
    frame.onerror = function () { call('onReady', false); };
    frame.src = src;

    var box = document.getElementById(given('id'));
    if (!box) throw new Error('WxLogin: there is no element with the id "' + given('id') + '"');
    box.innerHTML = '';
    box.appendChild(frame);

    this.iframe = frame;
    // Takes the frame out again.
    this.destroy = this.cleanup = function () {
      if (gone) return;
      gone = true;
      if (frame.parentNode) frame.parentNode.removeChild(frame);
      call('onCleanup');
    };
  }

  window.WxLogin = WxLogin;
})(window, document);
