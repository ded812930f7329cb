"""How long the guard waits between its tries. Defaults for real life; a test hands in shorter ones."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Pauses in seconds. `looks` are those after the one that belongs to the call, in the background.

    Orders are followed to their end: every `follow_young` while one is younger than `young`, every `follow_old` until
    it is `old`, then every `follow_oldest`, for `followed_for`. `between_requests` is the least time between two
    requests of that reader, `away` how long it leaves a Gunbot alone that did not answer, `lease` how long one process
    is the one that reads. No `looks`: nothing is read in the background at all.
    """

    record_attempts: int = 5
    record_pause: float = 0.1
    looks: int = 2
    look_pause: float = 0.4
    poll: float = 0.4
    follow_young: float = 5.0
    follow_old: float = 60.0
    follow_oldest: float = 600.0
    young: float = 120.0
    old: float = 3600.0
    followed_for: float = 7 * 86_400.0
    between_requests: float = 1.0
    away: float = 60.0
    lease: float = 30.0
