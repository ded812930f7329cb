"""The channels through which a ticket is decided: one row each, pure data. Who counts as a human, and what proves it.

The claim before a send, the server, dispatch, the page, the command line, `doctor`, the README's table and the words
for an outcome all derive from these rows; the code is in `approval/`. A record claims no more than its channel proves.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Speaker(StrEnum):
    """For whom a channel speaks."""

    HUMAN = "human"
    RULE = "rule"  # that a human set beforehand
    PROGRAM = "program"  # anybody who can run a command: it may take risk off, and never sends
    CLIENT = "client"  # the assistant's client
    SERVER = "server"  # this server's own book-keeping


class Proof(StrEnum):
    """What shows that the speaker is who the row says."""

    NONE = "none"
    FORM = "the client's own form, shown by a client at the other end of the user's pipe"
    KEY = "a key that only the ticket card was given"
    PIN = "the PIN, where one is set; live instances always need one"
    SETTING = "the user's configuration"
    GRANT = "a mandate, made by a human at a terminal"
    PASSKEY = "a touch of a registered passkey, which signs this very order"


NEEDS: Mapping[str, frozenset[Proof]] = {
    "any": frozenset(Proof),
    "pin": frozenset({Proof.PIN, Proof.PASSKEY}),
    "passkey": frozenset({Proof.PASSKEY}),
}
"""What counts as a human's word on live instances, for each value of `approval.live_needs`."""


