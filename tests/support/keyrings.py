"""Keyrings of the operating system as tests need them: real backends of the library, chosen as a user chooses one."""

import json
import os
import threading
from pathlib import Path

import keyring
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, PasswordDeleteError

FILE = "GUNBOT_TEST_KEYRING"
"""Names the file of `InAFile`, in this process and in children that PYTHON_KEYRING_BACKEND leads here."""


class InAFile(KeyringBackend):
    """Keeps everything in a file, as the desktop's would in its own."""

    priority = 9  # pyright: ignore[reportAssignmentType, reportIncompatibleVariableOverride, reportIncompatibleMethodOverride] - as the library's own docs say

    def get_password(self, service: str, username: str) -> str | None:
        return self._all().get(f"{service}/{username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        self.put(f"{service}/{username}", password)

    def put(self, name: str, password: str) -> None:
        """Do the same, without the library's check that there is a name."""
        Path(os.environ[FILE]).write_text(json.dumps(self._all() | {name: password}), encoding="utf-8")

    def delete_password(self, service: str, username: str) -> None:
        raise PasswordDeleteError(f"{service}/{username}")

    @staticmethod
    def _all() -> dict[str, str]:
        file = Path(os.environ[FILE])
        return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


class Locked(InAFile):
    """Cannot be opened, and says a secret while it says so."""

    said = "locked: eyJhbGciOiJIUzI1NiJ9.a.b"

    def get_password(self, service: str, username: str) -> str | None:
        del service, username
        raise KeyringLocked(self.said)


class Strange(InAFile):
    """Fails in words of its own system, as D-Bus and Windows do, and says a secret while it does so."""

    class DBusErrorResponse(Exception):
        pass

    def get_password(self, service: str, username: str) -> str | None:
        del service, username
        raise self.DBusErrorResponse(Locked.said)

    def set_password(self, service: str, username: str, password: str) -> None:
        del service, username, password
        raise self.DBusErrorResponse(Locked.said)


class Asking(InAFile):
    """Shows its dialogue, and nobody is there; `closed` ends it."""

    closed = threading.Event()

    def get_password(self, service: str, username: str) -> str | None:
        del service, username
        self.closed.wait(60)
        return None


def choose(backend: KeyringBackend) -> None:
    """Make it the process's keyring."""
    keyring.set_keyring(backend)
