// The QR page: polls until the phone has answered, then goes back to the app.
(function () {
  'use strict';
  var box = document.getElementById('scan');
  if (!box) return;
  var data = box.dataset, last = data.last || '', left = parseInt(data.left, 10) || 0, over = false;
  function one(name) { return box.querySelector('.' + name); }
  function show(status, name) {
    box.setAttribute('data-status', status);
    var all = box.querySelectorAll('.js_status');
    for (var i = 0; i < all.length; i++) all[i].hidden = !all[i].classList.contains(name);
  }
  function showLast() {
    if (last === '404') show('scanned', 'js_wx_after_scan');
    else if (last === '403') show('cancelled', 'js_wx_after_cancel');
    else show('waiting', 'js_wx_default_tip');
  }
  function again() {
    if (data.renew) location.replace(data.renew);
    else location.reload();
  }
  function expired(renew) {
    if (over && !renew) return;
    over = true;
    show('expired', 'js_wx_expired');
    one('js_wx_left').hidden = true;
    one('js_wx_renew').hidden = false;
    if (!renew) return;
    one('js_wx_renewing').hidden = false;
    setTimeout(again, 1500);
  }
  // Code and state stand before a fragment, after a query that is there already.
  function target(code) {
    var uri = data.redirect || '', hash = uri.indexOf('#'), tail = '', add = [];
    if (hash >= 0) { tail = uri.slice(hash); uri = uri.slice(0, hash); }
    if (code) add.push('code=' + encodeURIComponent(code));
    if (data.state !== undefined) add.push('state=' + encodeURIComponent(data.state));
    if (!add.length) return uri + tail;
    var query = uri.indexOf('?');
    var mark = query < 0 ? '?' : query === uri.length - 1 || /&$/.test(uri) ? '' : '&';
    return uri + mark + add.join('&') + tail;
  }
  function go(code) {
    over = true;
    var to = target(code), link = one('js_wx_go');
    if (!/^https?:/i.test(to)) return expired(false);
    link.href = to;
    show('done', 'js_wx_done');
    one('js_wx_left').hidden = true;
    try {
      if (data.self === 'true') location.href = to;
      else window.top.location.href = to;
    } catch (e) { link.focus(); } // the browser wants a click: the link is there
  }
  function later(ms) { setTimeout(poll, ms); }
  function heard(errcode, code) {
    if (over) return;
    if (errcode === 405) { if (code) go(code); else expired(true); }
    else if (errcode === 402 || errcode === 500) expired(true);
    else if (errcode === 403 && data.denial) go(''); // a client that wants to hear of a no
    else if (errcode === 404 || errcode === 403) { last = String(errcode); showLast(); later(errcode === 404 ? 100 : 2000); }
    else if (errcode === 408) { showLast(); later(2000); }
    else lost();
  }
  function lost() {
    if (over) return;
    show('waiting', 'js_wx_trouble');
    later(5000);
  }
  function poll() {
    if (over) return;
    var ask = new XMLHttpRequest();
    var url = data.poll + (data.poll.indexOf('?') < 0 ? '?' : '&') + 'uuid=' + encodeURIComponent(data.uuid);
    if (last) url += '&last=' + last;
    ask.open('GET', url + '&_=' + Date.now());
    ask.timeout = 60000;
    ask.onerror = ask.ontimeout = lost;
    ask.onload = function () {
      var errcode = /wx_errcode=(\d+)/.exec(ask.responseText), code = /wx_code='([^']*)'/.exec(ask.responseText);
      if (ask.status !== 200 || !errcode) lost();
      else heard(+errcode[1], code ? code[1] : '');
    };
    ask.send();
  }
  one('js_wx_renew').addEventListener('click', function (event) {
    if (data.renew) return;
    event.preventDefault();
    again();
  });
  if (data.status === 'expired') return;
  var end = Date.now() + left * 1000, clock = one('js_wx_clock');
  var tick = left && setInterval(function () {
    var s = Math.max(0, Math.round((end - Date.now()) / 1000));
    clock.textContent = Math.floor(s / 60) + ':' + (s % 60 < 10 ? '0' : '') + s % 60;
    if (over || !s) clearInterval(tick);
    if (!s) one('js_wx_left').hidden = true; // the server says when it is over
  }, 1000);
  poll();
})();
