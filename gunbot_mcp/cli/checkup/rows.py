"""The rows of `gunbot-mcp doctor`, in the order in which they are shown. All are asked at once.

To add one: an async function from a `Patient` to a `Finding` in the file where it belongs, and its row here, after the
rows of its part. It says what it found without a full stop, and what to do next.
"""

from gunbot_mcp.cli.checkup import gateway, people, records, setup
from gunbot_mcp.cli.checkup.finding import Finding, Row
from gunbot_mcp.cli.checkup.patient import Patient

_LEDGER_SECONDS = 60.0
"""A long ledger takes a while to verify, and nobody else's load makes it slower."""


async def _versions(patient: Patient) -> Finding:
    del patient
    return setup.versions()


ROWS = (
    # What is set up
    Row(name="config", look=setup.config),
    Row(name="state", look=setup.state),
    # The way to Gunbot, and what it says
    Row(name="gateway", look=gateway.gateway),
    Row(name="TLS", look=setup.tls),
    Row(name="login", look=gateway.login),
    Row(name="clock", look=gateway.clock, asks_gunbot=True),
    Row(name="cycles", look=gateway.cycles, asks_gunbot=True),
    Row(name="market", look=gateway.market, asks_gunbot=True),
    # What may be done, and how a human is asked
    Row(name="limits", look=setup.limits),
    Row(name="halt", look=setup.halt),
    Row(name="approval", look=people.approval),
    Row(name="inbox", look=people.inbox),
    Row(name="PIN", look=people.pin),
    Row(name="notices", look=people.notices),
    Row(name="mandates", look=records.mandates, seconds=_LEDGER_SECONDS),
    # What is kept, and what runs
    Row(name="ledger", look=records.ledger, seconds=_LEDGER_SECONDS),
    Row(name="tools", look=records.offered),
    Row(name="versions", look=_versions),
)
