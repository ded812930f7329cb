"""Bring the clients that people really use, with this machine's npm and pip: `tests/clients/install.py FOLDER`.

One virtual environment for each set of frameworks that agree on their dependencies, and one folder of npm packages, by
name and version as `requirements/` says. The tests look where GUNBOT_MCP_TEST_CLIENTS says. What is there already, with
the same requirements, stays.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

REQUIREMENTS = Path(__file__).parent / "requirements"
ENVIRONMENTS = ("one", "two", "adk")
UV = "uv==0.13.9"
"""Resolves and installs 170 packages in seconds, where pip takes minutes."""


def environment() -> dict[str, str]:
    """This process's environment without this project's own pins, which say nothing about the frameworks."""
    found = {name: value for name, value in os.environ.items() if name != "PIP_CONSTRAINT"}
    if "PIP_INDEX_URL" in found:
        found.setdefault("UV_DEFAULT_INDEX", found["PIP_INDEX_URL"])
    return found


def run(*command: str | Path) -> None:
    subprocess.run([str(part) for part in command], env=environment(), stdin=subprocess.DEVNULL, check=True)


def once(folder: Path, *said: Path, install: Callable[[], None]) -> None:
    """Install into a folder, unless it was installed from the same requirements."""
    wanted = hashlib.sha256(b"\n".join(file.read_bytes() for file in said)).hexdigest()
    mark = folder / "installed-from"
    if mark.exists() and mark.read_text(encoding="ascii") == wanted:
        return
    shutil.rmtree(folder, ignore_errors=True)
    install()
    mark.write_text(wanted, encoding="ascii")


def python_clients(folder: Path) -> None:
    boot = folder / "uv"
    uv = boot / "bin" / "uv"
    if not uv.exists():
        venv.create(boot, with_pip=True)
        run(boot / "bin" / "pip", "install", "-q", UV)
    cache = f"--cache-dir={folder / 'cache'}"
    for name in ENVIRONMENTS:
        said, pins = REQUIREMENTS / f"{name}.txt", REQUIREMENTS / f"{name}.pins.txt"
        target = folder / name

        def install(target: Path = target, said: Path = said, pins: Path = pins) -> None:
            run(uv, "venv", "-q", "--no-config", "--python", sys.executable, target)
            python = target / "bin" / "python"
            run(uv, "pip", "install", "-q", "--no-config", cache, "--python", python, "-r", said, "-c", pins)

        once(target, said, pins, install=install)
    shutil.rmtree(folder / "cache", ignore_errors=True)


def npm_clients(folder: Path) -> None:
    said = REQUIREMENTS / "npm.txt"
    lines = (line.partition("#")[0].strip() for line in said.read_text(encoding="utf-8").splitlines())
    packages = [line for line in lines if line]
    # No script of a package is needed: what must be built elsewhere lies beside it as a package of its own.
    options = ("--silent", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts")
    target = folder / "npm"
    once(target, said, install=lambda: run("npm", "install", *options, "--prefix", target, *packages))


def main() -> None:
    folder = Path(sys.argv[1]).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor() as both:
        for done in [both.submit(python_clients, folder), both.submit(npm_clients, folder)]:
            done.result()


if __name__ == "__main__":
    main()
