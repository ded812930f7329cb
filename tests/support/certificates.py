"""Certificates as Gunbots in the field have them, and a recorder behind one."""

import ssl
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from support.recorder import Recorder, recording

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Made:
    """A self-signed certificate: PEM files of it and its key, and its SHA-256 as OpenSSL prints it."""

    certificate: Path
    key: Path
    fingerprint: str


def make(folder: Path, *, common_name: str = "localhost", address: str | None = None, lasts: timedelta = DAY) -> Made:
    """Make a certificate: like the container image's where no address is given, with no subjectAltName."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - 10 * DAY)
        .not_valid_after(now + lasts)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    )
    if address is not None:
        alternative = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))])
        builder = builder.add_extension(alternative, critical=False)
    made = builder.sign(key, hashes.SHA256())
    folder.mkdir(parents=True, exist_ok=True)
    certificate, private = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(Encoding.PEM))
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return Made(certificate, private, made.fingerprint(hashes.SHA256()).hex(":").upper())


@contextmanager
def behind(made: Made, *, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> Generator[Recorder]:
    """Serve a recorder over TLS with that certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = newest
    context.load_cert_chain(made.certificate, made.key)
    with recording(context) as served:
        yield served
