"""What `doctor` says about the way to Gunbot: its certificate, and until when the login is good.

What a certificate is like is shown to a human at a terminal only. A model that was told a fingerprint could talk its
human into pinning it.
"""

from datetime import datetime, timedelta

from gunbot_mcp.cli.checkup.finding import Finding, broken, note, well
from gunbot_mcp.cli.checkup.patient import tls_failure
from gunbot_mcp.errors import GatewayError, clean
from gunbot_mcp.gunbot.certificate import Certificate, presented
from gunbot_mcp.gunbot.expiry import SOON, Credential
from gunbot_mcp.gunbot.tls import AnotherCertificate, Untrusted
from gunbot_mcp.instance import Instance

Row = tuple[bool | None, str, str]
"""Whether it is well (None: worth knowing), what, and the sentence."""

_RENEW = "copy localStorage.jwtToken again from Gunbot's GUI, or run gunbot-mcp setup"


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


async def certificate(instance: Instance, now: datetime) -> Finding:
    """Return what a human should know of a certificate that was just found good."""
    by = f", by {instance.ca_file}" if instance.ca_file else ""
    says = "the certificate is " + ("the one of tls_fingerprint" if instance.tls_fingerprint else f"trusted{by}")
    try:
        shown = await presented(instance)
    except GatewayError:
        return well(says)  # it was good a moment ago; only its last day is not known
    # Where a fingerprint is set, nobody asks for the dates.
    if not instance.tls_fingerprint and shown.expires_at is not None and shown.expires_at - now <= SOON:
        return note(f"{says}, and it expires on {shown.expires_at:%Y-%m-%d}", "renew it in time")
    return well(f"{says}{_until(shown)}")


async def refused(instance: Instance, error: Untrusted, *, at_terminal: bool) -> Finding:
    """Return why TLS failed and what to do; what the certificate is like only `at_terminal`."""
    failure = tls_failure(error)
    pinned = isinstance(failure, AnotherCertificate)
    more = "" if pinned else clean(getattr(failure, "verify_message", "")).rstrip(".")
    says = f"{error.message} ({more})" if more else error.message
    if not at_terminal:
        return broken(says, "to see it, run gunbot-mcp doctor in a terminal window" if pinned else error.hint)
    # A pin's own hint is to run this very command.
    then = "" if pinned else error.hint
    if not error.certificate:
        return broken(says, then)
    try:
        shown = await presented(instance)
    except GatewayError:
        return broken(says, error.hint)
    return broken(
        says,
        then,
        note(
            f"it shows {described(shown)}",
            "if that is what Gunbot's own machine says of it (openssl x509 -noout -fingerprint -sha256 -in "
            f'CERTIFICATE), set tls_fingerprint = "{shown.fingerprint}"; if not, somebody may be in between',
        ),
    )


def described(shown: Certificate) -> str:
    """Return the certificate's fingerprint, names and last day, for a human."""
    names = f", for {', '.join(shown.names)}" if shown.names else ""
    return f"SHA-256 {shown.fingerprint}{names}{_until(shown)}"


def _until(shown: Certificate) -> str:
    return "" if shown.expires_at is None else f", valid until {shown.expires_at:%Y-%m-%d}"


def _days(left: timedelta) -> str:
    return f"in {left.days} day{'' if left.days == 1 else 's'}"
