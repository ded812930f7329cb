"""One low-level SDK server over the tables; it serves both protocol generations."""

import base64
import contextlib
import functools
from collections.abc import Mapping
from itertools import count
from typing import Any

from mcp import types
from mcp.server.caching import CacheHint
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from pydantic import ValidationError

from gunbot_mcp import __version__
from gunbot_mcp.approval.forms import Form, Question
from gunbot_mcp.dispatch import Caller, LaterReply
from gunbot_mcp.errors import UnknownTool, clean
from gunbot_mcp.guard.desk import Desk
from gunbot_mcp.render import Answer
from gunbot_mcp.runtime import Page, Runtime, state_folder
from gunbot_mcp.server.changes import LOOK_EVERY, Changes, ChangingServer, Lists
from gunbot_mcp.server.clients import ClientFacts, remember
from gunbot_mcp.server.completion import COMPLETE_WITHIN, Completions
from gunbot_mcp.server.edge import kept, protocol_error
from gunbot_mcp.server.icon import icons
from gunbot_mcp.server.prompts import get_prompt, list_prompts
from gunbot_mcp.server.resources import Resources
from gunbot_mcp.server.skills.skills import SKILLS_EXTENSION, Skills
from gunbot_mcp.server.tools import UI_EXTENSION, UI_MIME, mcp_tool
from gunbot_mcp.tickets.ways import is_open

INSTRUCTIONS = """\
Gunbot trades on crypto exchanges. Pairs name the paying asset first: in USDT-BTC you pay with USDT and trade BTC; \
amounts are in BTC, prices in USDT. An order becomes a ticket that only a human can approve; you cannot. \
"accepted" means handed to the exchange, not filled: look with list_open_orders and list_orders_page. \
If an answer says "unknown", never send the order again: look with get_ticket, or ask the human."""

_FORM_KEY = "approval"
_FIRST_STATELESS = "2026-07-28"
_LISTED_FOR = 300_000
"""Milliseconds for which a client may keep the list of tools. When the mode changes, those who listen are told at once;
who does not listen is refused what is no longer allowed."""

Context = ServerRequestContext[Any, Any]


class SkillParams(types.RequestParams):
    uri: str


class GunbotServer(ChangingServer):
    """The server of one running instance. `changes` tells its clients what comes and goes."""

    changes: Changes


