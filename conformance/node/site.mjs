// A small Express site and its visitor, for the libraries that are middleware.
import express from 'express';

/** Starts the site `build` describes; resolves to a visitor with cookies who follows no redirect by itself. */
export async function site(build) {
  const app = express();
  build(app);
  app.use((error, request, response, next) => {
    response.status(500).json({ code: error.code, message: String(error.message) });
  });
  const server = app.listen(0, '127.0.0.1');
  await new Promise((up) => server.once('listening', up));
  const cookies = new Map();
  return async function visit(address) {
    const { pathname, search } = new URL(address, 'http://127.0.0.1');
    const response = await fetch(`http://127.0.0.1:${server.address().port}${pathname}${search}`, {
      redirect: 'manual',
      headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
    });
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
      cookies.set(name, value);
    }
    return response;
  };
}
