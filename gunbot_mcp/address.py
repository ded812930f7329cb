"""Gunbot's address and its certificate's fingerprint as people copy them, and what they meant."""

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

HOST = re.compile(r"[A-Za-z0-9._:-]+")
_PAGE = re.compile(r"\.html?$", re.IGNORECASE)
_SHA256, _SHA1 = 64, 40
_BEFORE = re.compile(r"^(?:sha-?256(?:\s+fingerprint)?)\s*[:=]\s*", re.IGNORECASE)


def address(text: str) -> str:
    """Return Gunbot's address without a slash and `/api/v1` at its end; "" stays "".

    Raises:
        ValueError: says what it is instead, and of a page of Gunbot's GUI the address that was meant.
    """
    if not text:
        return text
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not HOST.fullmatch(parts.hostname or "") or parts.port == 0:
        raise ValueError("must look like https://host:3000")
    if parts.username or parts.password:
        raise ValueError("must be an address only, without credentials, query or fragment")
    if parts.fragment or _PAGE.search(parts.path):
        raise ValueError(f"is a page of Gunbot's GUI; its address alone is {root(parts)}")
    if parts.query:
        raise ValueError("must be an address only, without credentials, query or fragment")
    return text.rstrip("/#?").removesuffix("/api/v1")


def root(parts: SplitResult) -> str:
    """Return scheme, host and port of an address, and nothing else of it."""
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "")


def is_loopback(url: str) -> bool:
    """Return whether an address is this machine's own, whose network nobody else can listen to."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def path_hint(url: str) -> str | None:
    """Return what to try where something else than Gunbot's API answers below an address with a path; else None."""
    parts = urlsplit(url)
    if not parts.path.strip("/"):
        return None
    return f"url has a path; if that is a page of Gunbot's GUI, leave it out: {root(parts)}"


def fingerprint(text: str) -> str:
    """Return a SHA-256 fingerprint as `AB:CD:…`, from what OpenSSL or a browser shows; "" stays "".

    Raises:
        ValueError: it is none, or a SHA-1.
    """
    digits = re.sub(r"[:\s]", "", _BEFORE.sub("", text.strip())).upper()
    if not digits and not text.strip():
        return ""
    if not re.fullmatch(r"[0-9A-F]*", digits) or len(digits) != _SHA256:
        sha1 = " (this one is a SHA-1)" if len(digits) == _SHA1 else ""
        raise ValueError(f"must be a SHA-256 fingerprint, 64 hexadecimal digits{sha1}")
    return ":".join(digits[at : at + 2] for at in range(0, _SHA256, 2))
