// A visitor for libraries that take a Request and give a Response: keeps cookies, follows nothing by itself.
export function visitor(handle, origin) {
  const cookies = new Map();
  return async function visit(address, { method = 'GET', form, json } = {}) {
    const headers = new Headers({ cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') });
    let body;
    if (method !== 'GET') headers.set('origin', origin);
    if (form) body = new URLSearchParams(form);
    if (json) {
      headers.set('content-type', 'application/json');
      body = JSON.stringify(json);
    }
    const response = await handle(new Request(new URL(address, origin), { method, headers, body }));
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
      cookies.set(name, value);
    }
    return response;
  };
}
