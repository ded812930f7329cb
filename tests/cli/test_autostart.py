"""`inbox --install`: what is written where, that it says the same back, and that nothing else is touched."""

import os
import plistlib
import shlex
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

import pytest

from gunbot_mcp.cli import run
from gunbot_mcp.cli.autostart import Autostart, autostart, install, uninstall
from gunbot_mcp.errors import ConfigInvalid

WORDS = ['/opt/it\'s 100% $HOME "here"/gunbot-mcp', "inbox", "--port", "8717"]
ENVIRONMENT = {"GUNBOT_MCP_CONFIG": '/home/a user/it\'s 5% \\ "mine".toml'}


PLAIN = ["/opt/a folder, 100% $HOME/gunbot-mcp", *WORDS[1:], 'its "$HOME"']
"""What systemd takes: it starts no program under a path with quotes."""


def made(home: Path, platform: str) -> Autostart:
    return autostart(PLAIN if platform == "linux" else WORDS, ENVIRONMENT, home=home, platform=platform, uid=501)


class System:
    """Stands in for the system's own commands: notes them, and fails at one if it is told to."""

    def __init__(self, fails: str = "") -> None:
        self.ran: list[str] = []
        self._fails = fails

    def run(self, command: Sequence[str]) -> "subprocess.CompletedProcess[str]":
        line = shlex.join(command)
        self.ran.append(line)
        failed = bool(self._fails) and self._fails in line
        return subprocess.CompletedProcess(command, int(failed), "", "no bus\x1b[31m" if failed else "")


def test_a_systemd_unit_starts_it_at_login_and_again_when_it_fails(tmp_path: Path) -> None:
    how = made(tmp_path, "linux")
    assert how.file == tmp_path / ".config/systemd/user/gunbot-mcp-inbox.service"
    lines = how.text.splitlines()
    told = 'ExecStart="/opt/a folder, 100%% $HOME/gunbot-mcp" "inbox" "--port" "8717" "its \\"$$HOME\\""'
    assert told in lines
    assert 'Environment="GUNBOT_MCP_CONFIG=/home/a user/it\'s 5%% \\\\ \\"mine\\".toml"' in lines
    assert "Restart=on-failure" in lines
    assert how.start[-1] == ("systemctl", "--user", "enable", "--now", "gunbot-mcp-inbox.service")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="only systemd itself can judge its unit")
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    # It wants to find the program, under a path with everything in it that its own syntax knows.
    program = tmp_path / Path(PLAIN[0]).relative_to("/")
    program.parent.mkdir(parents=True)
    program.symlink_to(sys.executable)
    words = [str(program), *PLAIN[1:]]
    how = autostart(words, ENVIRONMENT, home=tmp_path, platform="linux", uid=501)
    install(how, System().run)
    found = subprocess.run(
        ["systemd-analyze", "--user", "--no-pager", "verify", str(how.file)],
        env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (found.returncode, [line for line in found.stderr.splitlines() if how.file.name in line]) == (0, [])


@pytest.mark.parametrize("program", [WORDS[0], "/opt/a\\b/gunbot-mcp"])
def test_no_unit_is_written_for_a_program_that_systemd_would_not_start(tmp_path: Path, program: str) -> None:
    with pytest.raises(ConfigInvalid, match="quotes or backslashes"):
        autostart([program, "inbox"], {}, home=tmp_path, platform="linux", uid=501)


def test_a_launchd_agent_says_the_same_words(tmp_path: Path) -> None:
    how = made(tmp_path, "darwin")
    said = plistlib.loads(how.text.encode())
    assert (said["ProgramArguments"], said["EnvironmentVariables"]) == (WORDS, ENVIRONMENT)
    assert how.file.parent == tmp_path / "Library/LaunchAgents"
    assert how.start == (("launchctl", "bootstrap", "gui/501", str(how.file)),)


def test_a_windows_task_says_the_same_words(tmp_path: Path) -> None:
    how = made(tmp_path, "win32")
    space = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"
    arguments = ET.fromstring(how.text).findtext(f".//{space}Arguments")
    assert arguments is not None
    assert "'/opt/it''s 100% $HOME \\\"here\\\"/gunbot-mcp'" in arguments
    assert how.start[0][:4] == ("schtasks", "/Create", "/F", "/TN")


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_what_was_installed_is_removed_and_nothing_else(tmp_path: Path, platform: str) -> None:
    how, system = made(tmp_path, platform), System()
    how.file.parent.mkdir(parents=True)
    other = how.file.with_name("other")
    other.write_text("mine", encoding="utf-8")
    install(how, system.run)
    install(how, system.run)
    assert how.file.read_text(encoding="utf-8") == how.text
    assert uninstall(how, system.run)
    assert not uninstall(how, system.run)
    assert [one.name for one in how.file.parent.iterdir()] == ["other"]
    assert system.ran == [*map(shlex.join, how.start), *map(shlex.join, how.start), *map(shlex.join, how.stop)]


def test_a_system_that_refuses_is_told_with_the_command_to_run(tmp_path: Path) -> None:
    how = made(tmp_path, "linux")
    with pytest.raises(ConfigInvalid) as raised:
        install(how, System(fails="enable").run)
    assert "no bus" in raised.value.message
    assert "\x1b" not in str(raised.value)
    assert raised.value.hint == "systemctl --user enable --now gunbot-mcp-inbox.service"

    def missing(command: Sequence[str]) -> "subprocess.CompletedProcess[str]":
        raise FileNotFoundError(2, "No such file or directory", command[0])

    with pytest.raises(ConfigInvalid, match="nothing is started"):
        install(how, missing)
    assert uninstall(how, missing)


def test_a_path_with_a_line_break_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid):
        autostart(["/a\nExecStartPre=/bin/evil"], {}, home=tmp_path, platform="linux", uid=1)


def test_print_shows_it_and_writes_nothing(
    clean_environment: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["inbox", "--print"]) == 0
    shown = capsys.readouterr().out
    assert f"GUNBOT_MCP_HOME={clean_environment}" in shown
    assert "8717" in shown
    assert run(["inbox", "--uninstall"]) == 0
    assert "Nothing was installed" in capsys.readouterr().out
    assert not (tmp_path / "user").exists()
