"""Gunbot's certificates are mostly self-signed: a CA file makes them good, and doubt stops everything."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gunbot_mcp.config import Instance
from gunbot_mcp.errors import ConfigInvalid, GatewayUnreachable
from gunbot_mcp.gunbot.client import Gunbot

if TYPE_CHECKING:
    from support.recorder import Recorder

pytestmark = pytest.mark.anyio


async def test_a_self_signed_gunbot_is_trusted_through_its_ca_file(
    tls_recorder: "Recorder", certificate: tuple[Path, Path], token: str
) -> None:
    facts = {"url": tls_recorder.url, "token": token, "ca_file": certificate[0]}

    async with Gunbot(Instance.model_validate(facts)) as gunbot:
        assert await gunbot.server_time() == 1731617894238


async def test_without_its_ca_file_nothing_is_sent_and_the_hint_names_the_key(
    tls_recorder: "Recorder", token: str
) -> None:
    async with Gunbot(Instance.model_validate({"url": tls_recorder.url, "token": token})) as gunbot:
        with pytest.raises(GatewayUnreachable) as caught:
            await gunbot.server_time()

    assert caught.value.delivered is False
    assert "ca_file" in caught.value.hint
    assert tls_recorder.requests == []


async def test_a_trusted_certificate_of_another_host_is_refused(
    tls_recorder: "Recorder", certificate: tuple[Path, Path], token: str
) -> None:
    url = tls_recorder.url.replace("127.0.0.1", "localhost")

    async with Gunbot(Instance.model_validate({"url": url, "token": token, "ca_file": certificate[0]})) as gunbot:
        with pytest.raises(GatewayUnreachable):
            await gunbot.server_time()

    assert tls_recorder.requests == []


async def test_switching_verification_off_works_and_is_loud(
    tls_recorder: "Recorder", token: str, caplog: pytest.LogCaptureFixture
) -> None:
    facts = {"url": tls_recorder.url, "token": token, "insecure_skip_verify": True}

    async with Gunbot(Instance.model_validate(facts)) as gunbot:
        assert await gunbot.server_time()

    [warning] = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "OFF" in warning.getMessage()


@pytest.mark.parametrize("content", [None, "", "not a certificate"])
async def test_a_ca_file_that_is_none_is_a_config_error(tmp_path: Path, token: str, content: str | None) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content, encoding="utf-8")

    with pytest.raises(ConfigInvalid, match="ca_file"):
        Gunbot(Instance.model_validate({"url": "https://127.0.0.1", "token": token, "ca_file": file}))
