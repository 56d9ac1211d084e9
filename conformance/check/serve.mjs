// A small server for libraries that take a Request and give a Response.
import { createServer } from 'node:http';

export const port = Number(process.env.PORT ?? 3000);
export const origin = `http://127.0.0.1:${port}`;

/** Serves `handle` on this machine until the process is ended. */
export function serve(handle) {
  const server = createServer(async (incoming, outgoing) => {
    const pieces = [];
    for await (const piece of incoming) pieces.push(piece);
    const headers = new Headers();
    for (let n = 0; n < incoming.rawHeaders.length; n += 2) headers.append(incoming.rawHeaders[n], incoming.rawHeaders[n + 1]);
    const body = pieces.length ? Buffer.concat(pieces) : undefined;
    let response;
    try {
      response = await handle(new Request(new URL(incoming.url, origin), { method: incoming.method, headers, body }));
    } catch (error) {
      console.error(error);
      response = new Response('Internal Server Error', { status: 500 });
    }
    outgoing.statusCode = response.status;
    for (const [name, value] of response.headers) if (name !== 'set-cookie') outgoing.setHeader(name, value);
    outgoing.setHeader('set-cookie', response.headers.getSetCookie());
    outgoing.end(Buffer.from(await response.arrayBuffer()));
  });
  server.listen(port, '127.0.0.1');
}
