"""What servers of somebody's own need: certificates, and ports."""

import socket
from contextlib import ExitStack
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key


class Certificates:
    """An authority, and what it has issued, as files."""

    def __init__(self, folder: Path) -> None:
        self._authority, self._folder = trustme.CA(), folder
        self.authority = folder / "ca.pem"
        self._authority.cert_pem.write_to_path(self.authority)

    def issue(self, name: str, *hosts: str) -> Path:
        """A key and its certificates in one file, as Java and librdkafka can both read them."""
        issued = self._authority.issue_cert(*hosts, common_name=name)
        key = load_pem_private_key(issued.private_key_pem.bytes(), None)
        file = self._folder / f"{name}.pem"
        chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
        file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + chain)
        return file


def free_port(taken: ExitStack) -> int:
    """A port that is free once `taken` is closed."""
    probe = taken.enter_context(socket.socket())
    probe.bind(("127.0.0.1", 0))
    port: int = probe.getsockname()[1]
    return port
