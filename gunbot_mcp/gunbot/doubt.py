"""Which of Gunbot's errors leave open whether it took the order. The order that one repeats must surely not exist.

That an answer is a *no* is told by its status and shape alone, never by its words: nobody knows Gunbot's. Words only
raise doubt: an error that Gunbot passes on, of a way that broke between it and the exchange, is no answer of the
exchange's. A doubt too many costs a look at the exchange; one too few costs a second order.
"""

import re

_STATUSES = frozenset({408, 409, 425, 429, 499})
"""4xx that speak of time, of load or of a way that ended, not of what was asked."""
_MOST = 20_000
# Words of Gunbot, of Node and of exchanges, none of ours.
_WORDS = (
    r"time[sd]?[\s_-]*out",
    r"deadline",
    r"too long",
    r"\bE(?:TIMEDOUT|SOCKETTIMEDOUT|CONN\w+|PIPE|HOST\w+|NET\w+|AI_AGAIN|NOTFOUND|PROTO)\b",
    r"socket|hang ?up|network|gateway|proxy|cloudflare|unreachable|\b(?:DNS|TLS|SSL)\b",
    r"connect(?:ion|ing|ed|ivity)?\b|disconnect",
    r"unavailable|overload|maintenance|temporar|try again|retry|\bbusy\b",
    r"no (?:response|answer|reply)|not respond|did not answer|abort|interrupt|unexpected|(?:bad|invalid) response",
    r"internal (?:server )?error|server error|<html",
    r"\bunknown\b(?!\W+(?:pair|symbol|market|exchange|asset|coin|currency|order|id|key|field|parameter|type)\b)",
    r"(?:status|code|http|error)\W{1,4}5\d\d\b|\b5\d\d\W+(?:bad|service|internal|server|error)",
    r"\bundefined\b|\[object Object\]",
)
_DOUBT = re.compile("|".join(_WORDS), re.IGNORECASE)


def leaves_open(status: int, answer: bytes) -> bool:
    """Return whether an error of this HTTP status and body leaves open that the order exists."""
    return status in _STATUSES or _DOUBT.search(answer[:_MOST].decode("utf-8", "replace")) is not None
