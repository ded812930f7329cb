"""A token is read with what copying adds to it, and anything else in its place is named, never shown."""

import re
import subprocess
from pathlib import Path

import pytest

from gunbot_mcp.config import Instance
from gunbot_mcp.errors import ConfigInvalid
from gunbot_mcp.tokens import is_token

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyIjoiYSJ9.c2lnbmF0dXJl"


def held(file: Path) -> str:
    if file.is_file():
        file.chmod(0o600)
    return Instance(url="https://host", token_file=file).secret()


@pytest.mark.parametrize(
    "content",
    [
        TOKEN.encode(),
        f"  {TOKEN}\r\n\r\n".encode(),
        f'"{TOKEN}"\n'.encode(),
        f"'{TOKEN}'".encode(),
        f"\u201c{TOKEN}\u201d".encode(),
        f"\ufeff{TOKEN}\n".encode(),
        f'\ufeff"{TOKEN}"\r\n'.encode(),
        f"\ufeff{TOKEN}\r\n".encode("utf-16-le"),
        f"\ufeff{TOKEN}\r\n".encode("utf-16-be"),
    ],
)
def test_quotes_a_byte_order_mark_and_line_ends_are_not_part_of_a_token(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(content)
    assert held(tmp_path / "token") == TOKEN


@pytest.mark.parametrize("text", [f'"{TOKEN}"', f" '{TOKEN}' ", TOKEN])
def test_a_token_in_the_settings_may_stand_in_quotes_too(text: str) -> None:
    assert Instance.model_validate({"url": "https://host", "token": text}).secret() == TOKEN
    assert Instance.model_validate({"url": "https://host", "token": " "}).secret() == ""


@pytest.mark.parametrize(
    ("content", "what", "step"),
    [
        (b"", "is empty", "localStorage.jwtToken"),
        (b" \n", "is empty", "localStorage.jwtToken"),
        (b'""', "is empty", "localStorage.jwtToken"),
        (b"\xff\xfe\x00", "is not text", "plain text"),
        (b"\x80\x81", "is not text", "plain text"),
        (f"Bearer {TOKEN}".encode(), "holds a whole header", "without Authorization and Bearer"),
        (f"Authorization: Bearer {TOKEN}".encode(), "holds a whole header", "without Authorization and Bearer"),
        (f"GUNBOT_TOKEN={TOKEN}".encode(), "holds a variable's line", "after the equals sign"),
        (f'{{"token":"{TOKEN}"}}'.encode(), "holds JSON", "save it alone"),
        (f"{TOKEN}\n{TOKEN}".encode(), "has several lines", "save it alone"),
        (f"{TOKEN} x".encode(), "has characters that no token has", "save it alone"),
        ("tökén".encode(), "has characters that no token has", "save it alone"),
    ],
)
def test_what_is_no_token_is_named_with_the_next_step_and_not_shown(
    content: bytes, what: str, step: str, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    with pytest.raises(ConfigInvalid) as caught:
        held(file)
    assert (str(file) in caught.value.message, what in caught.value.message) == (True, True), caught.value.message
    assert step in caught.value.hint
    assert "eyJ" not in str(caught.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o666, 0o620, 0o602])
def test_a_token_file_that_others_can_open_is_refused_with_what_makes_it_private(mode: int, tmp_path: Path) -> None:
    file = tmp_path / "my token"
    file.write_text(TOKEN, encoding="utf-8")
    file.chmod(mode)
    instance = Instance(url="https://host", token_file=file)
    with pytest.raises(ConfigInvalid) as caught:
        instance.secret()
    assert f"{mode:04o}" in caught.value.message
    assert "eyJ" not in str(caught.value)

    fix = re.search(r"chmod 600 '.*my token'", caught.value.hint)
    assert fix is not None
    subprocess.run(fix[0], shell=True, check=True)
    assert instance.secret() == TOKEN


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_token_file_of_its_owner_alone_is_read(mode: int, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN, encoding="utf-8")
    file.chmod(mode)
    assert Instance(url="https://host", token_file=file).secret() == TOKEN


def test_a_token_file_that_is_not_there_or_is_a_folder_is_named(tmp_path: Path) -> None:
    for file in (tmp_path / "none", tmp_path):
        with pytest.raises(ConfigInvalid, match="cannot be read") as caught:
            held(file)
        assert str(file) in caught.value.message
        assert "permissions" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "good"), [("eyJ.a-b_c.d", True), ("", False), ("a b", False), ("a\n", False), ("é", False)]
)
def test_a_token_is_printable_ascii_in_one_piece(*, text: str, good: bool) -> None:
    assert is_token(text) is good
