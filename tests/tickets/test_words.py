"""Words are made once: what `sentences.py` and `outcome.py` say stands in no other file, and none reads it back.

So a sentence can change at its source, and nothing else has to.
"""

import ast
import html
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import gunbot_mcp

PACKAGE = Path(gunbot_mcp.__file__).parent
SOURCES = frozenset(PACKAGE / "tickets" / name for name in ("sentences.py", "outcome.py", "reasons.py", "seen.py"))
FROZEN = frozenset({PACKAGE / "ledger" / "version_1.py"})
"""What an earlier version wrote, as data: no sentence of today's."""
NO_SENTENCES = frozenset({"at the market price", "order history"})
"""What everybody calls a market order's price, and the list of filled orders; the tools' descriptions among them."""

COMMAND = re.compile(r"gunbot-mcp \w+")
PROSE = re.compile(r"[A-Za-z]{3,} | [A-Za-z]{3,}")
READERS = frozenset({"startswith", "endswith", "removeprefix", "removesuffix", "partition", "rpartition"}) | frozenset(
    {"split", "replace", "find", "index", "count", "startsWith", "endsWith", "includes", "indexOf"}
)
"""String methods of Python and JavaScript that look for a piece of text."""

NOT_LITERAL = re.compile(r"\[(?:\\.|[^\]\\])*\]|\\[A-Za-z0-9]|\(\?P?<\w+>|\(\?[a-zA-Z:=!<-]+|\{\d+,?\d*\}|[()|^$*+?.]")
JS_COMMENT = re.compile(r"/\*.*?\*/|(?:^|(?<=\s))//[^\n]*", re.DOTALL | re.MULTILINE)
JS_REGEX = re.compile(
    r"(?:^|[(,=:\[!&|?{};]|return)\s*/(?![/*])((?:\\.|\[(?:\\.|[^\]\\])*\]|[^/\\\[\n])+)/", re.MULTILINE
)
JS_STRING = r'("(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|`(?:\\.|[^`\\])*`)'
JS_READ = re.compile(rf"\.({'|'.join(sorted(READERS))})\(\s*{JS_STRING}")
JS_MADE_REGEX = re.compile(rf"\bRegExp\(\s*{JS_STRING}")
TEMPLATE_COMMENT = re.compile(r"<!--.*?-->|\{#.*?#\}|/\*.*?\*/", re.DOTALL)


# What is said


def _flat(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def _strings(tree: ast.AST) -> Iterator[ast.Constant | ast.JoinedStr]:
    """Yield every string of a file that is no docstring; an f-string first whole, then its parts."""
    documents = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant | ast.JoinedStr) and id(node) not in documents:
            yield node


def _text(node: ast.AST) -> str:
    """Return a string, an f-string with 0 for each value in it, or nothing."""
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) or "0" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


SENTENCES = frozenset(
    COMMAND.sub("0", _flat(_text(node)))
    for file in SOURCES
    for node in _strings(ast.parse(file.read_text(encoding="utf-8")))
)
"""Everything that the two files say, however short, with one space for each gap."""
PIECES = frozenset(
    piece.strip()
    for sentence in SENTENCES
    for piece in sentence.split("0")
    if len(piece.strip()) >= 12 and " " in piece.strip()
).difference(NO_SENTENCES)
"""What is long enough to be known again: two words or more, between values and commands."""


# What others say and read


def _repeated(texts: Iterator[str]) -> Iterator[str]:
    for text in map(_flat, texts):
        yield from (f"says {piece!r}" for piece in PIECES if piece in text)


def _read(piece: str) -> Iterator[str]:
    if PROSE.search(piece) and any(piece in sentence for sentence in SENTENCES):
        yield f"looks for {piece!r}"


