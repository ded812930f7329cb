"""A PIN as an earlier release kept it."""

import hashlib
import json
from base64 import b64decode, b64encode
from pathlib import Path

from gunbot_mcp.approval.pin import set_pin


def old_pin(folder: Path, pin: str) -> None:
    """Keep a PIN as release 0.1 did, which took four characters and did not say so."""
    set_pin(folder, "a long one")
    path = folder / "pin.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    del record["at_least"]
    salt = b64decode(record["salt"])
    key = hashlib.scrypt(pin.encode(), salt=salt, n=record["n"], r=8, p=1, maxmem=2**27, dklen=32)
    path.write_text(json.dumps({**record, "key": b64encode(key).decode()}), encoding="utf-8")
