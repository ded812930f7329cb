"""Whatever a checker is told to overlook says why, in words behind it."""

import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(path for room in ("gunbot_mcp", "tests", "scripts", "docs") for path in (ROOT / room).rglob("*.py"))
_IGNORE = re.compile(r"#\s*(?:noqa|type:\s*ignore|pyright:\s*ignore)\b")
_WITH_A_REASON = re.compile(r" - \S")
_OF_A_WHOLE_FILE = re.compile(r"^#\s*(?:pyright:(?!\s*ignore)|ruff:)")


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_ignore_has_its_reason(file: Path) -> None:
    with file.open("rb") as source:
        comments = {
            token.start[0]: token.string
            for token in tokenize.tokenize(source.readline)
            if token.type == tokenize.COMMENT
        }
    silent = [
        f"{line}: {comment}"
        for line, comment in comments.items()
        if ((found := _IGNORE.search(comment)) and not _WITH_A_REASON.search(comment, found.end()))
        # Its reason is the comment on the next line.
        or (_OF_A_WHOLE_FILE.match(comment) and line + 1 not in comments)
    ]
    assert silent == []
