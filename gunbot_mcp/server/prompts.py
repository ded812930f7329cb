"""What a person can start from: a few prompts, one row each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from mcp import types
from mcp.shared.exceptions import MCPError
from pydantic import Field, WithJsonSchema

from gunbot_mcp.arguments import Args, parse_arguments
from gunbot_mcp.errors import clean
from gunbot_mcp.schema import input_schema
from gunbot_mcp.server.edge import Context
from gunbot_mcp.tools.market import NoArgs, QuoteArgs
from gunbot_mcp.tools.tickets import TicketArgs

_LONGEST_GOAL = 500


class PlanArgs(QuoteArgs):
    goal: Annotated[
        str | None,
        Field(max_length=_LONGEST_GOAL),
        WithJsonSchema({"type": "string", "description": "what you want to do, in your own words"}),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One prompt. Its arguments are those of `args`; `text` names them in braces, and is the person's own message."""

    name: str
    title: str
    about: str
    args: type[Args]
    text: str

    def shown(self) -> types.Prompt:
        schema = input_schema(self.args)
        required = schema.get("required", [])
        properties: Mapping[str, Mapping[str, Any]] = schema["properties"]
        arguments = [
            types.PromptArgument(name=name, description=str(given["description"]), required=name in required)
            for name, given in properties.items()
        ]
        return types.Prompt(name=self.name, title=self.title, description=self.about, arguments=arguments)

    def filled(self, arguments: Mapping[str, str]) -> str:
        """Return the message.

        Raises:
            InvalidArguments: they are not what tools take under these names.
        """
        args = parse_arguments(self.args, arguments)
        given = {name: clean(value, _LONGEST_GOAL) for name, value in args.model_dump(exclude_none=True).items()}
        if "goal" in given:
            given["goal"] = f" What I want: {given['goal']}"
        return self.text.format_map({"goal": "", **given})


PROMPTS = (
    Prompt(
        name="plan_trade",
        title="Plan a trade",
        about="Look at the market, your balance and your limits, then propose one order for you to approve.",
        args=PlanArgs,
        text="""\
Look at get_quote, get_balances, list_open_orders and get_limits for {pair} on {exchange}. Tell me in at most four \
lines what you see: the price, what I can pay with, what is open, what my limits still allow.{goal} If it is not clear \
what I want, ask me. Then propose exactly one order, say in one sentence what it can cost at most, and show me the \
link under which I decide. Do not propose it twice.""",
    ),
    Prompt(
        name="explain_ticket",
        title="Explain a ticket",
        about="What an order was, who decided it, and what became of it.",
        args=TicketArgs,
        text="""\
Look at get_ticket for {ticket_id}. Tell me in plain words what was proposed and by whom, what it can cost at most, \
which warnings there were, who decided, and what became of it: sent, open, filled, or not known. Say what is not \
known, and what I can do now. Do not propose another order.""",
    ),
    Prompt(
        name="review_pair",
        title="Review a pair",
        about="What is open, what filled lately, what it cost.",
        args=QuoteArgs,
        text="""\
Look at list_open_orders and the newest page of list_orders_page for {exchange}/{pair}. Say what is open, what filled \
lately at which prices, the fees, and the profit or loss as recorded. Say what you do not know.""",
    ),
    Prompt(
        name="review_today",
        title="Review today",
        about="What happened today, what it brought, what is held, and who approved what.",
        args=NoArgs,
        text="""\
Look at analyze_orders with since "today", list_tickets with since "today", get_positions with value_in "USDT" and \
get_limits. Tell me in at most eight lines: what closed today and what it brought, the largest win and loss, what I \
hold now and its worth, which orders came from you and who approved each, and how much of my limits is left. Say \
what the answers do not cover. Do not propose an order.""",
    ),
)
_BY_NAME: Mapping[str, Prompt] = {prompt.name: prompt for prompt in PROMPTS}
_EARLIER: Mapping[str, str] = {"prepare_order": "plan_trade"}
"""Names that people may have saved in their clients: still answered, not listed."""


def prompt_named(name: str) -> Prompt:
    """Return a prompt by its name, also by one that it had earlier.

    Raises:
        MCPError: there is none.
    """
    found = _BY_NAME.get(_EARLIER.get(name, name))
    if found is None:
        names = ", ".join(_BY_NAME)
        raise MCPError(types.INVALID_PARAMS, f"there is no prompt {clean(name, 64)!r}; there are {names}")
    return found


async def list_prompts(ctx: Context, params: types.PaginatedRequestParams | None) -> types.ListPromptsResult:
    del ctx, params
    return types.ListPromptsResult(prompts=[prompt.shown() for prompt in PROMPTS])


async def get_prompt(ctx: Context, params: types.GetPromptRequestParams) -> types.GetPromptResult:
    del ctx
    prompt = prompt_named(params.name)
    text = prompt.filled(params.arguments or {})
    message = types.PromptMessage(role="user", content=types.TextContent(type="text", text=text))
    return types.GetPromptResult(description=prompt.about, messages=[message])
