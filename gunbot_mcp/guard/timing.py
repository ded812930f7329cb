"""How long the guard waits between its tries. Defaults for real life; a test hands in shorter ones."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Pauses in seconds. `looks` are those after the one that belongs to the call, in the background.

    `history_lag`: how long the history may be behind; an order that is gone and has not filled by then was cancelled.
    """

    record_attempts: int = 5
    record_pause: float = 0.1
    looks: int = 2
    look_pause: float = 0.4
    poll: float = 0.4
    history_lag: timedelta = timedelta(seconds=30)
