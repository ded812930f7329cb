"""The page that says why trading is still halted after somebody tried to resume it, beside the field that was wrong."""

from dataclasses import dataclass

from gunbot_mcp.errors import GunbotMcpError
from gunbot_mcp.web.frame import Frame, Problem, Served, frame_of, problem_of
from gunbot_mcp.web.switch import Switch


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumePage:
    switch: Switch
    problem: Problem


def resume_page(at: Served, switch: Switch, failure: GunbotMcpError) -> tuple[Frame, ResumePage]:
    page = ResumePage(switch=switch, problem=problem_of(at, failure))
    return frame_of(at, "Trading stays halted", live=at.live, otherwise="gunbot-mcp resume"), page
