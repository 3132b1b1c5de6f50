"""Mutual TLS: workers and controllers accept only peers with a certificate of their authority."""

from dataclasses import dataclass
from pathlib import Path

import grpc

from infadapter_profiles.regular import regular_bytes

KEY, CERTIFICATE, AUTHORITY = "tls.key", "tls.crt", "ca.crt"
"""File names as in a mounted Secret of cert-manager."""
MOST_BYTES = 2**20
"""The largest Secret."""


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
    """Read the files. Raises OSError."""
    names = KEY, CERTIFICATE, AUTHORITY
    return Tls(*(regular_bytes(folder / name, MOST_BYTES) for name in names))


def explained(details: str, tls: Tls | None) -> str:
    """
    Return gRPC's message of a failed connection with advice: a worker that rejects a certificate
    just closes.
    """
    closed = "Socket closed" in details or "Connection reset" in details
    if "CERTIFICATE_VERIFY_FAILED" in details:
        return f"its certificate is not of ours: compare its {CERTIFICATE} with our {AUTHORITY}"
    if "WRONG_VERSION_NUMBER" in details:
        return "it does not speak TLS: start it with --tls, or the server without --worker-tls"
    if closed and tls is not None:
        return f"it closes the connection: compare our {CERTIFICATE} with its {AUTHORITY}"
    if closed:
        return "it closes the connection: a worker with --tls wants a server with --worker-tls"
    return details
