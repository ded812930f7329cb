"""Tickets, mandates and the ledger's steps, listed: a table for people, JSON for programs."""

import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, cast

import click

from gunbot_mcp.cli.output import printable_json
from gunbot_mcp.cli.screen import columns, say, table
from gunbot_mcp.config import Settings
from gunbot_mcp.domain import decimal_text, grouped
from gunbot_mcp.errors import clean
from gunbot_mcp.guard.desk import Desk
from gunbot_mcp.ledger.rows import Event
from gunbot_mcp.render import instant
from gunbot_mcp.tickets.content import canonical, ticket_of
from gunbot_mcp.tickets.mandate import Mandate, not_for
from gunbot_mcp.tickets.reasons import reason_text
from gunbot_mcp.tickets.seen import seen_line
from gunbot_mcp.tickets.stored import observation_of, reason_of
from gunbot_mcp.tickets.ticket import State, Ticket
from gunbot_mcp.tickets.view import kind_of, seconds_left, ticket_view

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")

_LONGEST = 1_000
_HASH, _DIGITS_OF_A_HASH = re.compile("[0-9a-f]{64}"), 16


def show(
    noun: str, records: Sequence[Mapping[str, Any]], names: Sequence[str], rows: Sequence[Sequence[str]], *, empty: str
) -> Callable[[bool], None]:
    """Return what prints a list: as JSON if asked, `{noun: [record, …]}`, or else as a table of `rows`."""

    def write(as_json: bool) -> None:
        if as_json:
            click.echo(printable_json(json.dumps({noun: list(records)}, indent=2, ensure_ascii=False)))
        elif not rows:
            say(empty)
        else:
            click.echo("\n".join(table(names, rows, columns(sys.stdout))))

    return write


# Tickets


def show_tickets(found: Sequence[Ticket], now: datetime, *, empty: str, as_json: bool) -> None:
    records = [{**ticket_view(one), "seconds_left": _left(one, now)} for one in found]
    rows = [[one.id, _state(one, now), kind_of(one), _order(one)] for one in found]
    show("tickets", records, ("ticket", "state", "kind", "order"), rows, empty=empty)(as_json)


def _left(ticket: Ticket, now: datetime) -> int | None:
    return seconds_left(ticket, now) if ticket.state is State.PENDING else None


def _state(ticket: Ticket, now: datetime) -> str:
    left = _left(ticket, now)
    return ticket.state.value if left is None else f"{ticket.state.value}, {left} s left"


def _order(ticket: Ticket) -> str:
    return ticket.summary if ticket.observed is None else f"{ticket.summary}. {seen_line(ticket.observed)}"


# Mandates


def show_mandates(settings: Settings, found: Sequence[tuple[Mandate, bool]], *, as_json: bool) -> None:
    """List mandates, each with whether it is in force."""
    served = settings.served
    told = [(one, active, not_for(one, live=served.live, url=served.url) if active else None) for one, active in found]
    records = [_mandate_record(one, active=active, against=against) for one, active, against in told]
    rows = [
        [
            one.id,
            _mandate_state(one, active=active),
            _for_which(one),
            f"{one.exchange} {','.join(one.pairs)}",
            f"{grouped(one.spent)} of {grouped(one.max_total)} {one.asset}",
            f"{grouped(one.max_order)} {one.asset}",
            instant(one.expires_at) + (f"; {against}" if against else ""),
        ]
        for one, active, against in told
    ]
    names = ("mandate", "state", "kind", "market", "spent", "per order", "until")
    show("mandates", records, names, rows, empty="no mandates")(as_json)


def _mandate_state(one: Mandate, *, active: bool) -> str:
    return "revoked" if one.revoked_at else ("active" if active else "expired")


def _for_which(one: Mandate) -> str:
    if one.live is None:
        return ""
    return f"LIVE at {one.url}" if one.live else "PAPER"


def _mandate_record(one: Mandate, *, active: bool, against: str | None) -> dict[str, Any]:
    return {
        "id": one.id,
        "state": _mandate_state(one, active=active),
        "counts": active and against is None,
        "why_not": against,
        "live": one.live,
        "url": one.url,
        "exchange": one.exchange,
        "pairs": list(one.pairs),
        "asset": one.asset,
        "max_order": decimal_text(one.max_order),
        "max_total": decimal_text(one.max_total),
        "spent": decimal_text(one.spent),
        "created_at": instant(one.created_at),
        "expires_at": instant(one.expires_at),
        "revoked_at": None if one.revoked_at is None else instant(one.revoked_at),
    }


