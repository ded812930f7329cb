"""What a client can read besides calling tools: the same facts and words as three of them, the card, the skills."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypedDict

from mcp import types
from mcp.shared.exceptions import MCPError

from gunbot_mcp.approval.forms import Question
from gunbot_mcp.dispatch import Caller, Dispatcher
from gunbot_mcp.errors import clean
from gunbot_mcp.history.schema_text import SCHEMA_URI, schema_text
from gunbot_mcp.render import Answer
from gunbot_mcp.server.edge import Context, protocol_error
from gunbot_mcp.server.skills.skills import MARKDOWN, Skills
from gunbot_mcp.server.tools import CHART_URI, UI_MIME
from gunbot_mcp.web.card import CARD_URI, card_html

STRUCTURED_META = "gunbot-mcp/structured"
"""The key of an answer's structured form in the `_meta` of what is read, for programs."""


class _Shown(TypedDict):
    name: str
    title: str
    description: str
    mime_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A tool's answer that can be read at an address. `{id}` in the address is the tool's argument `argument`."""

    uri: str
    name: str
    title: str
    about: str
    tool: str
    argument: str | None = None

    @property
    def shown(self) -> _Shown:
        """What a client lists of it beside its address."""
        return {"name": self.name, "title": self.title, "description": self.about, "mime_type": "text/plain"}


READINGS = (
    Reading(
        uri="gunbot://capabilities",
        name="capabilities",
        title="What each exchange can do",
        about="The answer of list_exchanges.",
        tool="list_exchanges",
    ),
    Reading(
        uri="gunbot://limits",
        name="limits",
        title="Limits, and what is left of them",
        about="The answer of get_limits, as of now.",
        tool="get_limits",
    ),
    Reading(
        uri="gunbot://tickets/{id}",
        name="ticket",
        title="A ticket",
        about="The answer of get_ticket: what became of one order.",
        tool="get_ticket",
        argument="ticket_id",
    ),
)
_ID = re.compile(r"[a-z0-9]{1,32}")


def _chart() -> str:
    from gunbot_mcp.web.chart_view import chart_html  # noqa: PLC0415 - read when a client shows charts

    return chart_html()


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text of our own that is the same for everybody."""

    uri: str
    name: str
    title: str
    about: str
    mime: str
    read: Callable[[], str]


TEXTS = (
    Text(
        uri=CARD_URI,
        name="ticket-card",
        title="Ticket card",
        about="An order and its approval.",
        mime=UI_MIME,
        read=card_html,
    ),
    Text(uri=CHART_URI, name="chart", title="Chart", about="A chart of the order history.", mime=UI_MIME, read=_chart),
    Text(
        uri=SCHEMA_URI,
        name="history-schema",
        title="Columns for query_orders",
        about="Tables, columns, rules and two examples for query_orders.",
        mime=MARKDOWN,
        read=schema_text,
    ),
)


def reading_at(uri: str) -> tuple[Reading, dict[str, str]] | None:
    """Return what is read at an address, and the arguments for its tool; None where nothing is."""
    for reading in READINGS:
        start, brace, _ = reading.uri.partition("{id}")
        if not brace and uri == reading.uri:
            return reading, {}
        if brace and reading.argument and uri.startswith(start) and _ID.fullmatch(uri[len(start) :]):
            return reading, {reading.argument: uri[len(start) :]}
    return None


class Resources:
    """Answers what clients list and read. `caller` says who asks."""

    def __init__(self, dispatcher: Dispatcher, skills: Skills, caller: Callable[[Context], Caller]) -> None:
        self._dispatcher = dispatcher
        self._skills = skills
        self._caller = caller

    async def list(self, ctx: Context, params: types.PaginatedRequestParams | None) -> types.ListResourcesResult:
        del params
        texts = [
            types.Resource(uri=text.uri, name=text.name, title=text.title, description=text.about, mime_type=text.mime)
            for text in TEXTS
        ]
        readings = [types.Resource(uri=one.uri, **one.shown) for one in READINGS if one.argument is None]
        skills = self._skills.as_resources(self._caller(ctx))
        return types.ListResourcesResult(resources=[*texts, *readings, *skills])

    async def templates(
        self, ctx: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListResourceTemplatesResult:
        del ctx, params
        found = [types.ResourceTemplate(uri_template=one.uri, **one.shown) for one in READINGS if one.argument]
        return types.ListResourceTemplatesResult(resource_templates=found)

    async def read(self, ctx: Context, params: types.ReadResourceRequestParams) -> types.ReadResourceResult:
        """Return what is at an address.

        Raises:
            MCPError: nothing is there (-32602 with the address in its data), or it cannot be read now.
        """
        uri = str(params.uri)
        text = next((one for one in TEXTS if one.uri == uri), None)
        if text is not None:
            content = types.TextResourceContents(uri=uri, mime_type=text.mime, text=text.read())
        elif (skill := self._skills.at(uri, self._caller(ctx))) is not None:
            content = types.TextResourceContents(uri=uri, mime_type=MARKDOWN, text=skill.text)
        else:
            content = await self._reading(uri, self._caller(ctx))
        return types.ReadResourceResult(contents=[content])

    async def _reading(self, uri: str, caller: Caller) -> types.TextResourceContents:
        found = reading_at(uri)
        if found is None:
            raise MCPError(types.INVALID_PARAMS, f"there is no resource {clean(uri, 80)}", {"uri": uri})
        reading, arguments = found
        answer = await self._dispatcher.call(reading.tool, arguments, caller)
        if not isinstance(answer, Answer):
            raise TypeError(f"{reading.tool} asks {Question.__name__.lower()}s, so it is no resource")
        if answer.is_error:
            raise protocol_error(answer, uri=uri)
        return types.TextResourceContents(
            uri=uri, mime_type="text/plain", text=answer.text, _meta={STRUCTURED_META: answer.structured}
        )
