"""Unmodified python-fido2 against the software key on a virtual reader of a real pcscd.

PIN, a discoverable credential with hmac-secret, its secrets under both PIN protocols, and what a reader must bear:
requests in chains and replies in pieces.

usage: fido2_pcsc_softkey.py
"""

import os
import sys
import time

# Debian's package; it needs libpcsclite, as pcscd does.
sys.path.append("/usr/lib/python3/dist-packages")

from fido2.ctap import CtapError
from fido2.ctap2 import ClientPin, CredentialManagement, Ctap2
from fido2.ctap2.pin import PinProtocolV1, PinProtocolV2
from fido2.pcsc import CtapPcscDevice

PIN = "123456"
RP = {"id": "login.contoso.com", "name": "Contoso"}
SALTS = bytes([0x11]) * 32 + bytes([0x22]) * 32
ES256 = {"type": "public-key", "alg": -7}


def secrets(ctap, protocol, pin, allow=None):
    client_pin = ClientPin(ctap, protocol)
    key_agreement, shared = client_pin._get_shared_secret()
    sealed = protocol.encrypt(shared, SALTS)
    proof = protocol.authenticate(shared, sealed)
    challenge = os.urandom(32)
    param = None
    if pin:
        token = client_pin.get_pin_token(pin, ClientPin.PERMISSION.GET_ASSERTION, RP["id"])
        param = protocol.authenticate(token, challenge)
    assertion = ctap.get_assertion(
        RP["id"],
        challenge,
        allow_list=allow,
        extensions={"hmac-secret": {1: key_agreement, 2: sealed, 3: proof, 4: protocol.VERSION}},
        pin_uv_param=param,
        pin_uv_protocol=protocol.VERSION if param else None,
    )
    return protocol.decrypt(shared, assertion.auth_data.extensions["hmac-secret"])


def readers():
    """The readers with a key; pcscd takes a moment to notice one, longer where the machine is busy."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        devices = list(CtapPcscDevice.list_devices())
        if devices:
            return devices
        time.sleep(0.1)
    return []


def main():
    devices = readers()
    assert len(devices) == 1, devices
    device = devices[0]
    print("reader:", device)
    ctap = Ctap2(device)
    assert "hmac-secret" in ctap.info.extensions and "U2F_V2" not in ctap.info.versions
    assert bytes(ctap.info.aaguid) == b"tombolo-softkey1"

    client_pin = ClientPin(ctap)
    client_pin.set_pin(PIN)
    ctap = Ctap2(device)
    ids = []
    for number in range(3):
        challenge = os.urandom(32)
        token = client_pin.get_pin_token(PIN, ClientPin.PERMISSION.MAKE_CREDENTIAL, RP["id"])
        made = ctap.make_credential(
            challenge,
            RP,
            {"id": bytes([number]) * 64, "name": f"user{number}@contoso.com", "displayName": "x" * 60},
            [ES256],
            extensions={"hmac-secret": True},
            options={"rk": True},
            pin_uv_param=client_pin.protocol.authenticate(token, challenge),
            pin_uv_protocol=client_pin.protocol.VERSION,
        )
        assert made.auth_data.extensions == {"hmac-secret": True}
        assert made.att_stmt["x5c"], "the reply has a certificate, so it came in pieces"
        ids.append(made.auth_data.credential_data.credential_id)

    # A list of twenty credentials makes a request of more than a thousand bytes: a chain of commands.
    strangers = [{"type": "public-key", "id": os.urandom(60)} for _ in range(7)]
    allow = strangers + [{"type": "public-key", "id": ids[0]}]
    one = secrets(ctap, PinProtocolV1(), PIN, allow)
    two = secrets(ctap, PinProtocolV2(), PIN, allow)
    assert one == two, "both protocols carry the same secrets"
    assert one[:32] != one[32:]
    assert secrets(ctap, PinProtocolV2(), None, allow) != two, "without verification: another secret"
    assert secrets(ctap, PinProtocolV2(), PIN) != two, "the newest account has other secrets"

    token = client_pin.get_pin_token(PIN, ClientPin.PERMISSION.CREDENTIAL_MGMT)
    management = CredentialManagement(ctap, client_pin.protocol, token)
    (party,) = management.enumerate_rps()
    stored = management.enumerate_creds(party[CredentialManagement.RESULT.RP_ID_HASH])
    assert len(stored) == 3, stored

    try:
        client_pin.get_pin_token("000000", ClientPin.PERMISSION.GET_ASSERTION, RP["id"])
        raise AssertionError("a wrong PIN was taken")
    except CtapError as error:
        assert error.code == CtapError.ERR.PIN_INVALID, error
    assert client_pin.get_pin_retries()[0] == 7
    print("agreed: python-fido2 over pcscd")


main()
