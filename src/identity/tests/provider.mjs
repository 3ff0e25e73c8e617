// A real provider of OpenID Connect and OAuth 2.0 for tests (npm oidc-provider): started by a test, which reads its address from the first line.
// It signs people in who give any password, issues JWT access tokens by client credentials (RFC 9068), and binds them to certificates (RFC 8705),
// which it takes from a header field, as behind a proxy. Arguments: redirect URI of the console, audience of the interface.
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { generateKeyPairSync } from 'node:crypto';
import { pathToFileURL } from 'node:url';

// Whoever started it reads one line and no more: what is said later must not end it.
process.stdout.on('error', () => {});
console.info = console.warn = () => {};

const [redirect, audience] = process.argv.slice(2);
const require = createRequire(pathToFileURL(`${process.env.AMTSBOTE_TEST_NODE}/x.js`));
const { default: Provider } = await import(pathToFileURL(require.resolve('oidc-provider')));

const key = (kid, alg, type, options) => {
  const { privateKey } = generateKeyPairSync(type, options);
  return { ...privateKey.export({ format: 'jwk' }), kid, alg, use: 'sig' };
};
const people = {
  erika: { email: 'erika@kreis.example', email_verified: true, preferred_username: 'erika', name: 'Erika M.', groups: ['bauamt'] },
  otto: { email: 'otto@kreis.example', email_verified: false, preferred_username: 'otto', name: 'Otto N.', groups: [] },
};

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const system = (id, more) => ({
    client_id: id, client_secret: 'geheimnis-der-maschine', grant_types: ['client_credentials'], redirect_uris: [], response_types: [], ...more,
  });
  const provider = new Provider(issuer, {
    clients: [
      { client_id: 'amtsbote', client_secret: 'geheimnis:des/hauses', redirect_uris: [redirect], id_token_signed_response_alg: 'ES256',
        post_logout_redirect_uris: [redirect.replace('/oidc/back', '/sign-in')] },
      system('portal', {}),
      system('bound', { tls_client_certificate_bound_access_tokens: true }),
      system('stranger', {}),
    ],
    jwks: { keys: [key('ec', 'ES256', 'ec', { namedCurve: 'P-256' }), key('rsa', 'RS256', 'rsa', { modulusLength: 2048 })] },
    cookies: { keys: ['nur-im-test'] },
    pkce: { required: () => true },
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'preferred_username'], groups: ['groups'] },
    scopes: ['openid', 'email', 'profile', 'groups', 'send', 'read'],
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...people[id] }) }),
    features: {
      devInteractions: { enabled: true },
      clientCredentials: { enabled: true },
      rpInitiatedLogout: { enabled: true },
      mTLS: { enabled: true, certificateBoundAccessTokens: true,
        getCertificate: (ctx) => (ctx.get('x-cert') ? `-----BEGIN CERTIFICATE-----\n${ctx.get('x-cert')}\n-----END CERTIFICATE-----` : undefined) },
      resourceIndicators: { enabled: true, defaultResource: (ctx) => (ctx.oidc.params.grant_type === 'client_credentials' ? audience : undefined), useGrantedResource: () => false,
        getResourceServerInfo: () => ({ scope: 'send read', audience, accessTokenFormat: 'jwt', accessTokenTTL: 300, jwt: { sign: { alg: 'ES256' } } }) },
    },
  });
  server.on('request', provider.callback());
  console.log(issuer);
});
// Whoever started it ends it by closing its input.
process.stdin.resume().on('end', () => process.exit(0));
