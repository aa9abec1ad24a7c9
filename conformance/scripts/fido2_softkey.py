"""Unmodified python-fido2 against the software key.

usage: fido2_softkey.py PHASE ADDRESS STATE ROOT
  PHASE    enrol | again (after a restart of the key)
  ADDRESS  HOST:PORT of the key
  STATE    a file in which `enrol` leaves what `again` compares with
  ROOT     the attestation root in PEM
"""

import json
import os
import sys

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from fido2.attestation import PackedAttestation
from fido2.attestation.base import verify_x509_chain
from fido2.cose import CoseKey
from fido2.ctap import CtapError
from fido2.ctap2 import ClientPin, CredentialManagement, Ctap2
from fido2.ctap2.pin import PinProtocolV1, PinProtocolV2
from fido2.utils import sha256
from fido2.webauthn import AuthenticatorData

from softkey_socket import device

PIN = "123456"
RP = {"id": "login.contoso.com", "name": "Contoso"}
USER = {"id": b"\x01\x02\x03\x04", "name": "testuser@contoso.com", "displayName": "Test User"}
SALTS = bytes([0x11]) * 32 + bytes([0x22]) * 32
AAGUID = b"tombolo-softkey1"
ES256 = {"type": "public-key", "alg": -7}
FLAG = AuthenticatorData.FLAG


def refused(status, function, *args, **kwargs):
    try:
        function(*args, **kwargs)
    except CtapError as error:
        assert error.code == status, (error.code, status)
        return
    raise AssertionError(f"{function} was not refused with {status!r}")


def secrets(ctap, protocol, pin=PIN, tamper=False):
    """A discoverable assertion with two salts; gives the assertion and the opened outputs."""
    client_pin = ClientPin(ctap, protocol)
    key_agreement, shared = client_pin._get_shared_secret()
    sealed = protocol.encrypt(shared, SALTS)
    proof = protocol.authenticate(shared, sealed)
    if tamper:
        sealed = sealed[:-1] + bytes([sealed[-1] ^ 1])
    challenge = os.urandom(32)
    param = None
    if pin:
        token = client_pin.get_pin_token(pin, ClientPin.PERMISSION.GET_ASSERTION, RP["id"])
        param = protocol.authenticate(token, challenge)
    assertion = ctap.get_assertion(
        RP["id"],
        challenge,
        extensions={"hmac-secret": {1: key_agreement, 2: sealed, 3: proof, 4: protocol.VERSION}},
        pin_uv_param=param,
        pin_uv_protocol=protocol.VERSION if param else None,
    )
    output = assertion.auth_data.extensions["hmac-secret"]
    assert len(output) == len(sealed), "the output has the size of the sealed salts"
    assert bool(assertion.auth_data.flags & FLAG.UV) == bool(pin)
    return assertion, challenge, protocol.decrypt(shared, output)


def enrol(ctap, root):
    info = ctap.info
    assert info.aaguid == AAGUID and "hmac-secret" in info.extensions, info
    assert info.pin_uv_protocols == [2, 1] and info.options["rk"], info
    assert "U2F_V2" not in info.versions
    assert info.options["clientPin"] is False
    client_pin = ClientPin(ctap)
    client_pin.set_pin(PIN)
    assert ctap.get_info().options["clientPin"] is True

    challenge = os.urandom(32)
    protocol = client_pin.protocol
    token = client_pin.get_pin_token(PIN, ClientPin.PERMISSION.MAKE_CREDENTIAL, RP["id"])
    made = ctap.make_credential(
        challenge,
        RP,
        USER,
        [{"type": "public-key", "alg": -257}, ES256],
        extensions={"hmac-secret": True, "credProtect": 1},
        options={"rk": True},
        pin_uv_param=protocol.authenticate(token, challenge),
        pin_uv_protocol=protocol.VERSION,
    )
    data = made.auth_data
    assert made.fmt == "packed"
    assert data.flags == 0xC5, hex(data.flags)
    assert data.rp_id_hash == sha256(RP["id"].encode())
    assert data.extensions["hmac-secret"] is True, data.extensions
    assert data.credential_data.aaguid == AAGUID
    # The library's own checks of WebAuthn 8.2.1: subject, basic constraints, AAGUID extension, signature.
    result = PackedAttestation().verify(made.att_stmt, data, challenge)
    assert len(result.trust_path) == 1, "the leaf alone"
    verify_x509_chain([result.trust_path[0], root])

    refused(
        CtapError.ERR.CREDENTIAL_EXCLUDED,
        exclude_again,
        ctap,
        data.credential_data.credential_id,
    )

    management = CredentialManagement(
        ctap,
        protocol,
        client_pin.get_pin_token(PIN, ClientPin.PERMISSION.CREDENTIAL_MGMT),
    )
    assert management.get_metadata()[CredentialManagement.RESULT.EXISTING_CRED_COUNT] == 1
    (party,) = management.enumerate_rps()
    assert party[CredentialManagement.RESULT.RP]["id"] == RP["id"]
    return data.credential_data


