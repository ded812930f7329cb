"""The two checks of a day's history: what was lost, and how many orders Gunbot rejected in a row. See `losses`."""

from gunbot_mcp.domain import Purpose, money
from gunbot_mcp.errors import Hint, LimitExceeded
from gunbot_mcp.guard.case import Case

_RESUME = Hint(
    "wait for the next UTC day, or a human runs gunbot-mcp resume --loss; exits still go",
    "wait for the next UTC day, or run gunbot-mcp resume --loss; exits still go",
)


def check_day_loss(case: Case) -> tuple[str, ...]:
    """Refuse an entry once the day's recorded losses have reached the limit, or on a live instance are not known."""
    found = case.day_loss
    if case.purpose is Purpose.EXIT or found is None:
        return ()
    most = case.limits.max_day_loss.get(found.asset)
    if most is None:
        return ()
    if found.loss >= most and found.loss > 0:
        raise LimitExceeded(
            f"today's closed orders lost {money(found.loss)} {found.asset}, whoever placed them; "
            f"at {money(most)} a day nothing more is entered",
            _RESUME,
        )
    if found.unknown is not None and case.live:
        raise LimitExceeded(
            f"what was lost today is not known now: {found.unknown}; without that nothing is entered",
            "it is read in the background: try again in some seconds; get_limits says when it is known; exits still go",
            human="it is read in the background: try again in some seconds; exits still go",
        )
    return ()


def check_rejections(case: Case) -> tuple[str, ...]:
    """Refuse an entry once Gunbot has rejected so many orders in a row."""
    most = case.limits.halt_after_rejections
    if case.purpose is not Purpose.EXIT and most and case.rejections >= most:
        raise LimitExceeded(f"Gunbot has rejected {case.rejections} orders in a row today; at {most} it stops", _RESUME)
    return ()
