"""Hints by audience: what reaches people names no tool, what reaches a model names no command as if it could run one.

The words of a ticket's fate are tested in `tickets/test_outcome.py`.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import gunbot_mcp
from gunbot_mcp.errors import GunbotMcpError, Hint, LimitExceeded, Unauthorized, error_codes
from gunbot_mcp.render import ERROR_META, REFUSAL_META, error_answer
from gunbot_mcp.tools.inventory import inventory

PACKAGE = Path(gunbot_mcp.__file__).parent
TOOL = re.compile(
    rf"\b(?:{'|'.join(sorted((*(tool.name for tool in inventory()), 'repeat_of'), key=len, reverse=True))})\b"
)
COMMAND = re.compile(r"\bgunbot-mcp [a-z]")
ERRORS = frozenset(cls.__name__ for cls in error_codes().values()) | {"WrongPin", "NotOurs", "NotAllowed", "NoTerminal"}


def _texts(node: ast.AST, names: dict[str, ast.AST], *, people: bool = False) -> str:
    """Return every text in an expression, and in the constants of its file that it names; of a `Hint` one voice."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.Name(id=name) if name in names:
            return _texts(names[name], {}, people=people)
        case ast.Call(func=ast.Name(id="Hint"), args=[model, human]):
            return _texts(human if people else model, names, people=people)
        case _:
            return " ".join(_texts(part, names, people=people) for part in ast.iter_child_nodes(node))


