"""What the HTTP library must not log: at DEBUG it writes down the headers of every answer, a token among them."""

import logging

_LIBRARIES = ("httpx2", "httpcore2")
_SAYS_ITSELF = tuple(f"httpcore2.{part}" for part in ("connection", "http11", "http2", "proxy", "socks"))
"""The loggers that write; somebody may have given one of them a level of its own."""


class _Warnings(logging.Filter):
    """Lets warnings and errors through, which are about the library and not about what came over the wire."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= logging.WARNING


_ONLY_WARNINGS = _Warnings()


def keep_headers_out_of_logs() -> None:
    """Keep what is sent and received out of every log, at any level. What Gunbot is asked, the adapter logs itself."""
    for name in (*_LIBRARIES, *_SAYS_ITSELF):
        logging.getLogger(name).addFilter(_ONLY_WARNINGS)
    for name in _LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)
