"""What the tools over the history share: a period as an argument, and what is said of keys without records."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator, Field, WithJsonSchema

from gunbot_mcp.gunbot.client import Gunbot
from gunbot_mcp.history.coverage import Coverage
from gunbot_mcp.history.question import EXAMPLES, is_period
from gunbot_mcp.tools.pairs import not_there


def _period(text: str) -> str:
    if not is_period(text):
        raise ValueError(f"is no time that is known here: {EXAMPLES}")
    return text


Period = Annotated[str, Field(max_length=40), AfterValidator(_period)]


def text_schema(about: str, example: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "description": about, "examples": [example]})


async def unknown_pairs(gunbot: Gunbot, keys: Sequence[str] | None, coverage: Coverage) -> list[str]:
    """Return words about named keys without records whose pair does not exist: "0 orders" would claim too much."""
    empty = [key.key for key in coverage.keys if not key.records] if keys else []
    return await not_there(gunbot, empty) if empty else []
