"""Gunbot's bearer token as people keep it: in a file, a setting or a variable, with what copying adds to it."""

import codecs
import os
import shlex
import stat
from pathlib import Path

from gunbot_mcp.errors import ConfigInvalid, clean

_COPY = "copy localStorage.jwtToken again from Gunbot's GUI, and save it alone, as plain text"
_QUOTES = {'"': '"', "'": "'", "`": "`", "\u201c": "\u201d", "\u2018": "\u2019"}
_ENCODINGS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
"""What editors and shells on Windows write at the start of a file."""

_OTHERS = stat.S_IRGRP | stat.S_IWGRP | stat.S_IROTH | stat.S_IWOTH


def is_token(text: str) -> bool:
    """Whether `text` can stand in an Authorization header: printable ASCII in one piece."""
    return text.isascii() and text.isprintable() and text != "" and " " not in text


def read_token(file: Path) -> str:
    """Return the token that a file holds, without a byte order mark and the quotes around it.

    Raises:
        ConfigInvalid: the file cannot be read, or holds something else; says what, and never its content.
    """
    try:
        with file.expanduser().open("rb") as opened:
            _require_private(file, os.fstat(opened.fileno()).st_mode)
            raw = opened.read()
    except (OSError, RuntimeError) as exc:
        reason = getattr(exc, "strerror", None) or type(exc).__name__
        raise ConfigInvalid(
            f"token_file {clean(file)} cannot be read: {reason}", "check the path and its permissions"
        ) from None
    encoding = next((name for mark, name in _ENCODINGS if raw.startswith(mark)), "utf-8")
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError:
        raise ConfigInvalid(f"token_file {clean(file)} is not text", _COPY) from None
    return plain_token(text, f"token_file {clean(file)}")


def _require_private(file: Path, mode: int, system: str = os.name) -> None:
    """Refuse a file that others than its owner may read or write. Windows keeps that elsewhere.

    Raises:
        ConfigInvalid: says what makes it private.
    """
    if system == "posix" and mode & _OTHERS:
        raise ConfigInvalid(
            f"token_file {clean(file)} is open to other users of this machine (mode {stat.S_IMODE(mode):04o})",
            f"make it yours alone: chmod 600 {shlex.quote(clean(file.expanduser()))}",
        )


def plain_token(text: str, where: str) -> str:
    """Return the token in a text, without spaces and quotes around it.

    Raises:
        ConfigInvalid: it is something else; `where` names it in the error.
    """
    token = text.strip()
    if len(token) > 1 and _QUOTES.get(token[0]) == token[-1]:
        token = token[1:-1].strip()
    if is_token(token) and not token.startswith(("{", "[", "GUNBOT_TOKEN=")):
        return token
    raise ConfigInvalid(*_mistake(token, where))


def _mistake(token: str, where: str) -> tuple[str, str]:
    """Return what is wrong with it, and the next step. Says nothing of what is in it."""
    if not token:
        return f"{where} is empty", _COPY
    if token.lower().startswith(("bearer ", "authorization:")):
        return f"{where} holds a whole header", "leave only the token, without Authorization and Bearer"
    if token.startswith("GUNBOT_TOKEN="):
        return f"{where} holds a variable's line", "leave only what stands after the equals sign"
    if token.startswith(("{", "[")):
        return f"{where} holds JSON, not a token", _COPY
    if len(token.splitlines()) > 1:
        return f"{where} has several lines, and a token has one", _COPY
    return f"{where} has characters that no token has", _COPY
