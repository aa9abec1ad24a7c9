"""Unmodified libfido2 against the software key.

The library is called through its public C interface; only `fido_dev_set_io_functions` is given functions
of ours, which carry its reports over a TCP socket instead of a hidraw device.

usage: libfido2_softkey.py LIBRARY ADDRESS
"""

import ctypes
import os
import socket
import sys
from ctypes import (
    CFUNCTYPE,
    POINTER,
    Structure,
    byref,
    c_char_p,
    c_int,
    c_size_t,
    c_ubyte,
    c_uint64,
    c_void_p,
    string_at,
)

REPORT_LENGTH = 64
PIN = b"123456"
RP_ID = b"login.contoso.com"
USER_ID = b"\x0a\x0b\x0c\x0d"
ES256 = -7
EXT_HMAC_SECRET, EXT_CRED_PROTECT = 1, 2
OPT_TRUE, OPT_FALSE = 2, 1
ERR_PIN_INVALID, ERR_NO_CREDENTIALS = 0x31, 0x2E
AAGUID = b"tombolo-softkey1"
SALTS = bytes([0x11]) * 32 + bytes([0x22]) * 32

OPEN = CFUNCTYPE(c_void_p, c_char_p)
CLOSE = CFUNCTYPE(None, c_void_p)
READ = CFUNCTYPE(c_int, c_void_p, POINTER(c_ubyte), c_size_t, c_int)
WRITE = CFUNCTYPE(c_int, c_void_p, POINTER(c_ubyte), c_size_t)


class DevIo(Structure):
    _fields_ = [("open", OPEN), ("close", CLOSE), ("read", READ), ("write", WRITE)]


class Wire:
    """One connection; libfido2 puts a report id of zero before each report that it writes."""

    def __init__(self):
        self.socket = None
        self.io = DevIo(OPEN(self.open), CLOSE(self.close), READ(self.read), WRITE(self.write))

    def open(self, path):
        host, port = path.decode().rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return 1

    def close(self, _handle):
        self.socket.close()

    def read(self, _handle, buffer, length, milliseconds):
        self.socket.settimeout(None if milliseconds < 0 else milliseconds / 1000)
        report = b""
        try:
            while len(report) < length:
                part = self.socket.recv(length - len(report))
                if not part:
                    return -1
                report += part
        except OSError:
            return -1
        ctypes.memmove(buffer, report, length)
        return length

    def write(self, _handle, buffer, length):
        data = string_at(buffer, length)
        assert length == REPORT_LENGTH + 1 and data[0] == 0, (length, data[:1])
        self.socket.sendall(data[1:])
        return length


def load(path):
    lib = ctypes.CDLL(path)
    pointers = """fido_dev_new fido_cred_new fido_assert_new es256_pk_new fido_credman_metadata_new
        fido_cred_aaguid_ptr fido_cred_pubkey_ptr fido_cred_id_ptr fido_cred_x5c_ptr
        fido_assert_hmac_secret_ptr fido_assert_id_ptr"""
    sizes = """fido_cred_pubkey_len fido_cred_id_len fido_cred_x5c_len fido_cred_aaguid_len
        fido_assert_hmac_secret_len fido_assert_id_len fido_assert_count"""
    for name in pointers.split():
        getattr(lib, name).restype = c_void_p
    for name in sizes.split():
        getattr(lib, name).restype = c_size_t
    lib.fido_strerr.restype = lib.fido_cred_fmt.restype = c_char_p
    lib.fido_cred_flags.restype = c_ubyte
    lib.fido_credman_rk_existing.restype = c_uint64
    lib.fido_init(0)
    return lib


