"""MSAL and Authlib as applications of the cloud. Arguments: origin, user id. ADMIN_TOKEN in the environment; CREDENTIAL is what
a device shows of a weak primary refresh token."""

import hashlib
import html
import json
import os
import re
import struct
import sys
from urllib.parse import parse_qsl, urlencode, urlsplit

import msal
import requests
from authlib.integrations.requests_client import OAuth2Session
from authlib.jose import JsonWebKey, JsonWebToken
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2 import cbor
from fido2.cose import ES256
from fido2.utils import websafe_decode, websafe_encode

origin, user = sys.argv[1:3]
admin = {"Authorization": "Bearer " + os.environ["ADMIN_TOKEN"]}
CLIENT = "6f1c1f0e-0000-4000-8000-000000000001"
BACK = "http://localhost:8400"


class Key:
    """A security key in a few lines: attestation none, user verified."""

    def __init__(self):
        self.private = ec.generate_private_key(ec.SECP256R1())
        self.id = os.urandom(32)
        self.counter = 0

    def data(self, flags):
        self.counter += 1
        return hashlib.sha256(b"localhost").digest() + struct.pack(">BI", flags, self.counter)

    @staticmethod
    def client_data(kind, challenge):
        fields = {"type": kind, "challenge": challenge, "origin": origin, "crossOrigin": False}
        return json.dumps(fields).encode()

    def register(self):
        methods = f"{origin}/graph/v1.0/users/{user}/authentication/fido2Methods"
        options = requests.get(methods + "/creationOptions", headers=admin).json()["publicKey"]
        cose = cbor.encode(dict(ES256.from_cryptography_key(self.private.public_key())))
        data = self.data(0x45) + bytes(16) + struct.pack(">H", 32) + self.id + cose
        attestation = cbor.encode({"fmt": "none", "attStmt": {}, "authData": data})
        response = {
            "clientDataJSON": websafe_encode(self.client_data("webauthn.create", options["challenge"])),
            "attestationObject": websafe_encode(attestation),
        }
        body = {
            "displayName": "judge",
            "publicKeyCredential": {"id": websafe_encode(self.id), "response": response},
        }
        reply = requests.post(methods, json=body, headers=admin)
        assert reply.status_code == 201, reply.text
        self.handle = websafe_decode(options["user"]["id"])

    def sign_in(self, page):
        """What the page's script does; gives where the browser goes."""
        assert page.status_code == 200, page.text
        sign_in = html.unescape(re.search('data-sign-in="([^"]+)"', page.text)[1])
        asked = requests.post(f"{origin}/signin/webauthn/begin", json={"signIn": sign_in}).json()
        data = self.data(0x05)
        client = self.client_data("webauthn.get", asked["publicKey"]["challenge"])
        signature = self.private.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        response = {
            "clientDataJSON": websafe_encode(client),
            "authenticatorData": websafe_encode(data),
            "signature": websafe_encode(signature),
            "userHandle": websafe_encode(self.handle),
        }
        body = {
            "signIn": sign_in,
            "nonce": asked["nonce"],
            "credential": {"id": websafe_encode(self.id), "response": response},
        }
        reply = requests.post(f"{origin}/signin/webauthn/finish", json=body)
        assert reply.status_code == 200, reply.text
        return reply.json()["redirect"]


def agreed(what, answer):
    assert "access_token" in answer, answer
    print("agreed:", what, answer["id_token_claims"]["preferred_username"])


def by_msal(key):
    app = msal.PublicClientApplication(CLIENT, oidc_authority=f"{origin}/common/v2.0")
    flow = app.initiate_auth_code_flow(["files.read"], redirect_uri=BACK)
    target = key.sign_in(requests.get(flow["auth_uri"]))
    answer = app.acquire_token_by_auth_code_flow(flow, dict(parse_qsl(urlsplit(target).query)))
    agreed("msal code", answer)

    account = app.get_accounts()[0]
    answer = app.acquire_token_silent_with_error(["files.read"], account, force_refresh=True)
    agreed("msal silent", answer)

    app = msal.PublicClientApplication(CLIENT, oidc_authority=f"{origin}/common/v2.0")
    flow = app.initiate_device_flow(["files.read"])
    assert "user_code" in flow, flow
    typed = urlencode({"user_code": flow["user_code"]})
    assert key.sign_in(requests.get(f"{flow['verification_uri']}?{typed}")) is None
    agreed("msal device code", app.acquire_token_by_device_flow(flow))


def challenged_msal(key):
    """Single sign-on by a device whose proof is weak; then a policy wants a stronger one, and MSAL asks for it."""
    app = msal.PublicClientApplication(CLIENT, oidc_authority=f"{origin}/common/v2.0")
    flow = app.initiate_auth_code_flow(["files.read"], redirect_uri=BACK)
    shown = {"x-ms-RefreshTokenCredential": os.environ["CREDENTIAL"]}
    reply = requests.get(flow["auth_uri"], headers=shown, allow_redirects=False)
    assert reply.status_code == 302, reply.text
    target = reply.headers["Location"]
    answer = app.acquire_token_by_auth_code_flow(flow, dict(parse_qsl(urlsplit(target).query)))
    agreed("msal single sign-on", answer)

    policies = f"{origin}/graph/v1.0/identity/conditionalAccess/policies"
    strength = {"id": "00000000-0000-0000-0000-000000000004"}
    policy = {
        "displayName": "keys only",
        "state": "enabled",
        "conditions": {
            "users": {"includeUsers": ["All"]},
            "applications": {"includeApplications": ["All"]},
        },
        "grantControls": {"operator": "AND", "authenticationStrength": strength},
    }
    made = requests.post(policies, json=policy, headers=admin)
    assert made.status_code == 201, made.text
    account = app.get_accounts()[0]
    refused = app.acquire_token_silent_with_error(["files.read"], account, force_refresh=True)
    assert refused["error"] == "interaction_required" and refused["claims"], refused
    flow = app.initiate_auth_code_flow(
        ["files.read"], redirect_uri=BACK, claims_challenge=refused["claims"]
    )
    target = key.sign_in(requests.get(flow["auth_uri"]))
    answer = app.acquire_token_by_auth_code_flow(flow, dict(parse_qsl(urlsplit(target).query)))
    agreed("msal asked again", answer)
    gone = requests.delete(f"{policies}/{made.json()['id']}", headers=admin)
    assert gone.status_code == 204, gone.text


def by_authlib(key):
    found = requests.get(f"{origin}/common/v2.0/.well-known/openid-configuration").json()
    session = OAuth2Session(
        CLIENT,
        scope="openid profile",
        redirect_uri=BACK,
        code_challenge_method="S256",
        token_endpoint_auth_method="none",
    )
    verifier = websafe_encode(os.urandom(48))
    url, _ = session.create_authorization_url(
        found["authorization_endpoint"], code_verifier=verifier, nonce="judge"
    )
    target = key.sign_in(requests.get(url))
    token = session.fetch_token(
        found["token_endpoint"], authorization_response=target, code_verifier=verifier
    )
    keys = JsonWebKey.import_key_set(requests.get(found["jwks_uri"]).json())
    wanted = {
        "iss": {"essential": True, "value": found["issuer"]},
        "aud": {"essential": True, "value": CLIENT},
        "nonce": {"essential": True, "value": "judge"},
    }
    claims = JsonWebToken(["RS256"]).decode(token["id_token"], keys, claims_options=wanted)
    claims.validate()
    agreed("authlib code", {"access_token": token["access_token"], "id_token_claims": claims})


key = Key()
key.register()
by_msal(key)
challenged_msal(key)
by_authlib(key)
