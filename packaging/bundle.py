"""Pack the bundle that Claude Desktop installs with a double click: `python packaging/bundle.py FILE.mcpb`.

It holds the source and the manifest; uv, which Claude Desktop brings, installs the dependencies at the first start.
`mcpb validate packaging/mcpb/manifest.json` (npm: @anthropic-ai/mcpb) checks the manifest.
"""

import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
FILES = ("pyproject.toml", "README.md", "LICENSE")


def pack(target: Path) -> None:
    """Write the bundle; the same source gives the same bytes."""
    sources = {name: ROOT / name for name in FILES}
    sources["manifest.json"] = ROOT / "packaging" / "mcpb" / "manifest.json"
    for path in sorted((ROOT / "gunbot_mcp").rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            sources[path.relative_to(ROOT).as_posix()] = path
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, path in sorted(sources.items()):
            bundle.writestr(zipfile.ZipInfo(name), path.read_bytes(), zipfile.ZIP_DEFLATED)


if __name__ == "__main__":
    pack(Path(sys.argv[1]))
