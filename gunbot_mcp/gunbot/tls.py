"""How Gunbot proves that it is Gunbot: by a chain and a name, or by the fingerprint of one certificate.

A fingerprint is looked at when the handshake is done and before the connection is handed to HTTP, so that to another
certificate not one header is sent. `ssl` documents the seam: `SSLContext.sslobject_class`.
"""

import hashlib
import hmac
import logging
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx2

from gunbot_mcp.errors import ConfigInvalid, GatewayUnreachable, clean
from gunbot_mcp.instance import Instance

logger = logging.getLogger(__name__)

SEE_IT = "a human can see it with `gunbot-mcp doctor`"
_EXPIRED, _NOT_YET = 10, 9
_OTHER_NAMES = {62, 64}
"""OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH."""
_NO_TLS_THERE = {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"}


class AnotherCertificate(ssl.SSLCertVerificationError):
    """The other side has another certificate than the one whose fingerprint is configured. Shows neither."""


class Untrusted(GatewayUnreachable):
    """TLS failed: nothing was sent, and the same call would fail again. `certificate`: one was shown, but no good."""

    retryable = False
    certificate = True


def context(instance: Instance) -> bool | ssl.SSLContext:
    """Return what decides whether a certificate is good; True is the system's own trust.

    Raises:
        ConfigInvalid: `ca_file` cannot be read as a certificate.
    """
    if instance.tls_fingerprint:
        return _pinned(bytes.fromhex(instance.tls_fingerprint.replace(":", "")))
    if instance.insecure_skip_verify:
        logger.warning("certificate verification is OFF for %s: anyone in between can read the token", instance.url)
        return False
    if instance.ca_file is None:
        # Loading the trusted certificates takes a while; over plain HTTP a context that trusts nobody is enough.
        plain = instance.url.lower().startswith("http://")
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if plain else True
    try:
        made = ssl.create_default_context(cafile=instance.ca_file.expanduser())
    except (OSError, ssl.SSLError) as exc:
        raise ConfigInvalid(
            f"ca_file {clean(instance.ca_file)} cannot be read as a certificate",
            "it must be a PEM file; this prints Gunbot's: openssl s_client -showcerts -connect HOST:PORT",
        ) from exc
    # The user names this very file. Python 3.13 began to refuse what such home-made certificates leave out.
    made.verify_flags &= ~ssl.VerifyFlags.VERIFY_X509_STRICT
    return made


def extensions(instance: Instance) -> Mapping[str, Any]:
    """Return what a request says of TLS: the name that the certificate is asked and looked at for."""
    return {"sni_hostname": instance.tls_server_name} if instance.tls_server_name else {}


def trusting_anything() -> ssl.SSLContext:
    """Return a context that takes any certificate: to look at one, or to look at it closely."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.options |= ssl.OP_NO_RENEGOTIATION
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    return made


def _pinned(digest: bytes) -> ssl.SSLContext:
    class Pinned(ssl.SSLObject):
        """One connection's TLS, whose handshake fails unless the certificate is the one."""

        def do_handshake(self) -> None:
            super().do_handshake()
            shown = self.getpeercert(binary_form=True) or b""
            if not hmac.compare_digest(hashlib.sha256(shown).digest(), digest):
                raise AnotherCertificate("CERTIFICATE_IS_ANOTHER_ONE")

    made = trusting_anything()
    made.sslobject_class = Pinned
    return made


def refusal(exc: httpx2.TransportError, instance: Instance) -> GatewayUnreachable | None:
    """Return the error of a handshake that failed, with what to do about it; None if it was not that."""
    found = _of_tls(exc) if isinstance(exc, httpx2.ConnectError) else None
    if found is None:
        return None
    if isinstance(found, AnotherCertificate):
        return _untrusted("Gunbot's certificate is another one than tls_fingerprint says; nothing was sent", SEE_IT)
    if isinstance(found, ssl.SSLCertVerificationError):
        return _untrusted(*_of_chain(found.verify_code, instance))
    if (found.reason or "") in _NO_TLS_THERE:
        what = "what answers there does not speak TLS; nothing was sent"
        error = _untrusted(what, "if Gunbot is set to plain http, url begins with http://")
        error.certificate = False
        return error
    return None


def _of_chain(code: int, instance: Instance) -> tuple[str, str]:
    """Return what is wrong with a certificate by OpenSSL's code, and the next step."""
    if code in _OTHER_NAMES:
        name = clean(instance.tls_server_name or urlsplit(instance.url).hostname or "")
        return (
            f"Gunbot's certificate is not for {name}; nothing was sent",
            'set tls_server_name to the name that stands in it (often "localhost"), or tls_fingerprint; ' + SEE_IT,
        )
    if code in {_EXPIRED, _NOT_YET}:
        when = "has expired" if code == _EXPIRED else "is not valid yet"
        return (
            f"Gunbot's certificate {when}; nothing was sent",
            "renew it, or set tls_fingerprint, which asks for no dates; check this machine's clock",
        )
    if instance.ca_file is not None:
        return (
            "Gunbot's certificate is neither the one in ca_file nor signed by it; nothing was sent",
            f"if it was renewed, save the new one in ca_file, or set tls_fingerprint; {SEE_IT}",
        )
    return (
        "Gunbot's certificate is not trusted; nothing was sent",
        f"if it is self-signed, set tls_fingerprint or ca_file; {SEE_IT}",
    )


def _untrusted(message: str, hint: str) -> Untrusted:
    return Untrusted(message, hint, delivered=False)


def _of_tls(exc: BaseException | None) -> ssl.SSLError | None:
    """Return the library's error behind the HTTP library's."""
    while exc is not None and not isinstance(exc, ssl.SSLError):
        exc = exc.__cause__ or exc.__context__
    return exc
