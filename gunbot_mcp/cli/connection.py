"""What `doctor` says about the way to Gunbot: its certificate, and until when the login is good.

What a certificate is like is shown to a human at a terminal only. A model that was told a fingerprint could talk its
human into pinning it.
"""

from datetime import UTC, datetime, timedelta

from gunbot_mcp.cli.human import at_terminal
from gunbot_mcp.errors import GatewayError
from gunbot_mcp.gunbot.certificate import Certificate, presented
from gunbot_mcp.gunbot.client import Gunbot
from gunbot_mcp.gunbot.expiry import SOON, Credential
from gunbot_mcp.gunbot.tls import Untrusted
from gunbot_mcp.instance import Instance

Row = tuple[bool | None, str, str]
"""Whether it is well (None: worth knowing), what, and the sentence."""

_RENEW = "copy localStorage.jwtToken again from Gunbot's GUI, or run gunbot-mcp setup"


async def connection_rows(instance: Instance, gunbot: Gunbot, now: datetime | None = None) -> list[Row]:
    """Return what a human should know; nothing where there is no certificate and no token."""
    now = now or datetime.now(UTC)
    rows: list[Row] = []
    if instance.url.startswith("https://") and not instance.insecure_skip_verify:
        rows += await _certificate(instance, gunbot, now)
    try:
        await gunbot.log_in()
    except GatewayError:
        return rows  # the gateway's own row says it
    return [*rows, *login_rows(gunbot.credential, now)]


def login_rows(found: Credential, now: datetime) -> list[Row]:
    """Return until when the login is good."""
    left = found.left(now)
    if found.source == "none":
        return []
    if left is None or found.expires_at is None:
        return [(True, "login", f"by {found.source}; the token does not say until when it is good")]
    until = f"{found.expires_at:%Y-%m-%d}"
    if found.source == "password":
        return [(True, "login", f"by password; this login is good until {until} and is renewed by itself")]
    if left <= timedelta(0):
        return [(False, "login", f"the token of {found.source} expired on {until}: {_RENEW}")]
    if left <= SOON:
        return [(None, "login", f"the token of {found.source} expires on {until}, {_days(left)}: {_RENEW}")]
    return [(True, "login", f"by {found.source}; the token is good until {until}, {_days(left)}")]


async def _certificate(instance: Instance, gunbot: Gunbot, now: datetime) -> list[Row]:
    try:
        shown = await presented(instance)
    except GatewayError:
        return []  # the gateway's own row says it
    if instance.tls_fingerprint:
        if shown.fingerprint == instance.tls_fingerprint:
            return [(True, "certificate", f"the one of tls_fingerprint{_until(shown)}")]
        return [(False, "certificate", f"another one than tls_fingerprint says. {to_a_human(shown)}")]
    try:
        await gunbot.server_time()
    except Untrusted as exc:
        return [(False, "certificate", f"{exc.message}. {to_a_human(shown)}")]
    except GatewayError:
        pass
    if shown.expires_at is not None and shown.expires_at - now <= SOON:
        return [(None, "certificate", f"trusted, and it expires on {shown.expires_at:%Y-%m-%d}: renew it in time")]
    return [(True, "certificate", f"trusted{_until(shown)}")]


def to_a_human(shown: Certificate) -> str:
    """Return what a certificate is like and what to do about it: to a terminal. Elsewhere only how to see it."""
    if not at_terminal():
        return "To see it, run gunbot-mcp doctor in a terminal window"
    return (
        f"It shows {described(shown)}. If that is what Gunbot's own machine says of it (openssl x509 -noout "
        f'-fingerprint -sha256 -in CERTIFICATE), set tls_fingerprint = "{shown.fingerprint}"; if not, somebody may be '
        "in between"
    )


def described(shown: Certificate) -> str:
    """Return the certificate's fingerprint, names and last day, for a human."""
    names = f", for {', '.join(shown.names)}" if shown.names else ""
    return f"SHA-256 {shown.fingerprint}{names}{_until(shown)}"


def _until(shown: Certificate) -> str:
    return "" if shown.expires_at is None else f", valid until {shown.expires_at:%Y-%m-%d}"


def _days(left: timedelta) -> str:
    return f"in {left.days} day{'' if left.days == 1 else 's'}"
