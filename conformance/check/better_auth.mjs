// better-auth with its WeChat provider and its own database in memory, as its documents set it up.
import { betterAuth } from 'better-auth';
import { memoryAdapter } from 'better-auth/adapters/memory';
import { origin, serve } from './serve.mjs';

const database = { user: [], session: [], account: [], verification: [] };
const auth = betterAuth({
  baseURL: origin,
  secret: 'for one run only, and for nobody; long enough',
  database: memoryAdapter(database),
  socialProviders: {
    wechat: { clientId: process.env.WECHAT_CLIENT_ID, clientSecret: process.env.WECHAT_CLIENT_SECRET },
  },
  telemetry: { enabled: false },
  rateLimit: { enabled: false },
  logger: { level: 'error', log() {} },
});

serve((request) => auth.handler(request));
