"""The certificate that Gunbot shows, for a human to look at: nothing is sent, no token, no header."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

import anyio
from anyio.streams.tls import TLSAttribute, TLSStream
from cryptography import x509

from gunbot_mcp.errors import GatewayUnreachable, clean
from gunbot_mcp.gunbot.failures import unreachable
from gunbot_mcp.gunbot.tls import trusting_anything
from gunbot_mcp.instance import Instance

_HTTPS = 443
_NAMES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What it says of itself; nothing of it is proven but that the other side has its key.

    `fingerprint` is the SHA-256 in the form of `tls_fingerprint`. `names` and `expires_at` are empty and None where
    they cannot be read.
    """

    fingerprint: str
    names: tuple[str, ...] = ()
    expires_at: datetime | None = None


async def presented(instance: Instance) -> Certificate:
    """Return the certificate of an https instance, whatever it is worth. For a human's eyes only.

    Raises:
        GatewayUnreachable: there is no connection, or no TLS, within `connect_timeout`.
    """
    parts = urlsplit(instance.url)
    host, name = parts.hostname or "", instance.tls_server_name or parts.hostname or ""
    try:
        with anyio.fail_after(instance.connect_timeout):
            stream = await anyio.connect_tcp(host, parts.port or _HTTPS)
            try:
                secured = await TLSStream.wrap(
                    stream, hostname=name, ssl_context=trusting_anything(), standard_compatible=False
                )
                der = secured.extra_attributes[TLSAttribute.peer_certificate_binary]()
            finally:
                await stream.aclose()
    except (OSError, TimeoutError, anyio.BrokenResourceError, anyio.EndOfStream):  # an SSLError is an OSError
        raise unreachable() from None
    if der is None:
        raise GatewayUnreachable("Gunbot shows no certificate", "check url and port", delivered=False)
    return read(der)


def read(der: bytes) -> Certificate:
    """Return what a certificate says of itself; foreign text in it is made safe to show."""
    fingerprint = hashlib.sha256(der).hexdigest().upper()
    pairs = ":".join(fingerprint[at : at + 2] for at in range(0, len(fingerprint), 2))
    try:
        found = x509.load_der_x509_certificate(der)
        names = _names(found)
        return Certificate(fingerprint=pairs, names=names, expires_at=found.not_valid_after_utc)
    except (ValueError, TypeError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return Certificate(fingerprint=pairs)


def _names(found: x509.Certificate) -> tuple[str, ...]:
    """Return the names that it is for; those of its subject only where no others are given, as TLS does it."""
    try:
        given = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        subject = found.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        return tuple(clean(one.value, 80) for one in subject[:_NAMES])
    dns = given.get_values_for_type(x509.DNSName)
    addresses = map(str, given.get_values_for_type(x509.IPAddress))
    return tuple(clean(one, 80) for one in [*dns, *addresses][:_NAMES])
