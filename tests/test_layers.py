"""Imports point one way, and what starts a server loads nothing that it does not need."""

import ast
import graphlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import gunbot_mcp

PACKAGE = Path(gunbot_mcp.__file__).parent
LAYERS = (
    "__init__",
    "errors",
    "domain",
    "clock",
    "files",
    "command",
    "tokens",
    "exchanges",
    "hints",
    "arguments",
    "endpoints",
    "limits",
    "address",
    "instance",
    "config",
    "reload",
    "whereabouts",
    "schema",
    "render",
    "gunbot",
    "tickets",
    "ledger",
    "guard",
    "approval",
    "telling",
    "history",
    "tools",
    "dispatch",
    "loopback",
    "paper",
    "runtime",
    "web",
    "server",
    "cli",
    "__main__",
)
"""Each may import itself and what stands before it."""
FILES = sorted(PACKAGE.rglob("*.py"))


def _layer(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _files_imported(file: Path) -> set[Path]:
    """Return the files that a file imports anywhere, but no package's face, which only hands names on."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("gunbot_mcp"):
            found |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
    paths = {PACKAGE.parent.joinpath(*name.split(".")).with_suffix(".py") for name in found}
    return {path for path in paths if path.is_file()}


def test_no_files_import_each_other_in_a_circle() -> None:
    graphlib.TopologicalSorter({file: _files_imported(file) for file in FILES}).prepare()


def _imported(file: Path) -> set[str]:
    """Return the layers that a file imports anywhere: at its top, inside a function, for types only."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} imports relatively"
            module = node.module or ""
            found |= {f"{module}.{alias.name}" for alias in node.names} if module == "gunbot_mcp" else {module}
    ours = [name.split(".") for name in found if name.split(".")[0] == "gunbot_mcp"]
    # `from gunbot_mcp import __version__` is the package itself.
    return {parts[1] if len(parts) > 1 and parts[1] in LAYERS else "__init__" for parts in ours}


def test_every_module_has_its_layer() -> None:
    assert {_layer(file) for file in FILES} <= set(LAYERS)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_imports_point_up_the_list_only(file: Path) -> None:
    own = LAYERS.index(_layer(file))

    assert sorted(name for name in _imported(file) if LAYERS.index(name) > own) == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_a_file_stays_readable(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 410


def test_only_the_adapter_speaks_http_to_gunbot() -> None:
    speaking = {
        str(file.relative_to(PACKAGE))
        for file in FILES
        if "AsyncClient(" in file.read_text(encoding="utf-8") or "httpx2.get(" in file.read_text(encoding="utf-8")
    }

    # The demo moves the paper market's price, as the exchange would, and servers ask an inbox on this machine for its
    # proof: neither is Gunbot's API.
    assert speaking == {"gunbot/client.py", "cli/demo.py", "approval/inbox.py"}


def test_the_top_edges_alone_catch_everything() -> None:
    catching = {
        str(file.relative_to(PACKAGE))
        for file in FILES
        if re.search(r"except Exception\b", file.read_text(encoding="utf-8"))
    }

    # A keyring's backend raises whatever its system does, in a thread of its own.
    # A notice goes through any library of any service, in a thread whose traceback could show a secret address.
    # From the POST on, no fault may take the place of the ticket in the answer: that order would be placed again.
    edges = {"dispatch.py", "cli/__init__.py", "guard/sending.py", "server/edge.py", "telling/targets.py"}
    edges |= {"gunbot/keychain.py"}
    assert catching <= edges


START = """
import sys
import gunbot_mcp.cli, gunbot_mcp.cli.serve, gunbot_mcp.server.stdio
from gunbot_mcp.config import load
from gunbot_mcp.runtime import Runtime
from gunbot_mcp.server.app import build_server
build_server(Runtime(load()))
heavy = ("sqlalchemy", "duckdb", "rich", "asyncpg", "jinja2", "webauthn", "apprise", "requests", "vl_convert")
heavy += ("keyring", "filelock", "ruamel", "empyrical", "numpy", "pandas")  # the SDK itself loads the others
print(*[name for name in heavy if name in sys.modules])
"""


def test_listing_tools_loads_no_heavy_library() -> None:
    done = subprocess.run(
        [sys.executable, "-c", START], capture_output=True, text=True, check=True, cwd=PACKAGE.parent, timeout=60
    )

    assert done.stdout.split() == []
