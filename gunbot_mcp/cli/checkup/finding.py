"""A row of `doctor`, what it found, and how all rows are asked: at once, each with a deadline of its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import anyio

from gunbot_mcp.errors import GunbotMcpError, clean

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from gunbot_mcp.cli.checkup.patient import Patient

_LONGEST = 600


class Status(StrEnum):
    """How a finding is meant. Only BROKEN makes `doctor` fail."""

    WELL = "well"
    NOTE = "note"  # worth knowing: something does not work as one may think, or could be safer
    BROKEN = "broken"
    SKIPPED = "skipped"  # not asked, because what it needs is broken


@dataclass(frozen=True, slots=True)
class Finding:
    """What a row found: `says` in words without a full stop, and the `next` step, where there is one.

    `parts` are findings of the same kind about several things (each pair, each client); the worst one counts.
    `summed` means that what is well among them is already told by `says`.
    """

    status: Status
    says: str
    next: str = ""
    parts: Sequence[Finding] = field(default=())
    summed: bool = False

    @property
    def worst(self) -> Status:
        every = {self.status, *(part.worst for part in self.parts)}
        return next(status for status in _GRAVEST_FIRST if status in every)

    def cleaned(self, secrets: tuple[str, ...]) -> Finding:
        """Return it without whatever could steer a terminal, and without secrets: much of it is words of others."""
        says, then = clean(self.says, _LONGEST, secrets), clean(self.next, _LONGEST, secrets)
        parts = tuple(part.cleaned(secrets) for part in self.parts)
        return Finding(self.status, says, then, parts, self.summed)

    def as_dict(self) -> dict[str, Any]:
        facts: dict[str, Any] = {"status": self.worst.value, "says": self.says, "next": self.next or None}
        return facts | ({"parts": [part.as_dict() for part in self.parts]} if self.parts else {})


_GRAVEST_FIRST = (Status.BROKEN, Status.NOTE, Status.SKIPPED, Status.WELL)


def well(says: str, *parts: Finding) -> Finding:
    return Finding(Status.WELL, says, parts=parts)


def note(says: str, then: str = "", *parts: Finding) -> Finding:
    return Finding(Status.NOTE, says, then, parts)


def broken(says: str, then: str, *parts: Finding) -> Finding:
    return Finding(Status.BROKEN, says, then, parts)


def failed(error: GunbotMcpError) -> Finding:
    """Return an error of ours as a finding: its message, and its hint as the next step."""
    return broken(f"{error.code}: {error.message}", error.for_human)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One question; where it finds None, there is nothing to tell.

    `asks_gunbot`: it is skipped where Gunbot cannot be reached or does not take the login.
    `seconds` is what it may take; None: twice what the patient allows a question to Gunbot, and never less than a busy
    machine needs.
    """

    name: str
    look: Callable[[Patient], Awaitable[Finding | None]]
    asks_gunbot: bool = False
    seconds: float | None = None


_LEAST_SECONDS = 5.0
"""Also where Gunbot is given a moment only: that this machine is slow says nothing against what a row looks at."""


async def examine(rows: Sequence[Row], patient: Patient) -> list[tuple[str, Finding]]:
    """Ask all rows at once, and return their names and findings in their order. One that hangs delays no other."""
    found: list[Finding | None] = [None] * len(rows)

    async def ask(at: int, row: Row) -> None:
        finding = await _asked(row, patient)
        found[at] = None if finding is None else finding.cleaned(patient.secrets)

    async with anyio.create_task_group() as tasks:
        for at, row in enumerate(rows):
            tasks.start_soon(ask, at, row)
    return [(row.name, finding) for row, finding in zip(rows, found, strict=True) if finding is not None]


async def _asked(row: Row, patient: Patient) -> Finding | None:
    # The first question has a deadline of its own, and what waits for its answer begins then.
    if row.asks_gunbot and (why := await patient.why_not_asked()) is not None:
        return Finding(Status.SKIPPED, why)
    seconds = max(_LEAST_SECONDS, 2 * patient.patience) if row.seconds is None else row.seconds
    with anyio.move_on_after(seconds):
        try:
            return await row.look(patient)
        except GunbotMcpError as exc:
            return failed(exc)
        except OSError as exc:
            return broken(
                f"{exc.strerror or type(exc).__name__}: {exc.filename or ''}".rstrip(": "), "look at that file"
            )
    return broken(f"no answer within {seconds:g} s", patient.if_silent)
