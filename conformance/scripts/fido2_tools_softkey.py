"""Unmodified fido2-token, fido2-cred and fido2-assert against the software key, and our own client on the same device.

The device is a terminal's far end: libfido2 takes any character device that does not tell its report descriptor for
one with reports of 64 bytes. Behind the near end the reports go to the key's socket, without the report number that
Linux wants before each.

usage: fido2_tools_softkey.py ADDRESS TOMBOLO
"""

import base64
import hashlib
import os
import pty
import select
import socket
import subprocess
import sys
import tempfile
import threading
import tty

REPORT_LENGTH = 64
PIN = "123456"
RP_ID = "login.contoso.com"


class Device:
    """A character device in front of a socket, until it is unplugged."""

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.key = socket.create_connection((host, int(port)))
        self.key.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.near, self.far = pty.openpty()
        tty.setraw(self.near)
        tty.setraw(self.far)
        self.path = os.ttyname(self.far)
        threading.Thread(target=self.carry, daemon=True).start()

    def carry(self):
        out, back = b"", b""
        while True:
            ready, _, _ = select.select([self.near, self.key], [], [])
            if self.near in ready:
                out += os.read(self.near, 4096)
                while len(out) > REPORT_LENGTH:
                    assert out[0] == 0, "the report number comes first"
                    self.key.sendall(out[1 : REPORT_LENGTH + 1])
                    out = out[REPORT_LENGTH + 1 :]
            if self.key in ready:
                back += self.key.recv(4096)
                while len(back) >= REPORT_LENGTH:
                    os.write(self.near, back[:REPORT_LENGTH])
                    back = back[REPORT_LENGTH:]


def tool(device, program, *options, lines=(), pins=1, fails=None):
    """Runs a tool of libfido2. Without a terminal of its own it reads PINs from stdin."""
    with tempfile.NamedTemporaryFile("w", suffix=".in") as parameters:
        parameters.write("".join(f"{line}\n" for line in lines))
        parameters.flush()
        command = [program, *options]
        if lines:
            command += ["-i", parameters.name]
        # The device must not become the terminal of the tool, as it would for the first process of a session.
        done = subprocess.run(
            ["sh", "-c", '"$@"; exit $?', "sh", *command, device.path],
            input=f"{PIN}\n" * pins,
            capture_output=True,
            text=True,
            timeout=60,
            start_new_session=True,
        )
    said = done.stdout + done.stderr
    if fails:
        assert done.returncode != 0 and fails in said, (command, said)
    else:
        assert done.returncode == 0, (command, said)
    return done.stdout.splitlines()


def own(tombolo, device, *options, code=0):
    environment = dict(os.environ, TOMBOLO_PIN=PIN)
    done = subprocess.run(
        [tombolo, "key", options[0], "--hidraw", device.path, *options[1:]],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == code, (options, done.stdout, done.stderr)
    return done.stdout + done.stderr


def b64(data):
    return base64.b64encode(data).decode()


def fresh_hash():
    return b64(hashlib.sha256(os.urandom(16)).digest())


def main():
    address, tombolo = sys.argv[1:]
    device = Device(address)
    said = tool(device, "fido2-token", "-I")
    assert any("hmac-secret" in line and "extension" in line for line in said), said
    tool(device, "fido2-token", "-S", pins=2)

    credentials = []
    for name in ("testuser", "ada"):
        user = b64(name.encode())
        made = tool(
            device, "fido2-cred", "-M", "-h", "-r", "-v",
            lines=(fresh_hash(), RP_ID, f"{name}@contoso.com", user),
        )
        credentials.append(made[4])
        with tempfile.NamedTemporaryFile("w", suffix=".cred") as cred:
            cred.write("".join(f"{line}\n" for line in made))
            cred.flush()
            subprocess.run(["fido2-cred", "-V", "-h", "-v", "-i", cred.name], check=True, stdout=subprocess.DEVNULL)

    salt = b64(bytes([0x11]) * 32)

    def secret(credential, *options, pins=1):
        lines = (fresh_hash(), RP_ID, credential, salt)
        return tool(device, "fido2-assert", "-G", "-h", *options, lines=lines, pins=pins)[-1]

    verified = secret(credentials[0], "-v")
    assert len(base64.b64decode(verified)) == 32
    assert secret(credentials[0], "-v") == verified, "the same salt gives the same secret"
    assert secret(credentials[1], "-v") != verified, "another account has another secret"
    # systemd-cryptenroll's pitfall: enrolled with verification, unlocked without.
    assert secret(credentials[0], pins=0) != verified, "without verification: another secret"
    prf = b64(hashlib.sha256(b"WebAuthn PRF\0" + base64.b64decode(salt)).digest())
    hashed = tool(
        device, "fido2-assert", "-G", "-h", "-v", lines=(fresh_hash(), RP_ID, credentials[0], prf)
    )[-1]
    assert hashed != verified, "what a web page can ask for is not what a sign-in asks for"
    both = tool(device, "fido2-assert", "-G", "-h", "-r", "-v", lines=(fresh_hash(), RP_ID, salt))
    assert verified in both and len(both) == 12, both

    parties = tool(device, "fido2-token", "-L", "-r")
    assert len(parties) == 1 and parties[0].endswith(RP_ID), parties
    held = tool(device, "fido2-token", "-L", "-k", RP_ID)
    assert len(held) == 2, held
    # Ours and theirs see the same, and what one changes the other sees.
    listed = own(tombolo, device, "list")
    assert "testuser@contoso.com" in listed and "ada@contoso.com" in listed, listed
    hexed = base64.b64decode(credentials[1]).hex()
    own(tombolo, device, "rename", hexed, "--name", "grace@contoso.com")
    tool(
        device, "fido2-token", "-S", "-c", "-i", credentials[0],
        "-k", b64(b"testuser"), "-n", "renamed@contoso.com", "-p", "Renamed User",
    )
    listed = own(tombolo, device, "list")
    assert "grace@contoso.com" in listed and "renamed@contoso.com" in listed, listed
    tool(device, "fido2-token", "-D", "-i", credentials[0])
    listed = own(tombolo, device, "list")
    assert "renamed@contoso.com" not in listed, listed
    own(tombolo, device, "delete", hexed)
    assert "no credentials" in own(tombolo, device, "list")
    assert "by hmac-secret" in own(tombolo, device, "info")
    assert device.path in own(tombolo, device, "touch")
    print("agreed: fido2-tools")


main()
