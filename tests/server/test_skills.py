"""The Skills extension: what a client lists, reads and can check, and what the skills say."""

import hashlib
import re
from typing import TYPE_CHECKING, Any, Literal

import pytest
from mcp import Client, types
from mcp.shared.exceptions import MCPError
from pydantic import Field
from ruamel.yaml import YAML
from support.calls import BOTH_ERAS, Era

from gunbot_mcp.server.app import build_server
from gunbot_mcp.server.skills.skills import SKILLS_EXTENSION, TEACHES, skill_named
from gunbot_mcp.tools.inventory import inventory

if TYPE_CHECKING:
    from gunbot_mcp.runtime import Runtime

URI = "skill://placing-orders/SKILL.md"
HISTORY = {"analyze_orders", "query_orders", "chart_orders"}


class ListSkills(types.Request[types.PaginatedRequestParams, Literal["skills/list"]]):
    method: Literal["skills/list"] = "skills/list"
    params: types.PaginatedRequestParams


class GetSkillParams(types.RequestParams):
    uri: str


class GetSkill(types.Request[GetSkillParams, Literal["skills/get"]]):
    method: Literal["skills/get"] = "skills/get"
    params: GetSkillParams


class Anything(types.Result):
    skills: list[dict[str, Any]] = Field(default_factory=list[dict[str, Any]])
    skill: dict[str, Any] = Field(default_factory=dict[str, Any])


def _front_matter(text: str) -> Any:  # noqa: ANN401 - any YAML value
    yaml: Any = YAML(typ="safe")
    return yaml.load(text.split("---")[1])


async def _listed(client: Client) -> list[dict[str, Any]]:
    return (await client.session.send_request(ListSkills(params=types.PaginatedRequestParams()), Anything)).skills


async def _got(client: Client, uri: str) -> dict[str, Any]:
    return (await client.session.send_request(GetSkill(params=GetSkillParams(uri=uri)), Anything)).skill


@pytest.mark.anyio
@BOTH_ERAS
async def test_a_skill_is_listed_and_its_file_is_what_the_list_says(runtime: "Runtime", era: Era) -> None:
    async with Client(build_server(runtime), mode=era) as client:
        entries = {entry["uri"]: entry for entry in await _listed(client)}
        (content,) = (await client.read_resource(URI)).contents
        got = await _got(client, URI)
        resources = {resource.uri: resource for resource in (await client.list_resources()).resources}

    assert isinstance(content, types.TextResourceContents)
    raw = content.text.encode()
    entry = entries[URI]
    digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
    assert entry["resources"] == [{"uri": URI, "digest": digest, "size": len(raw)}]
    assert entry["frontmatter"] == _front_matter(content.text)
    assert got == entry
    assert (resources[URI].mime_type, resources[URI].size) == ("text/markdown", len(raw))


@pytest.mark.anyio
async def test_from_2026_07_28_on_the_server_declares_the_extension(runtime: "Runtime") -> None:
    async with Client(build_server(runtime), mode="auto") as client:
        capabilities = client.server_capabilities

    assert capabilities is not None
    assert (capabilities.extensions or {})[SKILLS_EXTENSION] == {}


@pytest.mark.anyio
@BOTH_ERAS
async def test_where_no_skill_is_the_answer_is_invalid_params(runtime: "Runtime", era: Era) -> None:
    async with Client(build_server(runtime), mode=era) as client:
        for uri in ("skill://none/SKILL.md", "skill://placing-orders/", "gunbot://limits", ""):
            with pytest.raises(MCPError) as caught:
                await _got(client, uri)
            assert caught.value.code == types.INVALID_PARAMS


@pytest.mark.anyio
@BOTH_ERAS
async def test_a_skill_whose_tools_are_not_there_is_not_there_either(read_only: "Runtime", era: Era) -> None:
    async with Client(build_server(read_only), mode=era) as client:
        assert URI not in {entry["uri"] for entry in await _listed(client)}
        with pytest.raises(MCPError) as caught:
            await client.read_resource(URI)

    assert caught.value.code == types.INVALID_PARAMS


@pytest.mark.parametrize("name", TEACHES)
def test_a_skill_keeps_the_rules_of_skills_and_is_short(name: str) -> None:
    skill = skill_named(name)
    front = _front_matter(skill.text)

    assert skill.frontmatter == front
    assert front["name"] == name
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)
    assert 40 < len(front["description"]) <= 1024
    assert len(skill.text.encode()) < 4_000
    assert "\r" not in skill.text


@pytest.mark.parametrize("name", TEACHES)
def test_a_skill_names_only_tools_that_are_there(name: str) -> None:
    tools = {tool.name for tool in inventory()} | HISTORY
    quoted = set(re.findall(r"`([a-z]+_[a-z_]+)`", skill_named(name).text))
    arguments = {"awaiting_approval", "duplicate_order", "repeat_of", "order_id", "order_type", "group_by", "value_in"}

    assert quoted - arguments
    assert quoted - arguments <= tools
    assert set(TEACHES[name]) <= tools
