"""Chromium with its virtual security key on the sign-in page, driven over the DevTools protocol. Runs inside `lab shell`.
Arguments: the browser, a directory for its profile."""

import base64
import hashlib
import json
import os
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from urllib.parse import parse_qs, urlencode, urlsplit

import websocket
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

browser, profile = sys.argv[1:3]
state, origin = os.environ["TOMBOLO_LAB_STATE"], os.environ["TOMBOLO_LAB_CLOUD"]
trust = ssl.create_default_context(cafile=f"{state}/ca.pem")
administrator = open(f"{state}/administrator.token").read().strip()
GRAPH = origin + "/graph/v1.0"
POLICY = GRAPH + "/policies/authenticationMethodsPolicy/authenticationMethodConfigurations/fido2"
CLIENT = "6f1c1f0e-0000-4000-8000-000000000002"
BACK = "http://127.0.0.1:8400/back"


def ask(method, url, body=None, form=None):
    data = urlencode(form).encode() if form else json.dumps(body).encode() if body else None
    kind = "application/x-www-form-urlencoded" if form else "application/json"
    headers = {"Authorization": f"Bearer {administrator}", "Content-Type": kind}
    request = urllib.request.Request(url, data, headers, method=method)
    with urllib.request.urlopen(request, context=trust) as reply:
        text = reply.read()
        return json.loads(text) if text else None


def leaf_key_hash():
    """The browser is told to trust the lab's server by its key: its own store does not know the lab's CA."""
    host = urlsplit(origin).hostname
    leaf = x509.load_pem_x509_certificate(ssl.get_server_certificate((host, 443)).encode())
    spki = leaf.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(spki).digest()).decode()


class Tab:
    def __init__(self):
        quiet = ["no-first-run", "disable-background-networking", "disable-component-update", "disable-sync"]
        flags = ["headless", "no-sandbox", "disable-gpu", "remote-debugging-port=0", f"user-data-dir={profile}"]
        flags += quiet + ["remote-allow-origins=*", "ignore-certificate-errors-spki-list=" + leaf_key_hash()]
        words = [browser, *("--" + flag for flag in flags), "about:blank"]
        self.process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        port = self.until(lambda: open(f"{profile}/DevToolsActivePort").read().splitlines()[0])
        pages = self.until(lambda: json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/json")))
        page = next(page for page in pages if page["type"] == "page")
        self.socket = websocket.create_connection(page["webSocketDebuggerUrl"], timeout=60)
        self.number = 0

    @staticmethod
    def until(look, seconds=30):
        end = time.monotonic() + seconds
        while True:
            try:
                seen = look()
                if seen:
                    return seen
            except (AssertionError, OSError, IndexError, urllib.error.URLError):
                # Not up yet, or between two pages.
                pass
            assert time.monotonic() < end, "the browser does not get there"
            time.sleep(0.05)

    def call(self, method, **params):
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": params}))
        while True:
            answer = json.loads(self.socket.recv())
            if answer.get("id") == self.number:
                assert "error" not in answer, (method, answer)
                return answer["result"]

    def run(self, script):
        result = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True
        )
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def address(self):
        history = self.call("Page.getNavigationHistory")
        return history["entries"][history["currentIndex"]]["url"]

    def go(self, url, element):
        self.call("Page.navigate", url=url)
        self.until(lambda: self.run(f"document.readyState == 'complete' && !!document.querySelector('{element}')"))


def register(tab, user):
    methods = f"{GRAPH}/users/{user}/authentication/fido2Methods"
    options = ask("GET", methods + "/creationOptions")["publicKey"]
    # Chromium takes no enforced protection policy together with an optional one.
    for name in ("enforceCredentialProtectionPolicy", "credentialProtectionPolicy"):
        options["extensions"].pop(name, None)
    options["excludeCredentials"] = []
    made = tab.run(
        "(async () => { const options = PublicKeyCredential.parseCreationOptionsFromJSON(%s);"
        " return (await navigator.credentials.create({ publicKey: options })).toJSON(); })()" % json.dumps(options)
    )
    response = {name: made["response"][name] for name in ("clientDataJSON", "attestationObject")}
    body = {"displayName": "Chromium", "publicKeyCredential": {"id": made["id"], "response": response}}
    return methods, ask("POST", methods, body)["id"]


def begin(tab, verifier):
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    query = {
        "client_id": CLIENT, "response_type": "code", "redirect_uri": BACK, "scope": "openid profile",
        "code_challenge": challenge, "code_challenge_method": "S256", "state": "state", "nonce": "nonce",
    }
    tab.go(f"{origin}/common/oauth2/v2.0/authorize?{urlencode(query)}", "#go")
    tab.run("document.getElementById('go').click()")


def main(tab):
    for domain in ("Page", "Runtime"):
        tab.call(domain + ".enable")
    tab.call("WebAuthn.enable", enableUI=False)
    key = dict(protocol="ctap2", ctap2Version="ctap2_1", transport="usb", hasResidentKey=True)
    key |= dict(hasUserVerification=True, isUserVerified=True, automaticPresenceSimulation=True, hasHmacSecret=True)
    authenticator = tab.call("WebAuthn.addVirtualAuthenticator", options=key)["authenticatorId"]
    # The virtual key has no maker who vouches for it.
    ask("PATCH", POLICY, {"isAttestationEnforced": False})
    users = ask("GET", GRAPH + "/users")["value"]
    user = next(user for user in users if user["userPrincipalName"].startswith("testuser@"))
    tab.go(origin + "/signin/device", "form")
    methods, method = register(tab, user["id"])

    verifier = "v" * 50
    begin(tab, verifier)
    tab.until(lambda: tab.address().startswith(BACK))
    answer = {name: values[0] for name, values in parse_qs(urlsplit(tab.address()).query).items()}
    assert answer["state"] == "state", answer
    form = dict(grant_type="authorization_code", client_id=CLIENT, redirect_uri=BACK)
    form |= dict(code=answer["code"], code_verifier=verifier)
    tokens = ask("POST", origin + "/common/oauth2/v2.0/token", form=form)
    claims = tokens["id_token"].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    assert (claims["oid"], claims["nonce"]) == (user["id"], "nonce"), claims

    def refused(why):
        begin(tab, verifier)
        told = "document.getElementById('told').textContent"
        said = tab.until(lambda: tab.run(f"{told} && !document.getElementById('go').disabled && {told}"))
        assert tab.address().startswith(origin), tab.address()
        print(f"{why}: {said}")
        return said

    ask("DELETE", f"{methods}/{method}")
    assert "not registered" in refused("removed")
    # The key is asked to know its user; one that does not is refused by the browser already.
    tab.call("WebAuthn.setUserVerified", authenticatorId=authenticator, isUserVerified=False)
    assert "not allowed" in refused("not verified")
    print("agreed: Chromium signs in, and only with a registered key that knows its user")


tab = Tab()
try:
    main(tab)
finally:
    tab.process.kill()
