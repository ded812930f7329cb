"""What the operator is told of requests that reach the public side under another Host than the public url's.

Whoever asks is told nothing. A proxy that rewrites Host is refused on every request, and its owner would not learn why.
"""

from collections.abc import Callable, Sequence

from gunbot_mcp.errors import clean

_LONGEST = 100
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})


class WrongHosts:
    """Tells of each kind of a wrong Host once: a stranger's thousand requests fill no log.

    `tell` gets a line for the operator, with nothing in it that a terminal would obey.
    """

    def __init__(self, url: str, tell: Callable[[str], None]) -> None:
        self._host = url.removeprefix("https://")
        self._tell = tell
        self._told: set[str] = set()

    def refused(self, named: Sequence[str]) -> None:
        """Take the Host headers of a request that was refused."""
        kind = self._kind(named)
        if kind in self._told:
            return
        self._told.add(kind)
        came = " and ".join(f"Host {clean(one, _LONGEST)!r}" for one in named[:2]) or "no Host at all"
        self._tell(
            f"A request to the public side came with {came}, and was refused. Let your proxy pass on "
            f'"Host: {self._host}" (nginx: proxy_set_header Host {self._host}; Caddy passes it on by itself). '
            "If that is not the address that you open, set approval.public_url in the config to the one that you do."
        )

    def _kind(self, named: Sequence[str]) -> str:
        if len(named) != 1:
            return "several" if named else "none"
        name = _name(named[0])
        if name in _LOOPBACK:
            return "the proxy's own way to us"
        return "our name, written otherwise" if name == _name(self._host) else "another name"


def _name(host: str) -> str:
    before, colon, port = host.lower().rpartition(":")
    return before if colon and port.isdecimal() else host.lower()
