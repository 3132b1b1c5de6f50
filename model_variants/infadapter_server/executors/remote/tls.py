"""Mutual TLS: workers and controllers obey and trust only who has a certificate of theirs."""

from dataclasses import dataclass
from pathlib import Path

import grpc

KEY, CERTIFICATE, AUTHORITY = "tls.key", "tls.crt", "ca.crt"
"""As in a Secret of cert-manager's, mounted."""


@dataclass(frozen=True, slots=True)
class Tls:
    key: bytes
    certificate: bytes
    authority: bytes

    def of_server(self) -> grpc.ServerCredentials:
        pairs = [(self.key, self.certificate)]
        return grpc.ssl_server_credentials(pairs, self.authority, require_client_auth=True)

    def of_client(self) -> grpc.ChannelCredentials:
        return grpc.ssl_channel_credentials(self.authority, self.key, self.certificate)


def read_tls(folder: Path) -> Tls:
    """Raises OSError."""
    return Tls(*((folder / name).read_bytes() for name in (KEY, CERTIFICATE, AUTHORITY)))