class On(StrEnum):
    """On which instances a channel's approval sends an order."""

    NOWHERE = "nowhere"
    PAPER = "paper"
    KNOWN_CLIENT = "paper; live with a client that is known"
    LIVE_MANDATED = "live"
    ANYWHERE = "paper and live"


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One channel. `label` names it in a record (`{name}` is the actor's own name); `place` says where it happened.

    `setting` is the config key that switches it; `about` is its row in the README, empty if nobody chooses it.
    """

    name: str
    speaks_for: Speaker
    approves_on: On
    proof: Proof
    label: str
    place: str
    setting: str | None = None
    about: str = ""

    def suffices(self, *, live: bool, needs: str) -> bool:
        """Return whether what this channel proves is enough for a human's word there, under that `live_needs`.

        A rule is not a word: the human who set it gave theirs before.
        """
        return not live or self.speaks_for is not Speaker.HUMAN or self.proof in NEEDS[needs]

    def counts(self, *, live: bool, known: bool = True, needs: str = "any") -> bool:
        """Return whether an approval through this channel sends an order on such an instance.

        `known` says that the client is the user's own, at the other end of a pipe: on a port, a program could answer
        its own form. `needs` is `approval.live_needs`.
        """
        if not self.suffices(live=live, needs=needs):
            return False
        match self.approves_on:
            case On.ANYWHERE:
                return True
            case On.KNOWN_CLIENT:
                return known or not live
            case On.PAPER:
                return not live
            case On.LIVE_MANDATED:
                return live
            case On.NOWHERE:
                return False


CHANNELS = (
    Channel(
        name="form",
        speaks_for=Speaker.HUMAN,
        approves_on=On.KNOWN_CLIENT,
        proof=Proof.FORM,
        label="form in {name}",
        place="in the form in {name}",
        setting="approval.elicitation",
        about="a form in the client, where it has one; larger orders ask for a code",
    ),
    Channel(
        name="page",
        speaks_for=Speaker.HUMAN,
        approves_on=On.ANYWHERE,
        proof=Proof.PIN,
        label="approval page",
        place="on the approval page",
        setting="approval.page",
        about="the approval page on this machine",
    ),
    Channel(
        name="terminal",
        speaks_for=Speaker.HUMAN,
        approves_on=On.ANYWHERE,
        proof=Proof.PIN,
        label="terminal",
        place="in a terminal",
        about="`gunbot-mcp approve ID` in a terminal",
    ),
    Channel(
        name="card",
        speaks_for=Speaker.HUMAN,
        approves_on=On.KNOWN_CLIENT,
        proof=Proof.KEY,
        label="ticket card in {name}",
        place="on the ticket card in {name}",
        setting="approval.card_buttons",
        about="the buttons of the ticket card, in clients that show MCP Apps (live: only if you switch it on)",
    ),
    Channel(
        name="passkey",
        speaks_for=Speaker.HUMAN,
        approves_on=On.ANYWHERE,
        proof=Proof.PASSKEY,
        label="passkey {name}",
        place="with passkey {name}",
        setting="approval.page",
        about="a touch of your passkey on the approval page: it signs this very order",
    ),
    Channel(
        name="auto",
        speaks_for=Speaker.RULE,
        approves_on=On.PAPER,
        proof=Proof.SETTING,
        label="mode auto (paper)",
        place="by mode auto (paper)",
        setting="mode",
        about="mode `auto`: no human is asked",
    ),
    Channel(
        name="mandate",
        speaks_for=Speaker.RULE,
        approves_on=On.LIVE_MANDATED,
        proof=Proof.GRANT,
        label="mandate {name}",
        place="by mandate {name}",
        setting="mode",
        about="a mandate in mode `auto`: your own standing permission, capped and time-boxed",
    ),
    Channel(
        name="smart_cancel",
        speaks_for=Speaker.RULE,
        approves_on=On.ANYWHERE,
        proof=Proof.SETTING,
        label="smart cancel rule (a visible entry order)",
        place="by the smart cancel rule (a visible entry order)",
        setting="cancel",
        about="the smart cancel rule: cancelling a plain spot buy that was placed from here and found again",
    ),
    Channel(
        name="command",
        speaks_for=Speaker.PROGRAM,
        approves_on=On.NOWHERE,
        proof=Proof.NONE,
        label="gunbot-mcp reject",
        place="by the command gunbot-mcp reject",
    ),
    Channel(
        name="client",
        speaks_for=Speaker.CLIENT,
        approves_on=On.NOWHERE,
        proof=Proof.NONE,
        label="{name}",
        place="by {name}",
    ),
    *(
        Channel(
            name=name,
            speaks_for=Speaker.SERVER,
            approves_on=On.NOWHERE,
            proof=Proof.NONE,
            label=name,
            place=f"by the server ({name})",
        )
        for name in ("clock", "sender", "recovery", "following", "migration")
    ),
    Channel(
        name="recorded",
        speaks_for=Speaker.SERVER,
        approves_on=On.NOWHERE,
        proof=Proof.NONE,
        label="{name}",
        place="by {name}",
    ),
)
"""The last one is for the actors in ledgers of version 0.1, which kept one free text."""

BY_NAME: Mapping[str, Channel] = {channel.name: channel for channel in CHANNELS}


@dataclass(frozen=True, slots=True)
class Actor:
    """Who took a step: the `channel`, which a record can confirm, and the `name`, which the actor chose itself.

    Raises:
        ValueError: there is no such channel.
    """

    channel: str
    name: str = ""

    def __post_init__(self) -> None:
        if self.channel not in BY_NAME:
            raise ValueError(f"there is no channel {self.channel!r}")

    @property
    def row(self) -> Channel:
        return BY_NAME[self.channel]

    def __str__(self) -> str:
        return self.row.label.replace("{name}", self.name)

    @property
    def place(self) -> str:
        """Return where it happened, for use after a verb: `in a terminal`. The name in it comes from outside."""
        return self.row.place.replace("{name}", self.name)


AUTO = Actor("auto")
CLOCK = Actor("clock")
FOLLOWING = Actor("following")
MIGRATION = Actor("migration")
PAGE = Actor("page")
PASSKEY = Actor("passkey")
RECOVERY = Actor("recovery")
SENDER = Actor("sender")
SMART_CANCEL = Actor("smart_cancel")
TERMINAL = Actor("terminal")
