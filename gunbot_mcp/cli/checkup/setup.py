"""What is set up: configuration, state folder, TLS, limits, the halt, versions. Nothing here asks Gunbot by itself."""

import importlib.metadata
import os
import platform
import stat
from urllib.parse import urlsplit

from gunbot_mcp import __version__
from gunbot_mcp.cli.checkup.finding import Finding, Status, broken, note, well
from gunbot_mcp.cli.checkup.patient import Patient, tls_failure
from gunbot_mcp.cli.checkup.sources import Origin, origins
from gunbot_mcp.cli.connection import certificate, refused
from gunbot_mcp.config import CONFIG_VARIABLE
from gunbot_mcp.domain import money
from gunbot_mcp.errors import GatewayTimeout, GatewayUnreachable, GunbotMcpError, clean
from gunbot_mcp.guard.halt import halted
from gunbot_mcp.gunbot.tls import Untrusted
from gunbot_mcp.limits import EXITS_ARE_WIDER
from gunbot_mcp.runtime import state_folder

_NAMED = 4
"""How many values of one source are named on the screen; --settings shows them all."""


async def config(patient: Patient) -> Finding:
    found = [one for one in origins(patient.settings, patient.flags) if one.source != "default"]
    file = os.environ.get(CONFIG_VARIABLE, "").strip()
    spoke = [_spoke(source, found) for source in ("flag", "environment", "file")]
    return well("; ".join([file or "no file", *filter(None, spoke), "the rest by default"]))


def _spoke(source: str, found: list[Origin]) -> str:
    names = [one.variable or one.key.removeprefix("instances.") for one in found if one.source == source]
    if not names:
        return ""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"from the {source}: {', '.join(names[:_NAMED])}{more}"


async def state(patient: Patient) -> Finding:
    folder = state_folder(patient.settings)
    if stat.S_IMODE(folder.stat().st_mode) & 0o022:
        return broken(f"{folder} can be written by others, who could then approve or halt", f"chmod go-w {folder}")
    return well(str(folder))


async def tls(patient: Patient) -> Finding:
    served = patient.settings.served
    if not served.live:
        return well("not needed: the paper gateway runs inside this program")
    if urlsplit(served.url).scheme == "http" and not served.allow_insecure_http:
        return well("plain http to this machine only: no network can read the token")
    if urlsplit(served.url).scheme == "http":
        return note("plain http is allowed: the network can read the token", "use https, or an ssh tunnel")
    if served.insecure_skip_verify:
        return note(
            "certificate verification is OFF: anyone in between can read the token",
            "set ca_file, and take insecure_skip_verify out",
        )
    return await _handshake(patient)


async def _handshake(patient: Patient) -> Finding:
    served, status = patient.settings.served, await patient.status()
    if isinstance(status, Untrusted):
        return await refused(served, status, at_terminal=patient.at_terminal)
    if isinstance(status, GunbotMcpError) and (failure := tls_failure(status)) is not None:
        why = clean(getattr(failure, "reason", None) or type(failure).__name__)
        return broken(f"the handshake failed: {why}", status.hint)
    if isinstance(status, GatewayUnreachable | GatewayTimeout):
        return Finding(Status.SKIPPED, "not known: Gunbot does not answer")
    return await certificate(served, patient.clock.now())


async def limits(patient: Patient) -> Finding:
    rules = patient.settings.served.limits
    entries, exits = (
        ", ".join(f"{money(amount)} {asset}" for asset, amount in list(caps.items())[:1]) or "nothing"
        for caps in (rules.max_order, rules.max_exit)
    )
    own = "max_exit" in rules.model_fields_set
    why = "as the config says" if own else f"{EXITS_ARE_WIDER} times as much, since limits.max_exit is not set"
    return well(
        f"per order {entries}, to get out of a risk {exits} ({why}); "
        f"prices within {rules.price_band_percent:f} % of the book; --settings shows all"
    )


async def halt(patient: Patient) -> Finding:
    reason = halted(state_folder(patient.settings))
    if reason is not None:
        return note(f"trading is halted: {reason}", "gunbot-mcp resume ends it")
    return well("trading is not halted")


def versions() -> Finding:
    """Return which versions run here. It needs no settings, so that it can be told where the config is broken."""
    libraries = (f"{name} {importlib.metadata.version(name)}" for name in ("mcp", "SQLAlchemy"))
    return well(f"gunbot-mcp {__version__}, Python {platform.python_version()}, {', '.join(libraries)}")