class Key:
    def __init__(self, lib, address):
        self.lib = lib
        self.wire = Wire()
        self.dev = c_void_p(lib.fido_dev_new())
        self.ok(lib.fido_dev_set_io_functions(self.dev, byref(self.wire.io)))
        self.ok(lib.fido_dev_open(self.dev, address.encode()))

    def ok(self, status):
        assert status == 0, (hex(status), self.lib.fido_strerr(status))

    def set_pin(self):
        self.ok(self.lib.fido_dev_set_pin(self.dev, PIN, None))

    def retries(self):
        count = c_int()
        self.ok(self.lib.fido_dev_get_retry_count(self.dev, byref(count)))
        return count.value

    def make_credential(self, pin):
        lib, cred = self.lib, c_void_p(self.lib.fido_cred_new())
        challenge = os.urandom(32)
        self.ok(lib.fido_cred_set_type(cred, ES256))
        self.ok(lib.fido_cred_set_clientdata_hash(cred, challenge, c_size_t(32)))
        self.ok(lib.fido_cred_set_rp(cred, RP_ID, b"Contoso"))
        self.ok(
            lib.fido_cred_set_user(
                cred, USER_ID, c_size_t(len(USER_ID)), b"testuser@contoso.com", b"Test User", None
            )
        )
        self.ok(lib.fido_cred_set_extensions(cred, EXT_HMAC_SECRET | EXT_CRED_PROTECT))
        self.ok(lib.fido_cred_set_prot(cred, 1))
        self.ok(lib.fido_cred_set_rk(cred, OPT_TRUE))
        return lib.fido_dev_make_cred(self.dev, cred, pin), cred

    def assertion(self, pin, rp_id=RP_ID):
        lib, assertion = self.lib, c_void_p(self.lib.fido_assert_new())
        challenge = os.urandom(32)
        self.ok(lib.fido_assert_set_clientdata_hash(assertion, challenge, c_size_t(32)))
        self.ok(lib.fido_assert_set_rp(assertion, rp_id))
        self.ok(lib.fido_assert_set_extensions(assertion, EXT_HMAC_SECRET))
        self.ok(lib.fido_assert_set_hmac_salt(assertion, SALTS, c_size_t(len(SALTS))))
        self.ok(lib.fido_assert_set_up(assertion, OPT_TRUE))
        return lib.fido_dev_get_assert(self.dev, assertion, pin), assertion


def main():
    library, address = sys.argv[1:]
    lib = load(library)
    key = Key(lib, address)
    assert lib.fido_dev_is_fido2(key.dev) and not lib.fido_dev_has_pin(key.dev)
    key.set_pin()
    assert lib.fido_dev_has_pin(key.dev) and key.retries() == 8

    status, cred = key.make_credential(PIN)
    key.ok(status)
    assert lib.fido_cred_fmt(cred) == b"packed"
    assert lib.fido_cred_flags(cred) == 0xC5, hex(lib.fido_cred_flags(cred))
    assert string_at(lib.fido_cred_aaguid_ptr(cred), lib.fido_cred_aaguid_len(cred)) == AAGUID
    assert lib.fido_cred_x5c_len(cred) > 0, "a batch certificate, not self attestation"
    key.ok(lib.fido_cred_verify(cred))

    public_key = c_void_p(lib.es256_pk_new())
    key.ok(
        lib.es256_pk_from_ptr(
            public_key,
            c_void_p(lib.fido_cred_pubkey_ptr(cred)),
            c_size_t(lib.fido_cred_pubkey_len(cred)),
        )
    )
    outputs = []
    for pin in (PIN, PIN, None):
        status, assertion = key.assertion(pin)
        key.ok(status)
        assert lib.fido_assert_count(assertion) == 1
        if pin:
            key.ok(lib.fido_assert_set_uv(assertion, OPT_TRUE))
        key.ok(lib.fido_assert_verify(assertion, c_size_t(0), ES256, public_key))
        length = lib.fido_assert_hmac_secret_len(assertion, c_size_t(0))
        assert length == 64, length
        outputs.append(string_at(lib.fido_assert_hmac_secret_ptr(assertion, c_size_t(0)), 64))
    assert outputs[0] == outputs[1], "the same salts give the same secrets"
    assert outputs[0][:32] != outputs[0][32:], "two salts, two secrets"
    assert outputs[0][:32] != outputs[2][:32], "the secret without verification is another one"

    metadata = c_void_p(lib.fido_credman_metadata_new())
    key.ok(lib.fido_credman_get_dev_metadata(key.dev, metadata, PIN))
    assert lib.fido_credman_rk_existing(metadata) == 1

    assert key.assertion(PIN, b"elsewhere.example")[0] == ERR_NO_CREDENTIALS
    assert key.assertion(b"654321")[0] == ERR_PIN_INVALID
    assert key.retries() == 7
    key.ok(key.assertion(PIN)[0])
    assert key.retries() == 8
    key.ok(lib.fido_dev_close(key.dev))
    print("agreed: libfido2")


main()
