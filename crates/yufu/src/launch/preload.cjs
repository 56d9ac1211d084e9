'use strict';
// Written by `yufu run`, and loaded by every Node process below it (NODE_OPTIONS=--require).
//
// Node's own http, https, http2 and fetch look at no proxy setting before version 24, so a
// connection to one of the platform's names is led to the sandbox here, where all of them open it.
// TLS is as before: the name that is asked for and checked stays, and the certificate has to be
// from an authority that this process trusts. Every other host is left alone.
(() => {
  const told = /*told*/ null;
  if (!told) return;
  let net;
  try {
    net = require('node:net');
  } catch {
    return; // a runtime that calls itself Node and is none
  }
  const hosts = new Set(told.hosts);
  const [loopback, gate, plain] = ['127.0.0.1', told.gate, told.plain];
  const former = net.Socket && net.Socket.prototype && net.Socket.prototype.connect;
  if (typeof former !== 'function' || former[Symbol.for('yufu.gate')] === gate) return;

  const name = (host) => (typeof host === 'string' ? host.toLowerCase().replace(/\.$/, '') : '');
  // Where a connection to this host and port goes instead; undefined for nearly all.
  const instead = (host, port, servername) => {
    switch (Number(port)) {
      case 443:
        // Some look the name up themselves: then it is only asked for in the handshake.
        return hosts.has(name(host)) || hosts.has(name(servername)) ? gate : undefined;
      case 80:
        return hosts.has(name(host)) ? plain : undefined;
      default:
        return undefined;
    }
  };
  const led = (options) => {
    if (typeof options !== 'object' || options === null || options.path) return undefined;
    const port = instead(options.host, options.port, options.servername);
    if (port === undefined) return undefined;
    // A copy: the caller may use its own again. An address needs no lookup, and is local.
    const copy = { ...options, host: loopback, port };
    for (const other of ['lookup', 'family', 'hints', 'localAddress', 'localPort']) delete copy[other];
    return copy;
  };
  // The forms of a call: (options[, done]), (port[, host][, done]), (path[, done]), and a list that
  // Node has put in order, which it knows again by a symbol on it.
  const rewritten = (args) => {
    const first = args[0];
    if (Array.isArray(first)) {
      const copy = led(first[0]);
      if (!copy) return undefined;
      const list = [copy, ...first.slice(1)];
      for (const mark of Object.getOwnPropertySymbols(first)) list[mark] = first[mark];
      return { args: [list, ...args.slice(1)], host: first[0].host, named: first[0].servername };
    }
    if (typeof first === 'object') {
      const copy = led(first);
      return copy && { args: [copy, ...args.slice(1)], host: first.host, named: first.servername };
    }
    const port = instead(args[1], first, undefined);
    return port === undefined ? undefined : { args: [port, loopback, ...args.slice(2)], host: args[1] };
  };

  function connect(...args) {
    let change;
    try {
      change = rewritten(args);
    } catch {
      change = undefined; // what cannot be read goes where it would have gone
    }
    if (!change) return Reflect.apply(former, this, args);
    if (typeof change.host !== 'string') return Reflect.apply(former, this, change.args);
    // Whoever opens TLS without saying for which name is given the platform's certificate there.
    if (!change.named && typeof this.setServername === 'function') this.setServername(change.host);
    const answer = Reflect.apply(former, this, change.args);
    // TLS over a socket that is connected already checks the certificate against this name.
    this._host = change.host;
    return answer;
  }
  Object.defineProperty(connect, Symbol.for('yufu.gate'), { value: gate });
  try {
    net.Socket.prototype.connect = connect;
  } catch {
    // frozen: then the proxy settings have to do
  }
})();
