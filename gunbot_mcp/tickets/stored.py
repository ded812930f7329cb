"""What became of a ticket, as a store keeps it: facts as JSON, and back. Pure; the words are made in `outcome.py`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from gunbot_mcp.tickets.channels import Actor
from gunbot_mcp.tickets.content import instant_of, instant_text, money_of, money_text
from gunbot_mcp.tickets.ticket import Certainty, Observation, Reason, ReasonCode


def actor_facts(actor: Actor) -> list[str]:
    return [actor.channel, actor.name]


def actor_of(found: Any) -> Actor:  # noqa: ANN401 - any JSON value
    """Return the actor of stored facts.

    Raises:
        ValueError, TypeError: they are damaged.
    """
    channel, name = found
    return Actor(channel, name)


def reason_facts(reason: Reason) -> dict[str, Any]:
    return {"code": reason.code.value, **({"facts": dict(reason.facts)} if reason.facts else {})}


def reason_of(found: Mapping[str, Any]) -> Reason:
    """Return the reason of stored facts.

    Raises:
        ValueError, KeyError: they are damaged.
    """
    return Reason(ReasonCode(found["code"]), dict(found.get("facts", {})))


def observation_facts(seen: Observation) -> dict[str, Any]:
    facts = {
        "order_ids": list(seen.order_ids),
        "where": seen.where,
        "state": seen.state,
        "certainty": seen.certainty.value,
        "seen_at": None if seen.seen_at is None else instant_text(seen.seen_at),
        "price": money_text(seen.price),
        "order_type": seen.order_type,
        "filled": money_text(seen.filled),
        "average": money_text(seen.average),
        "amount": money_text(seen.amount),
        "filled_at": None if seen.filled_at is None else instant_text(seen.filled_at),
        "since": None if seen.since is None else instant_text(seen.since),
    }
    return {name: value for name, value in facts.items() if value is not None}


def observation_of(found: Mapping[str, Any]) -> Observation:
    """Return the observation of stored facts.

    Raises:
        ValueError, KeyError, TypeError: they are damaged.
    """

    def instant(name: str) -> datetime | None:
        text = found.get(name)
        return None if text is None else instant_of(text)

    return Observation(
        order_ids=tuple(found["order_ids"]),
        where=found["where"],
        state=found.get("state"),
        certainty=Certainty(found["certainty"]),
        seen_at=instant("seen_at"),
        price=money_of(found.get("price")),
        order_type=found.get("order_type"),
        filled=money_of(found.get("filled")),
        average=money_of(found.get("average")),
        amount=money_of(found.get("amount")),
        filled_at=instant("filled_at"),
        since=instant("since"),
    )
