"""Unmodified python-fido2 as the WebAuthn client between the software key and the cloud.

usage: fido2_cloud.py CLOUD CA ORIGIN USER KEY
  CLOUD    HOST:PORT of the cloud
  CA       the certificate that the cloud's leads to, in PEM
  ORIGIN   where the user is registering
  USER     id of the user
  KEY      HOST:PORT of the key
environment: ADMIN_TOKEN, SYNC_TOKEN
"""

import base64
import hashlib
import http.client
import json
import os
import ssl
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from fido2.client import ClientError, DefaultClientDataCollector, Fido2Client, UserInteraction
from fido2.ctap2 import ClientPin, Ctap2
from fido2.ctap2.extensions import CredProtectExtension, HmacSecretExtension
from fido2.webauthn import AttestationObject, AuthenticatorData, PublicKeyCredentialCreationOptions

from softkey_socket import device

PIN = "123456"
FLAG = AuthenticatorData.FLAG


class Person(UserInteraction):
    def request_pin(self, permissions, rp_id):
        return PIN


class Cloud:
    def __init__(self, address, ca):
        host, port = address.rsplit(":", 1)
        self.connection = http.client.HTTPSConnection(
            host, int(port), context=ssl.create_default_context(cafile=ca), timeout=60
        )

    def ask(self, method, path, token, body=None):
        headers = {"Authorization": f"Bearer {token}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(body)
        self.connection.request(method, path, body, headers)
        reply = self.connection.getresponse()
        text = reply.read()
        return reply.status, json.loads(text) if text else None


def client(key, origin, verify=None):
    collector = (
        DefaultClientDataCollector(origin, verify) if verify else DefaultClientDataCollector(origin)
    )
    # `hmacCreateSecret` is the client input of CTAP, which the library takes when it is told to.
    extensions = [HmacSecretExtension(allow_hmac_secret=True), CredProtectExtension()]
    return Fido2Client(key, collector, Person(), extensions)


def main(address, ca, origin, user, key_address):
    admin, sync = os.environ["ADMIN_TOKEN"], os.environ["SYNC_TOKEN"]
    cloud, key = Cloud(address, ca), device(key_address)
    ClientPin(Ctap2(key)).set_pin(PIN)
    methods = f"/graph/v1.0/users/{user}/authentication/fido2Methods"

    def options():
        status, reply = cloud.ask("GET", f"{methods}/creationOptions", admin)
        assert status == 200, reply
        return PublicKeyCredentialCreationOptions.from_dict(reply["publicKey"])

    def post(result, name="blue key"):
        body = {"displayName": name, "publicKeyCredential": dict(result)}
        return cloud.ask("POST", methods, admin, body)

    asked = options()
    assert len(asked.user.id) == 51 and asked.user.id.startswith(b"OF:"), asked.user
    result = client(key, origin).make_credential(asked)
    assert result.client_extension_results.get("hmacCreateSecret") is True, result
    status, method = post(result)
    assert status == 201, method
    assert method["attestationLevel"] == "attested" and method["hmacSecret"] is True, method
    assert method["id"] == dict(result)["id"], method

    # What the sync will read is what the key said, byte for byte, as the library reads it.
    status, page = cloud.ask("GET", "/devicekeys/v1/delta", sync)
    assert status == 200, page
    (entry,) = [entry for entry in page["value"] if entry["id"] == user]
    (stored,) = entry["searchableDeviceKey"]
    made = AttestationObject(result.response.attestation_object)
    material = json.loads(base64.b64decode(stored["keyMaterial"]))
    assert base64.b64decode(material["authData"]) == bytes(made.auth_data)
    assert [base64.b64decode(item) for item in material["x5c"]] == made.att_stmt["x5c"]
    data = AuthenticatorData(base64.b64decode(material["authData"]))
    assert data.flags & (FLAG.UP | FLAG.UV | FLAG.AT | FLAG.ED) == 0xC5, hex(data.flags)
    assert data.rp_id_hash == hashlib.sha256(asked.rp.id.encode()).digest()
    assert data.extensions["hmac-secret"] is True
    assert base64.b64decode(stored["keyIdentifier"]) == data.credential_data.credential_id
    assert stored["fidoAaGuid"] == str(data.credential_data.aaguid), stored["fidoAaGuid"]
    leaf = x509.load_der_x509_certificate(made.att_stmt["x5c"][0])
    assert leaf.fingerprint(hashes.SHA1()).hex() in stored["fidoAttestationCertificates"]

    # The same answer does not work twice.
    status, reply = post(result)
    assert (status, reply["error"]["code"]) == (400, "challengeNotFound"), reply

    # The key is excluded from now on: the client finds it and stops.
    try:
        client(key, origin).make_credential(options())
    except ClientError as error:
        assert error.code == ClientError.ERR.DEVICE_INELIGIBLE, error
    else:
        raise AssertionError("the key was registered twice")

    # A page elsewhere, with a client that lets it ask: the cloud refuses what the client should have.
    other = client(key, "https://login.contoso.evil.example", lambda rp_id, origin: True)
    fresh = options()
    object.__setattr__(fresh, "exclude_credentials", None)
    status, reply = post(other.make_credential(fresh), "stolen")
    assert (status, reply["error"]["code"]) == (400, "verificationFailed"), reply
    assert "evil" in reply["error"]["message"], reply
    status, page = cloud.ask("GET", f"/devicekeys/v1/users/{user}", sync)
    assert len(page["searchableDeviceKey"]) == 1, page
    print("agreed: registered")


main(*sys.argv[1:])
