"""Which tool somebody meant who named one that is not there. Pure.

Whoever follows the guess must not do the opposite: a name that sounds like placing is never answered with a cancel, nor
the other way round, nor a buy with a sell. A name that sounds like none of these gets a read, or no guess.
"""

import difflib
import re
from collections.abc import Iterable, Mapping

from gunbot_mcp.domain import Effect
from gunbot_mcp.tools.tool import AnyTool

_VERBS: Mapping[str, Effect] = {
    **dict.fromkeys(("buy", "sell", "close", "place", "create", "submit", "send", "new", "put", "make"), Effect.ORDER),
    **dict.fromkeys(("cancel", "delete", "remove", "kill", "abort"), Effect.CANCEL),
    **dict.fromkeys(("get", "list", "show", "find", "read", "query", "fetch"), Effect.READ),
    "withdraw": Effect.LOCAL,
}
_OWN = frozenset({"buy", "sell", "close"})
"""Verbs that begin the names of tools: such a name means one of those, and no other."""
_DONE_WITH: Mapping[Effect, str] = {Effect.ORDER: "placed", Effect.CANCEL: "cancelled"}
_ALIKE, _A_TYPO = 0.6, 0.75
"""How alike names must be; an order's, as much as a word that was mistyped."""


def guess(name: str, tools: Iterable[AnyTool]) -> str:
    """Return the hint for an unknown name: the nearest tool of the kind that it sounds like, or where to look."""
    verb = next((verb for word in _words(name) if (verb := _verb(word)) is not None), None)
    kind = Effect.READ if verb is None else _VERBS[verb]
    fitting = [
        tool.name for tool in tools if tool.effect is kind and (verb not in _OWN or tool.name.startswith(f"{verb}_"))
    ]
    near = difflib.get_close_matches(name, fitting, n=1, cutoff=_A_TYPO if kind is Effect.ORDER else _ALIKE)
    if near:
        return f"did you mean {near[0]}?"
    if kind in _DONE_WITH and fitting:
        return f"orders are {_DONE_WITH[kind]} with " + ", ".join(fitting)
    return "tools/list names all tools"


def _words(name: str) -> list[str]:
    """Return the words of `place_order`, `placeOrder`, `place order`."""
    return [word for word in re.split(r"[^a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()) if word]


def _verb(word: str) -> str | None:
    near = difflib.get_close_matches(word, _VERBS, n=1, cutoff=_A_TYPO)
    # `buylimit` is one word.
    return near[0] if near else next((verb for verb in _VERBS if word.startswith(verb)), None)
