"""Gunbot's address as people copy it from a browser: a page of its GUI is named as one, with the address it meant."""

import pytest
from pydantic import ValidationError
from support.recorder import recording

from gunbot_mcp.config import Instance
from gunbot_mcp.errors import GatewayInvalidResponse
from gunbot_mcp.gunbot.client import Gunbot

TYPE = "text/html"


@pytest.mark.parametrize(
    ("copied", "meant"),
    [
        ("https://host:3000/#/dashboard", "https://host:3000"),
        ("https://host:3000/#/", "https://host:3000"),
        ("http://127.0.0.1:3000/index.html", "http://127.0.0.1:3000"),
        ("https://host/index.html?token=eyJhbGciOi#/trading", "https://host"),
        ("https://[::1]:3000/#/charts", "https://[::1]:3000"),
    ],
)
def test_a_page_of_the_gui_is_named_as_one_and_the_hint_is_accepted(copied: str, meant: str) -> None:
    with pytest.raises(ValidationError, match="a page of Gunbot's GUI") as caught:
        Instance(url=copied)
    said = caught.value.errors()[0]["msg"]
    assert said.endswith(f"its address alone is {meant}")
    assert "eyJ" not in said
    assert Instance(url=meant).url == meant


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://host:3000/", "https://host:3000"),
        ("https://host:3000/#", "https://host:3000"),
        ("https://host:3000/api/v1/", "https://host:3000"),
        ("https://home.example/gunbot", "https://home.example/gunbot"),
        ("", ""),
    ],
)
def test_an_address_is_kept_without_what_the_adapter_adds(given: str, kept: str) -> None:
    assert Instance(url=given).url == kept


@pytest.mark.parametrize(
    "given", ["host:3000", "ftp://host", "https://user:pw@host", "https://host?x=1", "https://h:0"]
)
def test_what_is_no_address_is_refused_without_repeating_it(given: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Instance(url=given)
    assert "pw" not in str(caught.value)


@pytest.mark.anyio
async def test_a_path_that_answers_with_a_page_is_told_as_one(token: str) -> None:
    with recording() as served:
        served.on("*", served.http(200, b"<!doctype html><title>Gunbot</title>", TYPE))
        instance = Instance.model_validate({"url": f"{served.url}/dashboard", "token": token})
        async with Gunbot(instance) as gunbot:
            with pytest.raises(GatewayInvalidResponse) as caught:
                await gunbot.server_time()
        assert caught.value.hint.endswith(f"leave it out: {served.url}")
