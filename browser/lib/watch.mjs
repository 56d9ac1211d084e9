// What is watched in every test: nothing on the console, nothing from elsewhere, and the headers
// and cookies of every page.

const LOCAL = /^(data:|wx[0-9a-f]{16}:|blob:|about:|chrome-error:|http:\/\/(127\.0\.0\.1|localhost|foreign\.test)(:\d+)?\/)/;

/** The platform's own names, where a browser goes through the proxy. */
const NAMES = /^https:\/\/(open\.weixin\.qq\.com|res\.wx\.qq\.com|thirdwx\.qlogo\.cn)\//;

/** Watches a browser context; what is wrong is added to `problems`. */
export function watch(context, house, { problems, allowed, pending }, proxied = false) {
  const isNamed = (url) => proxied && NAMES.test(url);
  const isOurs = (url) => [house.platform, house.app].some((own) => url.startsWith(`${own}/`)) || isNamed(url);
  context.on('console', (message) => {
    const text = message.text();
    const bad = message.type() === 'error' || /Content Security Policy|violates/i.test(text);
    if (bad && !allowed.some((pattern) => pattern.test(text))) {
      problems.push(`console at ${message.location().url}: ${text}`);
    }
  });
  context.on('weberror', (error) => problems.push(`script: ${error.error().message}`));
  context.on('request', (request) => {
    if (!LOCAL.test(request.url()) && !isNamed(request.url())) problems.push(`a request left this machine: ${request.url()}`);
  });
  context.on('response', (response) => {
    if (!isOurs(response.url())) return;
    const check = response.headersArray().then((headers) => {
      for (const wrong of wrongHeaders(response, headers, house)) {
        problems.push(`${response.request().method()} ${response.url()}: ${wrong}`);
      }
    });
    pending.push(check.catch(() => {})); // a page that was left takes its answers along
  });
}

function* wrongHeaders(response, headers, house) {
  const all = (name) => headers.filter((h) => h.name.toLowerCase() === name).map((h) => h.value);
  const one = (name) => all(name).join(', ');
  for (const cookie of all('set-cookie')) {
    const name = cookie.split('=')[0];
    // The mark of a scan goes along in frames of other sites, where there is TLS.
    const inFrames = name === '__Host-yufu_scan' && /; *Secure; *SameSite=None; *Partitioned/i.test(cookie);
    if (!inFrames && !/; *SameSite=(Lax|Strict)/i.test(cookie)) yield `cookie without SameSite: ${name}`;
    // The language is no secret; everything else is out of reach of scripts.
    if (name !== 'yufu_lang' && !/; *HttpOnly/i.test(cookie)) yield `cookie without HttpOnly: ${name}`;
  }
  const where = new URL(response.url());
  const isPage = one('content-type').startsWith('text/html');
  if (isPage || response.status() === 302 || response.status() === 303) {
    if (one('cache-control') !== 'no-store') yield `cache-control: ${one('cache-control')}`;
    if (one('referrer-policy') !== 'no-referrer') yield `referrer-policy: ${one('referrer-policy')}`;
  }
  if (!isPage) return;
  if (one('x-content-type-options') !== 'nosniff') yield 'x-content-type-options is missing';
  if (one('content-type').toLowerCase() !== 'text/html; charset=utf-8') yield `content-type: ${one('content-type')}`;
  const policy = one('content-security-policy');
  for (const part of ["default-src 'none'", "base-uri 'none'", 'frame-ancestors']) {
    if (!policy.includes(part)) yield `content-security-policy without ${part}: ${policy}`;
  }
  if (/unsafe-|\*(?!;| |$)|(script|default|connect)-src[^;]*(\*|http:|https:|data:)/.test(policy)) {
    yield `content-security-policy is too wide: ${policy}`;
  }
  const mayBeFramed = where.origin !== house.app && where.pathname === '/connect/qrconnect';
  if (!mayBeFramed && !policy.includes("frame-ancestors 'none'")) yield `may be framed: ${policy}`;
}
