"""Which of a few forms an answer takes: the questions that people ask most get sentences, all others a table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum, auto
from typing import Any

from gunbot_mcp.history.analysis import Analysis
from gunbot_mcp.history.lots import Method
from gunbot_mcp.history.metrics.exact import exactly
from gunbot_mcp.history.metrics.figure import Figure
from gunbot_mcp.history.metrics.table import HELD
from gunbot_mcp.history.zones import date_of
from gunbot_mcp.render import number


class Shape(StrEnum):
    SUMMARY = auto()
    TOP_PAIR = auto()
    HELD = auto()
    EXTREME_DAY = auto()
    TABLE = auto()


def shape_of_answer(found: Analysis) -> Shape:
    """Return the form; see `history/sentences.py` for the sentences."""
    question = found.question
    if not question.metrics and not question.groups:
        return Shape.SUMMARY
    if not question.metrics and question.groups == ("pair",) and question.sort and question.limit == 1:
        return Shape.TOP_PAIR
    if not question.groups and set(question.metrics) <= set(HELD) and _one_pair(found):
        return Shape.HELD
    if not question.groups and question.metrics in {("worst_day",), ("best_day",)} and len(found.blocks) == 1:
        return Shape.EXTREME_DAY
    return Shape.TABLE


def _one_pair(found: Analysis) -> bool:
    [*blocks] = found.blocks
    return len(blocks) == 1 and blocks[0].total.sums.get("first_pair") == blocks[0].total.sums.get("last_pair")


@dataclass(frozen=True, slots=True)
class DayClose:
    """A close of the extreme day."""

    key: str
    id: str
    pnl: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Extras:
    """What some forms look up beside the figures.

    `held`: what each method says of the open lots. `own`: prices of Gunbot's own, of the newest record. `closes` are of
    the extreme day (`close_count` in all).
    """

    held: Mapping[Method, Mapping[str, Figure]] = field(default_factory=dict[Method, Mapping[str, Figure]])
    own: Mapping[str, Decimal] = field(default_factory=dict[str, Decimal])
    closes: Sequence[DayClose] = ()
    close_count: int = 0

    def facts(self, found: Analysis) -> dict[str, Any]:
        """Return the same for programs."""
        told: dict[str, Any] = {}
        if self.held:
            told["by_method"] = {
                method.value: {
                    name: number(Decimal(one.value)) for name, one in figures.items() if one.value is not None
                }
                for method, figures in self.held.items()
            }
        if self.own:
            told["gunbot"] = {name: number(value) for name, value in self.own.items()}
        if self.closes:
            told["closes"] = [{"key": one.key, "id": one.id, "pnl": number(one.pnl)} for one in self.closes]
            told["close_count"] = self.close_count
            days = found.blocks[0].total.days
            closed = days.closed if days is not None else ()
            ordered = sorted(closed, key=lambda day: day[1], reverse=found.question.metrics == ("best_day",))
            told["days"] = [{"day": date_of(day).isoformat(), "pnl": number(exactly(pnl))} for day, pnl in ordered[:3]]
        return told
