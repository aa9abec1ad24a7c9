// MSAL Node as an application of the cloud. Arguments: origin, tenant, user id. The user's browser is a few lines that read the
// page and hold a P-256 key. ADMIN_TOKEN in the environment; CREDENTIAL is what a device shows of a weak primary refresh token.

import assert from "node:assert";
import { createHash, createSign, generateKeyPairSync, randomBytes } from "node:crypto";
import { createRequire } from "node:module";

const require = createRequire(process.env.MSAL_NODE);
const { CryptoProvider, InteractionRequiredAuthError, PublicClientApplication } =
  require("@azure/msal-node");

const [origin, tenant, user] = process.argv.slice(2);
const CLIENT = "6f1c1f0e-0000-4000-8000-000000000002";
const BACK = "http://localhost:8400";
const SCOPES = ["files.read"];
const admin = { authorization: `Bearer ${process.env.ADMIN_TOKEN}` };

const base64url = (octets) => Buffer.from(octets).toString("base64url");
const sha256 = (octets) => createHash("sha256").update(octets).digest();

async function ask(path, { method = "GET", headers = {}, json } = {}) {
  const body = json === undefined ? undefined : JSON.stringify(json);
  const type = body === undefined ? {} : { "content-type": "application/json" };
  const reply = await fetch(origin + path, { method, body, headers: { ...type, ...headers } });
  const text = await reply.text();
  assert(reply.ok, `${method} ${path}: ${reply.status} ${text}`);
  return text === "" ? undefined : JSON.parse(text);
}

// A security key in a few lines: attestation none, user verified.
class Key {
  constructor() {
    this.pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
    this.id = randomBytes(32);
    this.counter = 0;
  }

  data(flags) {
    this.counter += 1;
    const tail = Buffer.alloc(5);
    tail.writeUInt8(flags, 0);
    tail.writeUInt32BE(this.counter, 1);
    return Buffer.concat([sha256("localhost"), tail]);
  }

  clientData(type, challenge) {
    return Buffer.from(JSON.stringify({ type, challenge, origin, crossOrigin: false }));
  }

  async register() {
    const methods = `/graph/v1.0/users/${user}/authentication/fido2Methods`;
    const options = await ask(`${methods}/creationOptions`, { headers: admin });
    const { x, y } = this.pair.publicKey.export({ format: "jwk" });
    const point = (text) => Buffer.concat([Buffer.from([0x58, 32]), Buffer.from(text, "base64url")]);
    // CBOR by hand: {1: 2, 3: -7, -1: 1, -2: x, -3: y}, and {"fmt": "none", "attStmt": {}, "authData": ...}.
    const cose = Buffer.concat([
      Buffer.from([0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21]), point(x), Buffer.from([0x22]), point(y),
    ]);
    const data = Buffer.concat([this.data(0x45), Buffer.alloc(16), Buffer.from([0, 32]), this.id, cose]);
    const attestation = Buffer.concat([
      Buffer.from([0xa3, 0x63]), Buffer.from("fmt"), Buffer.from([0x64]), Buffer.from("none"),
      Buffer.from([0x67]), Buffer.from("attStmt"), Buffer.from([0xa0, 0x68]), Buffer.from("authData"),
      Buffer.from([0x58, data.length]), data,
    ]);
    const challenge = options.publicKey.challenge;
    const response = {
      clientDataJSON: base64url(this.clientData("webauthn.create", challenge)),
      attestationObject: base64url(attestation),
    };
    const json = { displayName: "node", publicKeyCredential: { id: base64url(this.id), response } };
    await ask(methods, { method: "POST", headers: admin, json });
    this.handle = options.publicKey.user.id;
  }

  // What the page's script does; gives where the browser goes.
  async signIn(url) {
    const page = await (await fetch(url)).text();
    const signIn = /data-sign-in="([^"]+)"/.exec(page)?.[1];
    assert(signIn, page);
    const asked = await ask("/signin/webauthn/begin", { method: "POST", json: { signIn } });
    const data = this.data(0x05);
    const client = this.clientData("webauthn.get", asked.publicKey.challenge);
    const signature = createSign("sha256")
      .update(Buffer.concat([data, sha256(client)]))
      .sign(this.pair.privateKey);
    const response = {
      clientDataJSON: base64url(client),
      authenticatorData: base64url(data),
      signature: base64url(signature),
      userHandle: this.handle,
    };
    const json = { signIn, nonce: asked.nonce, credential: { id: base64url(this.id), response } };
    return (await ask("/signin/webauthn/finish", { method: "POST", json })).redirect;
  }
}

const agreed = (what, answer) => console.log("agreed:", what, answer.account.username);

function application(protocolMode) {
  // The first protocol adds its version to the path itself.
  const authority = protocolMode === "OIDC" ? `${origin}/${tenant}/v2.0` : `${origin}/${tenant}`;
  const auth = { clientId: CLIENT, authority, knownAuthorities: [new URL(origin).host] };
  return new PublicClientApplication({ auth, system: { protocolMode } });
}

// The whole of code with PKCE; `browser` says where the sign-in led.
async function byCode(app, browser, claims) {
  const { verifier, challenge } = await new CryptoProvider().generatePkceCodes();
  const request = { scopes: SCOPES, redirectUri: BACK, claims };
  const pkce = { codeChallenge: challenge, codeChallengeMethod: "S256" };
  const target = await browser(await app.getAuthCodeUrl({ ...request, ...pkce }));
  const code = new URL(target).searchParams.get("code");
  return app.acquireTokenByCode({ ...request, code, codeVerifier: verifier });
}

const silently = (app, account) =>
  app.acquireTokenSilent({ scopes: SCOPES, account, forceRefresh: true });

const key = new Key();
await key.register();
for (const mode of ["OIDC", "AAD"]) {
  const app = application(mode);
  const answer = await byCode(app, (url) => key.signIn(url));
  agreed(`${mode} code`, answer);
  agreed(`${mode} silent`, await silently(app, answer.account));

  const waiting = application(mode);
  const byDevice = await waiting.acquireTokenByDeviceCode({
    scopes: SCOPES,
    deviceCodeCallback: ({ userCode, verificationUri }) =>
      key.signIn(`${verificationUri}?user_code=${userCode}`),
  });
  agreed(`${mode} device code`, byDevice);
}

// Single sign-on by a device whose proof is weak; then a policy wants a stronger one, and the application asks for it.
const app = application("OIDC");
const byDevice = async (url) => {
  const headers = { "x-ms-RefreshTokenCredential": process.env.CREDENTIAL };
  const reply = await fetch(url, { headers, redirect: "manual" });
  assert.equal(reply.status, 302, await reply.text());
  return reply.headers.get("location");
};
const weak = await byCode(app, byDevice);
agreed("single sign-on", weak);
const policies = "/graph/v1.0/identity/conditionalAccess/policies";
const policy = {
  displayName: "keys only",
  state: "enabled",
  conditions: { users: { includeUsers: ["All"] }, applications: { includeApplications: ["All"] } },
  grantControls: {
    operator: "AND",
    authenticationStrength: { id: "00000000-0000-0000-0000-000000000004" },
  },
};
const { id } = await ask(policies, { method: "POST", headers: admin, json: policy });
const refused = await silently(app, weak.account).then(() => undefined, (error) => error);
assert(refused instanceof InteractionRequiredAuthError, String(refused));
assert(refused.claims, "the refusal says what to ask for");
const strong = await byCode(app, (url) => key.signIn(url), refused.claims);
agreed("asked again", strong);
agreed("silent after that", await silently(app, strong.account));
await ask(`${policies}/${id}`, { method: "DELETE", headers: admin });
