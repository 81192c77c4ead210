"""A platform that asks for a certificate, over HTTP and live."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from eventyard.core.errors import ConnectionError  # noqa: A004
from eventyard.core.event import Event
from eventyard.settings import settled
from eventyard.transports.base import Commit
from eventyard.transports.websocket import WebSocketTransport
from tests.unit.client.platformserver import PlatformServer

_NOW = dt.datetime.now(dt.UTC)


class Authority:
    """Signs certificates, and leaves them in a folder."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        self.path = self._write(f"{name}.pem", self._signed(name, self._key, ca=True))

    def issue(self, name: str) -> tuple[str, str]:
        """Return the paths of a certificate for this machine, and of its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        certificate = self._write(f"{name}.pem", self._signed(name, key, ca=False))
        return certificate, self._write(f"{name}.key", private)

    def _signed(self, name: str, key: ec.EllipticCurvePrivateKey, *, ca: bool) -> bytes:
        here = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        made = (
            x509.CertificateBuilder()
            .subject_name(_named(name))
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(_NOW - dt.timedelta(hours=1))
            .not_valid_after(_NOW + dt.timedelta(hours=1))
            .add_extension(x509.SubjectAlternativeName([here]), critical=False)
            .add_extension(x509.BasicConstraints(ca, None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        return made.public_bytes(serialization.Encoding.PEM)

    def _write(self, name: str, content: bytes) -> str:
        path = self._folder / name
        path.write_bytes(content)
        return str(path)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("certificates"), "authority")


def server_context(authority):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority.path)
    context.load_cert_chain(*authority.issue("server"))
    context.verify_mode = ssl.CERT_REQUIRED
    return context


async def publish(url, auth):
    reconnect = {"enabled": False}
    made = WebSocketTransport(
        settled(None, url=url, auth=auth, reconnect=reconnect), "me"
    )
    try:
        await made.connect()
        large = Event("a", {"text": "x" * 100_000})
        for number, event in enumerate((Event("a"), large)):
            await made.publish(Commit((event,), f"key-{number}"))
    finally:
        await made.close()


def test_who_has_a_certificate_of_the_authority_comes_in(authority):
    async def come_in():
        async with PlatformServer(tls=server_context(authority)) as server:
            cert, key = authority.issue("client")
            auth = {"type": "mtls", "cert": cert, "key": key, "ca": authority.path}
            await publish(server.url, auth)
            assert [said["type"] for said in server.said].count("publish") == 1
            assert len(server.asked("/api/v1/events")) == 1

    asyncio.run(come_in())


def test_a_certificate_of_somebody_else_opens_nothing(authority, tmp_path):
    async def come_in():
        async with PlatformServer(tls=server_context(authority)) as server:
            cert, key = Authority(tmp_path, "authority").issue("client")
            auth = {"type": "mtls", "cert": cert, "key": key, "ca": authority.path}
            with pytest.raises(ConnectionError):
                await publish(server.url, auth)

    asyncio.run(come_in())


def test_a_server_that_the_authority_did_not_sign_is_told_nothing(authority, tmp_path):
    async def come_in():
        async with PlatformServer(tls=server_context(authority)) as server:
            other = Authority(tmp_path, "other")
            cert, key = authority.issue("client")
            auth = {"type": "mtls", "cert": cert, "key": key, "ca": other.path}
            with pytest.raises(ConnectionError, match="certificate"):
                await publish(server.url, auth)
            assert server.requests == []

    asyncio.run(come_in())
