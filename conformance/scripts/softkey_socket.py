"""The only part that is not python-fido2's own: a CTAPHID connection over a TCP socket.

Each report of 64 bytes travels as it would over USB, so everything above this file is the unmodified library.
"""

import socket

from fido2.hid import CtapHidDevice
from fido2.hid.base import CtapHidConnection, HidDescriptor

REPORT_LENGTH = 64


class SocketConnection(CtapHidConnection):
    def __init__(self, host, port):
        self.socket = socket.create_connection((host, port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def read_packet(self):
        report = b""
        while len(report) < REPORT_LENGTH:
            part = self.socket.recv(REPORT_LENGTH - len(report))
            if not part:
                raise OSError("the key closed the connection")
            report += part
        return report

    def write_packet(self, data):
        assert len(data) == REPORT_LENGTH, len(data)
        self.socket.sendall(data)

    def close(self):
        self.socket.close()


def device(address):
    host, port = address.rsplit(":", 1)
    descriptor = HidDescriptor(
        address, 0x0000, 0x0000, REPORT_LENGTH, REPORT_LENGTH, "Tombolo software key", None
    )
    return CtapHidDevice(descriptor, SocketConnection(host, int(port)))