def _constants(tree: ast.Module) -> dict[str, ast.AST]:
    return {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _errors(tree: ast.Module) -> Iterator[ast.Call]:
    """Yield each call in a file that makes an error with a hint."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            called = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            if called in ERRORS and len(node.args) > 1:
                yield node


def _hints() -> Iterator[tuple[str, str, str]]:
    """Yield each hint in the package: its place, its words, and what people read."""
    for file in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        names = _constants(tree)
        for node in _errors(tree):
            said = next((one.value for one in node.keywords if one.arg == "human"), node.args[1])
            yield (
                f"{file.relative_to(PACKAGE)}:{node.lineno}",
                _texts(node.args[1], names),
                _texts(said, names, people=True),
            )


HINTS = tuple(_hints())


def test_no_hint_for_people_names_a_tool() -> None:
    assert len(HINTS) > 100
    assert [place for place, _, human in HINTS if TOOL.search(human)] == []


def test_no_hint_for_people_speaks_of_them_as_of_somebody_else_nor_asks_what_only_their_assistant_can_do() -> None:
    assert [(place, human) for place, _, human in HINTS if re.search(r"\bhumans?\b", human)] == []
    theirs = re.compile(r"(?<!assistant )(?:propose (?:it|one) again|call again|call the tool)")
    assert [(place, human) for place, _, human in HINTS if theirs.search(human)] == []


def test_no_hint_for_a_model_names_a_command_without_the_human_who_runs_it() -> None:
    told = [(place, GunbotMcpError("", hint).for_model) for place, hint, _ in HINTS if COMMAND.search(hint)]
    assert len(told) > 10
    assert [place for place, text in told if "human" not in text] == []


@pytest.mark.parametrize(
    ("hint", "for_model", "command"),
    [
        ("gunbot-mcp pin", "ask the human to run gunbot-mcp pin in a terminal", "gunbot-mcp pin"),
        (
            "gunbot-mcp resolve abcd1234",
            "ask the human to run gunbot-mcp resolve abcd1234 in a terminal",
            "gunbot-mcp resolve abcd1234",
        ),
        ("run gunbot-mcp doctor", "ask the human to run gunbot-mcp doctor", None),
        ("gunbot-mcp tickets --all shows it", "ask the human: gunbot-mcp tickets --all shows it", None),
        ("gunbot-mcp passkey --list shows them", "ask the human: gunbot-mcp passkey --list shows them", None),
        ("make it smaller", "make it smaller", None),
        ("", "", None),
    ],
)
def test_a_command_is_a_persons_to_run(hint: str, for_model: str, command: str | None) -> None:
    error = Unauthorized("no", hint)
    assert (error.for_model, error.for_human, error.command) == (for_model, hint, command)


@pytest.mark.parametrize(
    ("hint", "for_model", "for_human"),
    [
        (Hint.by_human("set limits.max_day.EUR"), "a human can set limits.max_day.EUR", "set limits.max_day.EUR"),
        (Hint.by_human("widen it", "wait, or "), "wait, or a human can widen it", "wait, or widen it"),
        (Hint.propose_again(" now"), "propose it again now", "let your assistant propose it again now"),
        (Hint("a", "b").then(Hint.by_human("c")), "a; a human can c", "b; c"),
    ],
)
def test_a_hint_has_two_voices(hint: Hint, for_model: str, for_human: str) -> None:
    error = LimitExceeded("no", hint)
    assert (error.for_model, error.for_human) == (for_model, for_human)


def test_people_and_models_are_told_their_own_next_step() -> None:
    error = LimitExceeded("too much", "look at get_quote", human="look at the market.")
    answer = error_answer(error, shows_card=True)
    assert answer.text == "limit_exceeded: too much\nNext: look at get_quote"
    assert answer.meta[ERROR_META]["hint"] == "look at get_quote"
    assert answer.meta[REFUSAL_META] == {
        "title": "Beyond one of your limits",
        "lines": ["Too much.", "Look at the market."],
        "command": None,
    }
    assert str(error) == "limit_exceeded: too much (look at the market.)"
    assert REFUSAL_META not in error_answer(error).meta


def test_what_people_are_told_of_a_refusal_holds_no_secret() -> None:
    error = Unauthorized("hush-hush said no", "gunbot-mcp doctor --client hush-hush")
    told = error_answer(error, ("hush-hush",), shows_card=True).meta[REFUSAL_META]
    assert told == {
        "title": "Gunbot did not accept the login",
        "lines": ["[secret] said no."],
        "command": "gunbot-mcp doctor --client [secret]",
    }


def test_every_code_has_a_title_for_people() -> None:
    titles = {code: cls.title for code, cls in error_codes().items()}
    assert len(set(titles.values())) == len(titles)
    assert [title for title in titles.values() if "_" in title] == []


# Texts that are no hints


def _said_in(source: str, *, but: frozenset[str] = frozenset()) -> Iterator[tuple[int, str]]:
    """Yield each text of a file with its line, but no docstring, no error's hint, no argument or constant of `but`."""
    tree = ast.parse(source)
    names = _constants(tree)
    left_out: set[int] = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    others: list[ast.AST] = [names[name] for name in but & set(names)]
    for call in _errors(tree):
        others += [call.args[1], *(one.value for one in call.keywords if one.arg == "human")]
        others += [names[one.id] for one in ast.walk(call.args[1]) if isinstance(one, ast.Name) and one.id in names]
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg in but:
            others.append(node.value)
    left_out |= {id(part) for node in others for part in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr) and id(node) not in left_out:
            left_out |= {id(part) for part in node.values}
            yield (
                node.lineno,
                "".join(str(part.value) if isinstance(part, ast.Constant) else "0" for part in node.values),
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in left_out:
            yield node.lineno, node.value


def _said(*rooms: str, but: frozenset[str] = frozenset()) -> Iterator[tuple[str, str]]:
    for room in rooms:
        place = PACKAGE / room
        for file in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            for line, text in _said_in(file.read_text(encoding="utf-8"), but=but):
                yield f"{file.relative_to(PACKAGE)}:{line}", text


FOR_MODELS = ("arguments.py", "dispatch.py", "endpoints.py", "limits.py", "render.py", "guard", "history", "server")
FOR_PEOPLE = ("approval", "cli", "guard", "history", "telling", "tickets", "web")
PEOPLE_S = frozenset({"command", "lead", "about", "label", "place"})
"""What these arguments hold is for people, or says where something was done: see `Outcome` and `Channel`."""
MODEL_S = frozenset({"_LOOK", "_NEVER_AGAIN"})
"""What these constants hold is told to a model alone, and so is the schema of its queries."""
TYPED = re.compile(r"\bgunbot-mcp (?!itself)[a-z]|\bhistory (?:sync|verify|prune)\b")
"""A command, also one that is named without its program."""


def test_no_text_for_a_model_names_a_command_without_the_human_who_runs_it() -> None:
    told = [(place, text) for place, text in _said(*FOR_MODELS, "tools", "tickets", but=PEOPLE_S) if TYPED.search(text)]
    assert [one for one in told if not re.search(r"\bhumans?\b", one[1])] == []


def test_no_text_for_people_names_a_tool() -> None:
    said = [(place, text) for place, text in _said(*FOR_PEOPLE, but=MODEL_S) if " " in text.strip()]
    assert len(said) > 1000
    assert [one for one in said if TOOL.search(one[1]) and "schema_text.py" not in one[0]] == []


def test_no_page_and_no_card_names_a_tool_but_to_call_it() -> None:
    files = [file for file in PACKAGE.rglob("*") if file.suffix in {".html", ".js"}]
    said = [re.sub(r'\bname: "\w+"', "", file.read_text(encoding="utf-8")) for file in files]
    assert len(files) > 10
    assert [match for text in said for match in TOOL.findall(text)] == []


@pytest.mark.parametrize(
    ("source", "texts"),
    [
        ('"""gunbot-mcp pin."""\nsaid = f"run {x} now"', ["run 0 now"]),
        ('HINT = "run it"\nraise Unauthorized("no", HINT)', ["no"]),
        ('raise Unauthorized("no", "hint", human="other")', ["no"]),
        ('Outcome(title="it is", command=f"gunbot-mcp resolve {x}")', ["it is"]),
    ],
)
def test_the_search_leaves_out_what_has_a_test_of_its_own(source: str, texts: list[str]) -> None:
    assert [text for _, text in _said_in(source, but=PEOPLE_S)] == texts