def _matched(pattern: str) -> Iterator[str]:
    """Tell a regular expression that names words of ours, or that matches a sentence by a word that it names."""
    runs = [re.sub(r"\\(.)", r"\1", run).strip() for run in NOT_LITERAL.sub("\0", pattern).split("\0")]
    words = [run for run in runs if re.search(r"[A-Za-z]{3,}", run)]
    if any(" " in run and run in sentence for run in words for sentence in SENTENCES):
        yield f"matches /{pattern}/"
        return
    try:
        found = re.compile(pattern)
    except re.error:  # JavaScript's own; its words were looked at
        return
    if words and any(found.search(sentence) for sentence in SENTENCES):
        yield f"matches /{pattern}/"


def _of_python(source: str) -> Iterator[str]:
    tree = ast.parse(source)
    yield from _repeated(_text(node) for node in _strings(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In | ast.NotIn):
            yield from _read(_text(node.left))
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or not node.args:
            continue
        first = _text(node.args[0])
        if isinstance(node.func.value, ast.Name) and node.func.value.id == "re":
            yield from _matched(first)
        elif node.func.attr in READERS:
            yield from _read(first)


def _of_script(source: str) -> Iterator[str]:
    code = JS_COMMENT.sub("", source)
    yield from _repeated(iter([code]))
    for found in JS_READ.finditer(code):
        yield from _read(found[2][1:-1])
    for found in JS_REGEX.finditer(code):
        yield from _matched(found[1])
    for found in JS_MADE_REGEX.finditer(code):
        yield from _matched(found[1][1:-1].replace("\\\\", "\\"))


def offences(name: str, source: str) -> set[str]:
    """Return what a file says or reads back of our sentences."""
    if name.endswith(".py"):
        return set(_of_python(source))
    if name.endswith(".js"):
        return set(_of_script(source))
    return set(_repeated(iter([html.unescape(TEMPLATE_COMMENT.sub("", source))])))


def _files() -> Iterator[Path]:
    for file in sorted(PACKAGE.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts and file not in SOURCES | FROZEN:
            yield file


def test_no_other_file_says_a_piece_of_our_sentences_or_reads_one_back() -> None:
    found = [
        f"{file.relative_to(PACKAGE)} {offence}"
        for file in _files()
        for offence in sorted(offences(file.name, file.read_text(encoding="utf-8")))
    ]
    assert found == [], "\n".join(found)


def test_both_files_are_searched_for() -> None:
    assert {"Nothing was sent.", "; the server cannot see it among the open orders"} <= PIECES


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("a.py", 'said = f"It is {state}: " "Nothing was" " sent."'),
        ("a.py", 'WORTH = re.compile(r", (?:worth )?at most [^,]+ with fees$")'),
        ("a.py", 'order = re.search(rf"Cancel order (\\S+) at {price}", summary)'),
        ("a.py", 'cancels = summary.startswith("Cancel order ")'),
        ("a.py", 'if "may still be" in title: pass'),
        ("a.js", 'const title = "Accepted by Gunbot";'),
        ("a.js", "const named = /\\border (\\S+?):? /.exec(summary);"),
        ("a.js", 'const known = new RegExp("^Unknown: \\\\S+ may still");'),
        ("a.js", 'if (summary.startsWith("Cancel order")) return;'),
        ("a.html", "<p>Nothing\n  was sent.</p>"),
        ("a.html", "<h1>Void: this order did not happen</h1>"),
        ("a.css", '.void::after { content: "Nothing was sent."; }'),
    ],
)
def test_the_search_finds_words_that_are_repeated_or_read_back(name: str, source: str) -> None:
    assert offences(name, source)


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("a.py", '"""Nothing was sent."""\n# Nothing was sent.\nsecret = re.compile(r"[a-z]+|(?i:bearer)\\s+\\S+")'),
        ("a.py", 'host.endswith(".localhost") and "order" in columns and name.replace("_", " ")'),
        ("a.py", 'hint.startswith("gunbot-mcp ")'),
        ("a.js", "// Nothing was sent.\nconst time = /^(\\d\\d):(\\d\\d) UTC$/; const half = (a + b) / 2 / order;"),
        ("a.html", "<!-- Nothing was sent. --><p>{{ outcome.title }}</p>"),
    ],
)
def test_the_search_leaves_other_words_alone(name: str, source: str) -> None:
    assert offences(name, source) == set()
