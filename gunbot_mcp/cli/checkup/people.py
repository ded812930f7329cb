"""How a human is asked: the channels as they are for each client seen, the inbox, and the PIN."""

from collections.abc import Mapping, Sequence
from typing import Any

from gunbot_mcp.approval.pin import SHORTEST, has_pin, may_be_short
from gunbot_mcp.cli.checkup.finding import Finding, Status, broken, note, well
from gunbot_mcp.cli.checkup.patient import Patient
from gunbot_mcp.config import Mode
from gunbot_mcp.errors import clean
from gunbot_mcp.runtime import state_folder
from gunbot_mcp.server.clients import recall
from gunbot_mcp.telling.browser import can_open
from gunbot_mcp.telling.targets import Notice, Targets, scheme_of
from gunbot_mcp.tickets.ways import human_channels, is_open, needs_pin

_PLACES: Mapping[str, str] = {"page": "the approval page", "terminal": "gunbot-mcp approve"}
"""The channels that every client's human has, as places to go to."""
_NAME = 40


async def approval(patient: Patient) -> Finding:
    """Say what goes without asking, then where each client's human decides."""
    settings = patient.settings
    mode = settings.effective_mode
    if mode is Mode.READ_ONLY:
        return well("not needed: the server is read-only")
    if mode is Mode.AUTO and not patient.live:
        return note(
            "mode auto on paper: orders go at once, nobody is asked", "set mode = approve to rehearse the live way"
        )
    places = _places(patient)
    said = "a human decides about every order"
    if mode is Mode.AUTO:
        said = (
            "mode auto: what an active mandate covers goes at once (gunbot-mcp mandate list); a human decides the rest"
        )
    clients = recall(settings)
    if not clients:
        where = f"with {' or '.join(places)}" if places else "but without a PIN in nothing but a client's form"
        return note(
            f"{said}, {where}; no client has connected yet", "gunbot-mcp install CLIENT, then restart the client"
        )
    # The one that connected last stands first.
    parts = tuple(_client(patient, name, facts, places) for name, facts in reversed(list(clients.items())))
    return Finding(Status.WELL, said, parts=parts)


def _places(patient: Patient) -> list[str]:
    """Return where a human can decide now, whichever the client: without a PIN, no such place counts on live."""
    pin_set = has_pin(state_folder(patient.settings))
    found = (row.name for row in human_channels(patient.settings) if row.name in _PLACES)
    return [_PLACES[name] for name in found if pin_set or not needs_pin(name, live=patient.live, pin_set=False)]


def _client(patient: Patient, name: str, facts: Mapping[str, Any], places: Sequence[str]) -> Finding:
    settings, known = patient.settings, bool(facts.get("known", True))
    own: list[str] = []
    aside = ""
    if facts.get("shows_forms") and is_open("form", settings):
        if is_open("form", settings, known=known):
            own.append("its form first")
        else:
            aside = " (not its forms: over HTTP anybody could answer them)"
    leads = ""
    if facts.get("shows_card"):
        if is_open("card", settings, known=known):
            own.append("its ticket card")
        else:
            leads = "its ticket card, which has no buttons and leads to "
    elsewhere = leads + " or ".join(places) if places else ""
    asked = ", then ".join([*own, *([elsewhere] if elsewhere else [])])
    who = f"client {clean(name, _NAME)} ({_offers(facts)})"
    if not asked:
        return note(f"{who}: its human can approve nothing until a PIN is set{aside}", "gunbot-mcp pin")
    only = "" if elsewhere else "; nowhere else until a PIN is set"
    return well(f"{who}: asked in {asked}{aside}{only}")


def _offers(facts: Mapping[str, Any]) -> str:
    offers = [word for word, key in (("forms", "shows_forms"), ("ticket cards", "shows_card")) if facts.get(key)]
    return f"offers {' and '.join(offers) or 'neither forms nor cards'}, protocol {clean(facts.get('protocol'), _NAME)}"


async def inbox(patient: Patient) -> Finding:
    if patient.settings.effective_mode is Mode.READ_ONLY:
        return well("not needed: the server is read-only")
    if not is_open("page", patient.settings):
        return note("approval.page is off, so there is no page to decide on", "set approval.page = true in the config")
    found = await patient.runtime.inbox_url()
    if found is None:
        return well("none runs; gunbot-mcp inbox starts one for all clients")
    return well(f"runs at {found}")


async def notices(patient: Patient) -> Finding | None:
    """Say where it is told that an order waits, and with `--notify` whether a test arrived there."""
    approval = patient.settings.approval
    if not approval.notify and approval.open == "no":
        return note("there is no address, so no test was sent", _ADD) if patient.tries_notices else None
    schemes = [scheme_of(address.get_secret_value()) for address in approval.notify]
    parts: list[Finding] = []
    if approval.open == "browser" and not can_open():
        parts.append(note("open = browser, but there is no screen here", "notify reaches you elsewhere"))
    if patient.tries_notices and schemes:
        test = Notice(title="gunbot-mcp", short=_TEST, full=_TEST)
        wrong = await Targets(approval.notify, full=False).hand_over(test)
        parts += [
            broken(f"address {name}: {why}", "repair approval.notify in the config") for name, why in wrong.items()
        ]
        sent = len(schemes) - len(wrong)
        return Finding(Status.WELL, f"a test was handed over to {sent} of {len(schemes)} addresses", parts=parts)
    said = (
        f"to {', '.join(schemes)}; gunbot-mcp doctor --notify sends a test" if schemes else "the page opens by itself"
    )
    return well(said, *parts)


_TEST = "This is a test of gunbot-mcp doctor: notices arrive. No order waits."
_ADD = "add addresses as approval.notify in the config"


async def pin(patient: Patient) -> Finding:
    folder = state_folder(patient.settings)
    if not has_pin(folder):
        if not patient.live:
            return well("none is set, and paper needs none")
        if patient.settings.effective_mode is Mode.READ_ONLY:
            return well("none is set, and a read-only server needs none")
        return note("none is set, so live orders cannot be approved on the page or in a terminal", "gunbot-mcp pin")
    if patient.live and may_be_short(folder):
        return note(
            f"it was set when fewer than {SHORTEST} characters were allowed, and if it has fewer it does not count on "
            "this live instance",
            "gunbot-mcp pin sets a new one",
        )
    return well("a PIN is set; the page and the terminal ask for it")
