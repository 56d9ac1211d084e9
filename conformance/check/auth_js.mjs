// Auth.js with its WeChat provider and a database in memory, as its documents set it up: the provider as it is, sessions
// in the database (the default with one), and the user's id in the session.
import { Auth } from '@auth/core';
import WeChat from '@auth/core/providers/wechat';
import { randomUUID } from 'node:crypto';
import { serve } from './serve.mjs';

const users = new Map();
const accounts = new Map();
const sessions = new Map();
const copy = (row) => (row ? { ...row } : null);

/** The interface that Auth.js asks of a database, over three maps. */
const adapter = {
  createUser(user) {
    const row = { ...user, id: randomUUID() };
    users.set(row.id, row);
    return copy(row);
  },
  getUser: (id) => copy(users.get(id)),
  getUserByEmail: (email) => copy([...users.values()].find((user) => user.email && user.email === email)),
  getUserByAccount({ provider, providerAccountId }) {
    const account = accounts.get(`${provider} ${providerAccountId}`);
    return account ? copy(users.get(account.userId)) : null;
  },
  updateUser(user) {
    const row = { ...users.get(user.id), ...user };
    users.set(row.id, row);
    return copy(row);
  },
  linkAccount(account) {
    accounts.set(`${account.provider} ${account.providerAccountId}`, { ...account });
    return { ...account };
  },
  createSession(session) {
    sessions.set(session.sessionToken, { ...session });
    return { ...session };
  },
  getSessionAndUser(token) {
    const session = sessions.get(token);
    return session ? { session: copy(session), user: copy(users.get(session.userId)) } : null;
  },
  updateSession(session) {
    const row = { ...sessions.get(session.sessionToken), ...session };
    sessions.set(row.sessionToken, row);
    return copy(row);
  },
  deleteSession(token) {
    sessions.delete(token);
  },
};

const jwt = process.env.SESSIONS === 'jwt';

serve((request) => Auth(request, {
  basePath: '/auth',
  secret: 'for one run only, and for nobody',
  trustHost: true,
  adapter,
  session: { strategy: jwt ? 'jwt' : 'database' },
  providers: [WeChat({
    clientId: process.env.AUTH_WECHAT_APP_ID,
    clientSecret: process.env.AUTH_WECHAT_APP_SECRET,
    platformType: 'WebsiteApp',
  })],
  callbacks: {
    session({ session, user, token }) {
      session.user.id = user?.id ?? token.sub;
      return session;
    },
  },
  logger: { error() {}, warn() {}, debug() {} },
}));
