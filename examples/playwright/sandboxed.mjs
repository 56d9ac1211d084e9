// How a browser of Playwright is launched so that the platform's names are the sandbox:
//
//   const browser = await chromium.launch(await sandboxed());
//
// Below `yufu run`, or with YUFU_SANDBOX and YUFU_SANDBOX_TOKEN set.
export async function sandboxed({ args = [], ...more } = {}) {
  const { YUFU_SANDBOX, YUFU_SANDBOX_TOKEN } = process.env;
  const answer = await fetch(`${YUFU_SANDBOX}/_sandbox/ready`, { headers: { authorization: `Bearer ${YUFU_SANDBOX_TOKEN}` } });
  if (!answer.ok) throw new Error(`${YUFU_SANDBOX} is no sandbox of ours: ${answer.status}`);
  const { proxy, spki } = await answer.json();
  return {
    ...more,
    // By the proxy to this machine as well, so that the app's own pages are in the picture of the flows.
    proxy: { server: proxy, bypass: '<-loopback>' },
    args: [...args, `--ignore-certificate-errors-spki-list=${spki}`],
  };
}