# The ledger's steps


async def ledger_lines(desk: Desk, ticket: str | None, limit: int) -> Callable[[bool], None]:
    """Read the newest steps; return what prints them. Each names its order where it is shown first."""
    steps = await desk.ledger.events(ticket=ticket, limit=limit)
    orders: dict[str, Ticket | None] = {}
    for step in steps:
        if step.ticket is not None and step.ticket not in orders:
            orders[step.ticket] = _made(step) or await desk.ledger.get(step.ticket)
    named: set[str] = set()
    records: list[dict[str, Any]] = []
    rows: list[list[str]] = []
    several = len({step.instance for step in steps if step.instance}) > 1
    for step in steps:
        order = orders.get(step.ticket or "")
        said = _said(step, order)
        records.append(_step_record(step, order, said))
        first = order is not None and order.id not in named
        named |= {order.id} if order is not None else set()
        what = "; ".join(filter(None, (f"{kind_of(order)}: {order.summary}" if first and order else "", said)))
        where = [step.instance or ""] if several else []
        rows.append(
            [str(step.seq), instant(step.at), *where, step.ticket or "-", step.kind, clean(step.actor, 40), what]
        )
    names = ("step", "when", *(["instance"] if several else []), "ticket", "kind", "by", "what")
    return show("steps", records, names, rows, empty="the ledger is empty" if ticket is None else "no such ticket")


def _made(step: Event) -> Ticket | None:
    """Return the order that a step carries, so that a long list asks for few."""
    found = step.detail.get("content")
    if step.kind != "created" or not isinstance(found, dict):
        return None
    try:
        return ticket_of(canonical(cast("dict[str, Any]", found)))
    except (ValueError, KeyError, TypeError):
        return None  # version 0.1's, or damaged: `--verify` says which


def _step_record(step: Event, order: Ticket | None, said: str) -> dict[str, Any]:
    return {
        "step": step.seq,
        "at": instant(step.at),
        "instance": step.instance,
        "ticket": step.ticket,
        "kind": step.kind,
        "by": str(step.actor),
        "order": None if order is None else order.summary,
        "live": None if order is None else order.live,
        "says": said or None,
        "detail": dict(step.detail),
        "prev": step.prev,
        "hash": step.hash,
    }


def _said(step: Event, order: Ticket | None) -> str:
    """Return what a step says beyond its kind, in words where they are known, else as short JSON."""
    if "content" in step.detail and step.ticket is not None:
        return ""  # the order itself, which stands in the same line
    changes = step.detail.get("set")
    if order is not None and isinstance(changes, dict):
        try:
            return clean(_changed(step, order, cast("dict[str, Any]", changes)), _LONGEST)
        except (ValueError, KeyError, TypeError):
            pass  # version 0.1 wrote other facts
    return (
        clean(printable_json(json.dumps(_short(dict(step.detail)), ensure_ascii=False)), _LONGEST)
        if step.detail
        else ""
    )


def _changed(step: Event, order: Ticket, changes: Mapping[str, Any]) -> str:
    seen = None if changes.get("observed") is None else observation_of(changes["observed"])
    reason = None if changes.get("reason") is None else reason_of(changes["reason"])
    state = State(step.kind) if step.kind in set(State) else order.state
    # As it was at that step: the words for a reason look at the order's state.
    then = replace(order, state=state, reason=reason, observed=seen)
    message = cast("dict[str, Any]", changes.get("answer") or {}).get("message")
    words = (reason_text(then), f"Gunbot: {message!r}" if message else None, seen_line(seen) if seen else None)
    return "; ".join(filter(None, words))


def _short(value: object) -> object:
    """Return a detail without what only the chain needs: hashes are cut, empty members left out."""
    if isinstance(value, dict):
        members = cast("dict[str, object]", value)
        return {name: _short(one) for name, one in members.items() if one not in (None, "", [], {})}
    if isinstance(value, list):
        return [_short(one) for one in cast("list[object]", value)]
    return f"{value[:_DIGITS_OF_A_HASH]}…" if isinstance(value, str) and _HASH.fullmatch(value) else value
