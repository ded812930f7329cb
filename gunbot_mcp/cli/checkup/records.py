"""What is kept and what is offered: the ledger, mandates, and the tools."""

from gunbot_mcp.cli.checkup.finding import Finding, broken, note, well
from gunbot_mcp.cli.checkup.patient import Patient
from gunbot_mcp.config import Mode
from gunbot_mcp.dispatch import Caller
from gunbot_mcp.render import Answer, instant
from gunbot_mcp.server.tools import tools
from gunbot_mcp.tickets.mandate import not_for
from gunbot_mcp.tickets.ticket import State

_MOST_PROBLEMS = 5


async def ledger(patient: Patient) -> Finding:
    desk = await patient.runtime.desk()
    problems = await desk.ledger.verify()
    if problems:
        parts = tuple(broken(problem, "") for problem in problems[:_MOST_PROBLEMS])
        how = "stop trading, keep a copy of the file, and look at gunbot-mcp ledger --verify"
        return broken(f"{len(problems)} things are not as they were recorded", how, *parts)
    newest = await desk.ledger.events(limit=1)
    steps = f"{newest[0].seq} steps, the last at {instant(newest[0].at)}" if newest else "empty"
    unknown = await desk.list(states={State.UNKNOWN})
    parts = (note(f"ticket {one.id}: its fate is unknown", f"gunbot-mcp resolve {one.id}") for one in unknown)
    return well(f"sound: {steps}", *parts)


async def mandates(patient: Patient) -> Finding:
    """Tell the mandates in force that do not count here, and those that nothing uses because of the mode."""
    desk = await patient.runtime.desk()
    settings, now = patient.settings, desk.clock.now()
    served, mode = settings.served, settings.effective_mode
    active = [one for one in await desk.ledger.mandates(settings.name) if one.active(now)]
    told = [(one, not_for(one, live=served.live, url=served.url)) for one in active]
    against = (note(f"{one.id} {why}", f"gunbot-mcp mandate revoke {one.id}") for one, why in told if why is not None)
    counting = sum(why is None for _, why in told)
    if served.live and counting and mode is not Mode.AUTO:
        unused = f"{counting} in force, but mode {mode.value} is not auto: nothing uses them"
        return note(unused, "set mode = auto for this instance, or revoke them", *against)
    return well(f"{counting} in force" if counting else "none in force", *against)


async def offered(patient: Patient) -> Finding:
    answer = await patient.runtime.dispatcher.call("list_exchanges", {}, Caller(name="gunbot-mcp doctor"))
    listed = f"{len(tools(patient.settings.effective_mode))} listed"
    if isinstance(answer, Answer) and answer.is_error:
        return broken(f"{listed}, but they fail: {answer.error['message']}", str(answer.error["hint"]))
    return well(f"{listed}, and they answer")
