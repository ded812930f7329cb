"""What must not be seen: the HTTP library logs the headers of every answer at DEBUG, and Gunbot may repeat secrets."""

import logging

_LIBRARIES = ("httpx2", "httpcore2")
_SAYS_ITSELF = tuple(f"httpcore2.{part}" for part in ("connection", "http11", "http2", "proxy", "socks"))
"""The loggers that write; somebody may have given one of them a level of its own."""

_SECRET_LENGTH = 8
"""Shorter ones are not secrets, and occur in every answer."""


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


def without_secrets(content: bytes, secrets: tuple[str, ...]) -> bytes:
    """Mask every secret of ours that Gunbot repeats, before its answer is used anywhere."""
    for secret in secrets:
        if len(secret) >= _SECRET_LENGTH and secret.encode() in content:
            content = content.replace(secret.encode(), b"***")
    return content