def exclude_again(ctap, credential_id):
    client_pin = ClientPin(ctap)
    challenge = os.urandom(32)
    token = client_pin.get_pin_token(PIN, ClientPin.PERMISSION.MAKE_CREDENTIAL, RP["id"])
    ctap.make_credential(
        challenge,
        RP,
        USER,
        [ES256],
        exclude_list=[{"type": "public-key", "id": credential_id}],
        options={"rk": True},
        pin_uv_param=client_pin.protocol.authenticate(token, challenge),
        pin_uv_protocol=client_pin.protocol.VERSION,
    )


def assert_secrets(ctap, public_key):
    first, challenge, one = secrets(ctap, PinProtocolV1())
    first.verify(challenge, public_key)
    assert first.user["name"] == USER["name"], "a verified user is told the name"
    _, _, two = secrets(ctap, PinProtocolV2())
    assert one == two, "both protocols carry the same secret"
    assert one[:32] != one[32:], "two salts, two secrets"
    unverified, challenge, without = secrets(ctap, PinProtocolV2(), pin=None)
    unverified.verify(challenge, public_key)
    assert "name" not in unverified.user, "without verification the name is withheld"
    assert without[:32] != two[:32], "the secret without verification is another one"
    for protocol in (PinProtocolV1(), PinProtocolV2()):
        refused(CtapError.ERR.PIN_AUTH_INVALID, secrets, ctap, protocol, tamper=True)
    return one, without


def assert_wrong_pin(ctap):
    client_pin = ClientPin(ctap)
    assert client_pin.get_pin_retries()[0] == 8
    refused(
        CtapError.ERR.PIN_INVALID,
        client_pin.get_pin_token,
        "654321",
        ClientPin.PERMISSION.GET_ASSERTION,
        RP["id"],
    )
    assert client_pin.get_pin_retries()[0] == 7
    client_pin.get_pin_token(PIN, ClientPin.PERMISSION.GET_ASSERTION, RP["id"])
    assert client_pin.get_pin_retries()[0] == 8


def main():
    phase, address, state, root = sys.argv[1:]
    with open(root, "rb") as file:
        root = x509.load_pem_x509_certificate(file.read()).public_bytes(Encoding.DER)
    ctap = Ctap2(device(address))
    if phase == "enrol":
        credential = enrol(ctap, root)
        verified, unverified = assert_secrets(ctap, credential.public_key)
        assert_wrong_pin(ctap)
        kept = {
            "public_key": {str(k): v.hex() if isinstance(v, bytes) else v for k, v in credential.public_key.items()},
            "verified": verified.hex(),
            "unverified": unverified.hex(),
        }
        with open(state, "w") as file:
            json.dump(kept, file)
    else:
        with open(state) as file:
            kept = json.load(file)
        public_key = CoseKey.parse(
            {int(k): bytes.fromhex(v) if isinstance(v, str) else v for k, v in kept["public_key"].items()}
        )
        verified, unverified = assert_secrets(ctap, public_key)
        assert (verified.hex(), unverified.hex()) == (kept["verified"], kept["unverified"]), "secrets changed"
        ClientPin(ctap).change_pin(PIN, "654321")
        refused(
            CtapError.ERR.PIN_INVALID,
            ClientPin(ctap).get_pin_token,
            PIN,
            ClientPin.PERMISSION.GET_ASSERTION,
            RP["id"],
        )
    print("agreed:", phase)


main()
