"""Certificates for tests, made by OpenSSL."""

import shutil
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Authority:
    """A certificate authority, like a company's own, that signs certificates for 127.0.0.1."""

    folder: Path
    name: str

    @property
    def file(self) -> Path:
        return self.folder / f"{self.name}.pem"

    @property
    def key(self) -> Path:
        return self.folder / f"{self.name}.key"

    def make(self) -> "Authority":
        openssl(*self._request(self.key), "-x509", "-out", self.file)
        return self

    def sign(self, name: str) -> tuple[Path, Path]:
        """Return the files of a new certificate and its key."""
        key, file = self.folder / f"{name}.key", self.folder / f"{name}.pem"
        names = ("-addext", "subjectAltName=IP:127.0.0.1")
        by = ("-CA", self.file, "-CAkey", self.key)
        openssl(*self._request(key), *names, "-x509", *by, "-out", file)
        return file, key

    def serving(self, strict: bool) -> ssl.SSLContext:
        """Return a server's TLS context. `strict`: clients need a certificate of the authority."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.sign("server"))
        if strict:
            context.load_verify_locations(self.file)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def _request(self, key: Path) -> tuple[object, ...]:
        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")
        return ("req", *curve, "-nodes", "-subj", f"/CN={key.stem}", "-days", 2, "-keyout", key)


def openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def a_company(folder: Path) -> Authority:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl on the PATH")
    return Authority(folder, "company").make()
