"""What Gunbot answers: that it is there, the login, its clock, what cycles, and the market of each allowed pair."""

import functools
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase

import anyio

from gunbot_mcp.cli.checkup.finding import Finding, Status, broken, note, well
from gunbot_mcp.cli.checkup.patient import Patient
from gunbot_mcp.cli.checkup.sources import origins
from gunbot_mcp.cli.connection import login_rows
from gunbot_mcp.domain import grouped
from gunbot_mcp.errors import GatewayError, GunbotMcpError, Unauthorized
from gunbot_mcp.guard.market import at_once
from gunbot_mcp.limits import Limits

_APART = timedelta(seconds=5)
"""How far two clocks may be apart before somebody is told."""
_ASKED = 12
"""How many books are asked for at most."""
_SAMPLE = 2
"""How many where every pair is allowed."""
_NAMED = 3


async def gateway(patient: Patient) -> Finding:
    status = await patient.status()
    if isinstance(status, Unauthorized):
        return well(f"Gunbot at {patient.settings.served.url} answers")
    if isinstance(status, GunbotMcpError):
        return broken(f"{status.code}: {status.message}", status.hint)
    where = f"Gunbot at {patient.settings.served.url}" if patient.live else "the paper gateway"
    return well(f"{where} answers: {status.get('message', 'no message')}")


async def login(patient: Patient) -> Finding:
    if not patient.live:
        return well("none needed on paper")
    how = _login_from(patient)
    status = await patient.status()
    parts = _until_when(patient)
    if isinstance(status, Unauthorized):
        return broken(f"{status.message} ({how})", status.hint, *parts)
    if isinstance(status, GunbotMcpError):
        return Finding(Status.SKIPPED, f"not known: Gunbot does not answer ({how})", parts=parts)
    return well(f"Gunbot accepts {how}", *parts)


def _until_when(patient: Patient) -> list[Finding]:
    """Return until when the login is good, where it says that."""
    credential = patient.gunbot.credential
    if credential.expires_at is None:
        return []
    kinds = {True: Status.WELL, None: Status.NOTE, False: Status.BROKEN}
    return [Finding(kinds[good], said) for good, _, said in login_rows(credential, patient.clock.now())]


def _login_from(patient: Patient) -> str:
    served = patient.settings.served
    if served.token_file is not None:
        return f"the token in {served.token_file}"
    if served.token_keyring:
        return f"the token in the keyring, {served.token_keyring}"
    last = "token" if served.token.get_secret_value() else "password"
    found = next(
        one
        for one in origins(patient.settings, patient.flags)
        if one.key == f"instances.{patient.settings.name}.{last}"
    )
    return f"the {last} from {found.variable or f'the {found.source}'}"


async def clock(patient: Patient) -> Finding:
    """Compare Gunbot's clock with ours: its answer belongs to some moment between question and answer."""
    before = patient.clock.now()
    millis = await patient.gunbot.server_time()
    after = patient.clock.now()
    try:
        theirs = datetime.fromtimestamp(millis / 1000, tz=UTC)
    except (OverflowError, ValueError, OSError):
        return broken(f"Gunbot says a time that is none: {millis}", "check that the url is Gunbot's")
    apart = theirs - (before + (after - before) / 2)
    seconds = abs(apart.total_seconds())
    if timedelta(seconds=seconds) <= _APART + (after - before) / 2:
        return well(f"Gunbot's clock and this machine's agree ({seconds:.1f} s apart)")
    said = f"Gunbot's clock is {seconds:,.0f} s {'ahead of' if apart > timedelta(0) else 'behind'} this machine's"
    return note(f"{said}: times of orders look wrong", "let both machines set their clocks from the network (NTP)")


async def cycles(patient: Patient) -> Finding:
    keys = (await patient.memory()).keys
    if not keys:
        return note("no pair cycles, so nothing can be traded", "switch a pair on in Gunbot")
    allowed = _allowed(patient.settings.served.limits, keys)
    left = len(allowed) - _NAMED
    named = ", ".join(sorted(allowed)[:_NAMED]) + (f" and {left} more" if left > 0 else "")
    if len(allowed) == len(keys):
        return well(f"{_pairs(len(keys))}: {named}")
    if not allowed:
        return note(
            f"{_pairs(len(keys))}, and the limits allow none of them", "limits.pairs and limits.exchanges in the config"
        )
    return well(f"{_pairs(len(keys))}, of which the limits allow {len(allowed)}: {named}")


def _pairs(count: int) -> str:
    return "1 pair" if count == 1 else f"{count} pairs"


async def market(patient: Patient) -> Finding:
    """Ask for the book of each pair that the limits allow; of a few, where they allow all."""
    rules = patient.settings.served.limits
    keys = (await patient.memory()).keys
    wanted = [*_named_keys(rules), *sorted(_allowed(rules, keys))]
    most = _ASKED if rules.pairs else _SAMPLE
    asked = list(dict.fromkeys(wanted))
    if not asked:
        return Finding(Status.SKIPPED, "not asked: no pair that the limits allow cycles")
    books: dict[str, Finding] = {}

    async def ask(key: str) -> None:
        with anyio.move_on_after(patient.patience):
            books[key] = await _book(patient, key)

    await at_once(*(functools.partial(ask, key) for key in asked[:most]))
    silent = (note(f"{key}: no answer in time", patient.if_silent) for key in asked[:most])
    parts = tuple(books.get(key, late) for key, late in zip(asked[:most], silent, strict=True))
    good = [part.says for part in parts if part.status is Status.WELL]
    said = "; ".join(good[:_NAMED]) or "no order book can be read"
    others = len(good[_NAMED:])
    rest = f"; {len(asked) - most} more not asked" if len(asked) > most else ""
    said += (f"; {others} more have one, too" if others else "") + rest
    return Finding(Status.WELL if good else Status.NOTE, said, parts=parts, summed=True)


async def _book(patient: Patient, key: str) -> Finding:
    try:
        book = await patient.gunbot.order_book(key)
    except GatewayError as exc:
        return note(f"{key}: {exc.message}", "switch the pair on in Gunbot, or take it out of limits.pairs")
    if book.bid is None and book.ask is None:
        return note(f"{key}: its order book is empty", "an order there is refused until Gunbot shows prices")
    bid, ask = ("none" if price is None else grouped(price) for price in (book.bid, book.ask))
    return well(f"{key} bid {bid}, ask {ask}")


def _allowed(rules: Limits, keys: tuple[str, ...]) -> list[str]:
    return [key for key in keys if _is_allowed(rules, key)]


def _is_allowed(rules: Limits, key: str) -> bool:
    exchange, _, pair = key.partition("/")
    if rules.exchanges and exchange not in rules.exchanges:
        return False
    return not rules.pairs or any(fnmatchcase(name, one) for one in rules.pairs for name in (pair, key))


def _named_keys(rules: Limits) -> list[str]:
    """Return the pairs that the limits name in full: these are asked for, also where they do not cycle."""
    found = [f"{on}/{one}" for one in rules.pairs if "/" not in one for on in rules.exchanges]
    found += [one for one in rules.pairs if "/" in one]
    return [key for key in found if "*" not in key and _is_allowed(rules, key)]
