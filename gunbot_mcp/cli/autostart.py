"""Starting the inbox at login: a systemd user unit, a launchd agent, or a Windows task. Nothing of it needs root.

Only files and names of ours are touched. What is written names no secret: the address of the config and of the state
folder stand in it, as they are in this environment.
"""

import plistlib
import re
import shlex
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from gunbot_mcp.errors import ConfigInvalid, clean

NAME = "gunbot-mcp-inbox"
LABEL = "gunbot-mcp.inbox"
Run = Callable[[Sequence[str]], "subprocess.CompletedProcess[str]"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Autostart:
    """How one system starts it: the file, its text, and what to run afterwards (and before it is removed)."""

    file: Path
    text: str
    start: tuple[tuple[str, ...], ...]
    stop: tuple[tuple[str, ...], ...]


def autostart(
    words: Sequence[str], environment: Mapping[str, str], *, home: Path, platform: str, uid: int
) -> Autostart:
    """Return how `words` (a program and its arguments) are started at login, with these variables. Pure.

    Raises:
        ConfigInvalid: a path in it cannot be written into such a file.
    """
    for text in (*words, *environment.values()):
        if re.search(r"[\x00-\x1f\x7f]", text):
            raise ConfigInvalid(f"a path has a control character in it: {clean(text)}", "move it to a plain path")
    if platform == "darwin":
        return _launchd(words, environment, home, uid)
    if platform == "win32":
        return _task(words, environment, home)
    return _systemd(words, environment, home)


def _systemd(words: Sequence[str], environment: Mapping[str, str], home: Path) -> Autostart:
    program, *arguments = words
    if re.search(r"""["'\\]""", program):
        raise ConfigInvalid(
            f"systemd starts no program under a path with quotes or backslashes: {clean(program)}",
            "install it under a plain path",
        )
    lines = [
        "[Unit]",
        "Description=gunbot-mcp inbox: the approval pages of every instance",
        "",
        "[Service]",
        *(f"Environment={_unit(f'{name}={value}')}" for name, value in environment.items()),
        f"ExecStart={' '.join([_unit(program), *map(_unit_word, arguments)])}",
        "Restart=on-failure",
        "RestartSec=5",
        "",
        "[Install]",
        "WantedBy=default.target",
        "",
    ]
    unit = f"{NAME}.service"
    control = ("systemctl", "--user")
    return Autostart(
        file=home / ".config" / "systemd" / "user" / unit,
        text="\n".join(lines),
        start=((*control, "daemon-reload"), (*control, "enable", "--now", unit)),
        stop=((*control, "disable", "--now", unit),),
    )


def _unit(text: str) -> str:
    """Return one word as a unit's file takes it: quoted, and without its `%` specifiers."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%") + '"'


def _unit_word(text: str) -> str:
    """Return an argument as a unit takes it; in the program's own path systemd looks for no variables."""
    return _unit(text.replace("$", "$$"))


def _launchd(words: Sequence[str], environment: Mapping[str, str], home: Path, uid: int) -> Autostart:
    said = {
        "Label": LABEL,
        "ProgramArguments": list(words),
        "EnvironmentVariables": dict(environment),
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ProcessType": "Interactive",
    }
    file = home / "Library" / "LaunchAgents" / f"{LABEL}.plist"
    domain = f"gui/{uid}"
    return Autostart(
        file=file,
        text=plistlib.dumps(said).decode(),
        start=(("launchctl", "bootstrap", domain, str(file)),),
        stop=(("launchctl", "bootout", f"{domain}/{LABEL}"),),
    )


def _task(words: Sequence[str], environment: Mapping[str, str], home: Path) -> Autostart:
    # A task has no variables of its own, so PowerShell sets them; its window is not shown.
    def quoted(text: str) -> str:
        doubled = text.replace("'", "''")
        return f"'{doubled}'"

    script = " ".join(
        [*(f"$env:{name}={quoted(value)};" for name, value in environment.items()), "&", *map(quoted, words)]
    )
    arguments = "-NoProfile -WindowStyle Hidden -Command " + subprocess.list2cmdline([script])
    does = f"<Command>powershell.exe</Command><Arguments>{escape(arguments)}</Arguments>"
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">\n'
        "  <Triggers><LogonTrigger><Enabled>true</Enabled></LogonTrigger></Triggers>\n"
        "  <Settings><ExecutionTimeLimit>PT0S</ExecutionTimeLimit>"
        "<DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>"
        "<StopIfGoingOnBatteries>false</StopIfGoingOnBatteries></Settings>\n"
        f"  <Actions><Exec>{does}</Exec></Actions>\n"
        "</Task>\n"
    )
    file = home / "AppData" / "Local" / "gunbot-mcp" / f"{NAME}.xml"
    return Autostart(
        file=file,
        text=text,
        start=(
            ("schtasks", "/Create", "/F", "/TN", NAME, "/XML", str(file)),
            ("schtasks", "/Run", "/TN", NAME),
        ),
        stop=(("schtasks", "/End", "/TN", NAME), ("schtasks", "/Delete", "/F", "/TN", NAME)),
    )


def run(command: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    """Run one of the system's own commands, and keep what it says."""
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - only the commands of this file come here, as lists that no shell reads


def install(how: Autostart, run: Run) -> None:
    """Write the file and start the inbox.

    Raises:
        ConfigInvalid: the file is not ours to write, or the system did not start it.
    """
    try:
        how.file.parent.mkdir(parents=True, exist_ok=True)
        how.file.write_text(how.text, encoding="utf-8")
    except OSError as exc:
        raise ConfigInvalid(f"cannot write {how.file}: {exc.strerror}", "--print shows what belongs there") from exc
    for command in how.start:
        _must(command, run)


def uninstall(how: Autostart, run: Run) -> bool:
    """Stop the inbox and remove the file; False where there is none.

    Raises:
        ConfigInvalid: the file cannot be removed.
    """
    if not how.file.exists():
        return False
    for command in how.stop:
        try:
            run(command)  # whether it ran or not: what counts is that the file goes
        except OSError:
            continue
    try:
        how.file.unlink()
    except OSError as exc:
        raise ConfigInvalid(f"cannot remove {how.file}: {exc.strerror}", "remove it yourself") from exc
    return True


def _must(command: tuple[str, ...], run: Run) -> None:
    try:
        done = run(command)
    except OSError as exc:
        why = exc.strerror or "it cannot be run"
        raise ConfigInvalid(
            f"{command[0]}: {why}; the file is written, nothing is started", shlex.join(command)
        ) from exc
    if done.returncode != 0:
        why = clean(done.stderr or done.stdout, 300).strip() or f"exit code {done.returncode}"
        raise ConfigInvalid(f"{command[0]}: {why}; the file is written, nothing is started", shlex.join(command))