def build_server(
    runtime: Runtime, *, known: bool = True, look_every: float = LOOK_EVERY, complete_within: float = COMPLETE_WITHIN
) -> GunbotServer:
    """Return the server of one running instance; `known` is False where anybody could be its client, see `Caller`.

    Seams, in seconds: `look_every` passes between two looks at whether the config file has changed, `complete_within`
    is the most that a completion waits for Gunbot.
    """
    settings, secrets = runtime.settings, runtime.settings.secrets()
    mode = settings.effective_mode
    dispatcher = runtime.dispatcher
    kind = "LIVE" if settings.served.live else "PAPER"
    shown = {tool.name: mcp_tool(tool) for tool in dispatcher.tools}

    async def list_tools(ctx: Context, params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        del params
        facts = client_facts(ctx, known=known)
        remember(settings, facts)
        listed = dispatcher.listed(Caller(name=facts.name, known=known, shows_card=facts.shows_card))
        return types.ListToolsResult(tools=[shown[tool.name] for tool in listed])

    async def call_tool(
        ctx: Context, params: types.CallToolRequestParams
    ) -> types.CallToolResult | types.InputRequiredResult:
        may_ask = is_open("form", runtime.rules.last, known=known)
        caller = _caller(ctx, params, known=known, may_ask=may_ask)
        answer = await dispatcher.call(params.name, params.arguments or {}, caller)
        if isinstance(answer, Answer) and _is_no_tool(answer) and ctx.protocol_version >= _FIRST_STATELESS:
            # In the handshake era, clients keep a protocol error's text from their models: there it is an answer.
            raise protocol_error(answer)
        return to_input_required(answer) if isinstance(answer, Question) else to_result(answer)

    def reader(ctx: Context) -> Caller:
        facts = client_facts(ctx, known=known)
        return Caller(name=facts.name, known=known, shows_card=facts.shows_card)

    def lists() -> Lists:
        anybody = Caller(name="", known=known, shows_card=True)
        return [tool.name for tool in dispatcher.listed(anybody)], skills.names(anybody)

    async def list_skills(ctx: Context, params: types.PaginatedRequestParams) -> dict[str, Any]:
        del params
        return skills.listed(reader(ctx))

    async def get_skill(ctx: Context, params: SkillParams) -> dict[str, Any]:
        return skills.got(params.uri, reader(ctx))

    skills = Skills(dispatcher)
    resources, completions = Resources(dispatcher, skills, reader), Completions(runtime, within=complete_within)
    changes = Changes(lists, runtime.in_background, watched=settings.source is not None, every=look_every)
    server = GunbotServer(
        "gunbot-mcp",
        version=__version__,
        title=f"Gunbot ({settings.name}, {kind})",
        instructions=f"{INSTRUCTIONS} This instance is {settings.name}: {kind}, mode {mode.value}.",
        icons=icons(),
        lifespan=changes.watching,
        on_list_tools=kept(list_tools, secrets),
        on_call_tool=kept(call_tool, secrets),
        on_list_resources=kept(resources.list, secrets),
        on_list_resource_templates=kept(resources.templates, secrets),
        on_read_resource=kept(resources.read, secrets),
        on_subscriptions_listen=kept(changes.listen, secrets),
        on_list_prompts=kept(list_prompts, secrets),
        on_get_prompt=kept(get_prompt, secrets),
        on_completion=kept(completions.complete, secrets),
        cache_hints={"tools/list": CacheHint(ttl_ms=_LISTED_FOR)},
    )
    server.changes = changes
    server.extensions[UI_EXTENSION] = {"mimeTypes": [UI_MIME]}
    server.extensions[SKILLS_EXTENSION] = {}
    server.add_request_handler("skills/list", types.PaginatedRequestParams, kept(list_skills, secrets))
    server.add_request_handler("skills/get", SkillParams, kept(get_skill, secrets))
    server.add_notification_handler("notifications/initialized", types.NotificationParams, kept(changes.joined))
    return server


def _is_no_tool(answer: Answer) -> bool:
    return answer.error.get("code") == UnknownTool.code


def to_result(answer: Answer) -> types.CallToolResult:
    content: list[types.ContentBlock] = [types.TextContent(type="text", text=answer.text)]
    if answer.picture is not None:
        data = base64.b64encode(answer.picture.data).decode()
        content.append(types.ImageContent(type="image", data=data, mime_type=answer.picture.mime))
    return types.CallToolResult(
        content=content,
        structured_content=None if answer.is_error else answer.structured,
        is_error=answer.is_error,
        _meta=answer.meta or None,
    )


def to_input_required(question: Question) -> types.InputRequiredResult:
    form = types.ElicitRequestFormParams(message=question.form.message, requested_schema=question.form.schema)
    return types.InputRequiredResult(
        input_requests={_FORM_KEY: types.ElicitRequest(params=form)}, request_state=question.state
    )


def client_facts(ctx: Context, *, known: bool) -> ClientFacts:
    """Return what the client declared about itself, in either protocol generation."""
    params = ctx.session.client_params
    declared = ctx.session.client_capabilities
    elicitation = declared.elicitation if declared is not None else None
    # An empty elicitation capability is the form kind; `url` alone is not enough to show a form.
    shows_forms = elicitation is not None and (elicitation.form is not None or elicitation.url is None)
    extensions: Mapping[str, Any] = (declared.extensions if declared is not None else None) or {}
    return ClientFacts(
        name=clean(params.client_info.name, 80) if params is not None else "unknown client",
        version=clean(params.client_info.version, 40) if params is not None else "",
        protocol=ctx.protocol_version,
        shows_forms=shows_forms,
        shows_card=UI_EXTENSION in extensions,
        known=known,
    )


def _caller(ctx: Context, params: types.CallToolRequestParams, *, known: bool, may_ask: bool) -> Caller:
    facts = client_facts(ctx, known=known)
    forms = may_ask and facts.shows_forms
    stateless = facts.protocol >= _FIRST_STATELESS
    reply = None
    if params.request_state is not None and forms:
        action, content = _reply(params)
        reply = LaterReply(state=params.request_state, action=action, content=content)

    async def ask(form: Form) -> tuple[str, Mapping[str, Any] | None]:
        try:
            result = await ctx.session.elicit_form(form.message, form.schema)
        except (MCPError, ValidationError):
            # A client that cannot show its form, or sends an invalid answer, has not asked anybody.
            return "cancel", None
        return result.action, result.content

    told = count(1)

    async def tell(sentence: str) -> None:
        # Nothing comes of it where the client sent no progress token. Each number must be larger than the one before.
        with contextlib.suppress(MCPError):
            await ctx.session.report_progress(next(told), None, sentence)

    return Caller(
        name=facts.name,
        known=known,
        waiting=tell,
        hears=tell,
        ask=ask if forms and not stateless and ctx.session.can_send_request else None,
        asks_later=forms and stateless,
        reply=reply,
        shows_card=facts.shows_card,
    )


def _reply(params: types.CallToolRequestParams) -> tuple[str, Mapping[str, Any] | None]:
    answer = (params.input_responses or {}).get(_FORM_KEY)
    if not isinstance(answer, types.ElicitResult):
        return "cancel", None
    return answer.action, answer.content


def approval_page(runtime: Runtime, desk: Desk) -> Page:
    """Make the approval page that a running server shows its human."""
    from gunbot_mcp.approval.pin import PinGate  # noqa: PLC0415 - needed when the first ticket waits
    from gunbot_mcp.web.page import ApprovalPage  # noqa: PLC0415 - needed when the first ticket waits

    folder = state_folder(runtime.settings)
    gate = PinGate(desk.ledger, folder, desk.clock, live=runtime.settings.served.live)
    return ApprovalPage(
        desk=desk,
        settings=runtime.settings,
        folder=folder,
        pin_gate=gate,
        rules=runtime.rules,
        charts=functools.partial(charts_of, runtime),
    )


async def charts_of(runtime: Runtime, arguments: Mapping[str, object]) -> Answer:
    """Answer `chart_orders` for the page `/history`, by the same path as every call."""
    answer = await runtime.dispatcher.call("chart_orders", arguments, Caller(name="history page", shows_card=True))
    if not isinstance(answer, Answer):
        raise TypeError("a read asked back")
    return answer
