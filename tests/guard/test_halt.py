"""The kill switch fails to the safe side."""

import os
from pathlib import Path

import pytest

from gunbot_mcp.errors import ConfigInvalid
from gunbot_mcp.guard.halt import halt, halted, resume


def test_nothing_is_halted_where_nobody_halted(tmp_path: Path) -> None:
    assert halted(tmp_path) is None
    assert halted(tmp_path / "none") is None
    assert not resume(tmp_path)


def test_a_halt_keeps_its_reason_until_it_is_resumed(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    halt(folder, "the market is mad\x1b[31m\n")
    assert halted(folder) == "the market is mad [31m"
    halt(folder, "still mad")
    assert halted(folder) == "still mad"
    assert [path.name for path in folder.iterdir()] == ["HALT"]
    assert resume(folder)
    assert halted(folder) is None


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe", b"x" * 100_000])
def test_any_file_of_that_name_halts(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "HALT").write_bytes(content)
    assert halted(tmp_path)


def test_whatever_is_no_plain_file_halts_and_is_never_waited_for(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / str(number)).mkdir()
    (tmp_path / "0" / "HALT").mkdir()
    (tmp_path / "1" / "HALT").symlink_to("nowhere")
    os.mkfifo(tmp_path / "2" / "HALT")
    for number in range(3):
        assert "not a plain file" in (halted(tmp_path / str(number)) or "")
    halt(tmp_path / "0", "again")
    assert halted(tmp_path / "0")


def test_a_folder_that_cannot_be_read_halts(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("", encoding="ascii")
    assert "cannot be read" in (halted(tmp_path / "state") or "")


def test_a_halt_or_resume_that_does_not_work_is_told(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("", encoding="ascii")
    with pytest.raises(ConfigInvalid, match="sending is not stopped"):
        halt(tmp_path / "state", "please")
    (tmp_path / "HALT").mkdir()
    with pytest.raises(ConfigInvalid, match="still halted"):
        resume(tmp_path)
