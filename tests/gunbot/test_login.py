"""Logging in with Gunbot's password: its encryption, once, and never seen."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anyio
import httpx2
import pytest

from gunbot_mcp.config import Instance
from gunbot_mcp.endpoints import BY_NAME
from gunbot_mcp.errors import ConfigInvalid, GatewayError, Unauthorized
from gunbot_mcp.gunbot.client import Gunbot
from gunbot_mcp.gunbot.login import encrypt_password

if TYPE_CHECKING:
    from support.recorder import Recorder, Reply

BUY = BY_NAME["buy_market"]
ORDER = BUY.args.model_validate({"exchange": "binance", "pair": "USDT-BTC", "amount": 1})


def _with_password(url: str, **more: object) -> Gunbot:
    facts: dict[str, Any] = {"url": url, "password": "hunter2", "wallet": "0123456789abcdef-and-more", **more}
    return Gunbot(Instance.model_validate(facts), transport=httpx2.AsyncHTTPTransport(verify=False))


def test_a_password_is_encrypted_as_gunbot_documents_it() -> None:
    assert encrypt_password("hunter2", "0123456789abcdef") == "ENC:5WrPd8556C66kUtoGbal5g=="


def test_only_the_first_sixteen_bytes_of_the_wallet_count() -> None:
    assert encrypt_password("hunter2", "0123456789abcdefXYZ") == "ENC:5WrPd8556C66kUtoGbal5g=="


@pytest.mark.parametrize("password", ["", "x" * 16, "pässwörd", "x" * 1000])
def test_any_password_is_one_line_of_whole_blocks(password: str) -> None:
    encrypted = encrypt_password(password, "0123456789abcdef")

    assert encrypted.startswith("ENC:")
    assert "\n" not in encrypted


@pytest.mark.parametrize("wallet", ["", "0123456789abcde"])
def test_a_wallet_that_is_too_short_is_a_config_error(wallet: str) -> None:
    with pytest.raises(ConfigInvalid, match="16 bytes"):
        encrypt_password("hunter2", wallet)


@pytest.mark.anyio
async def test_many_calls_at_once_log_in_once_and_use_the_token(recorder: "Recorder", token: str) -> None:
    async with _with_password(recorder.url) as gunbot, anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(gunbot.server_time)

    first, *rest = recorder.requests
    assert (first.method, first.target) == ("POST", "/api/v1/auth/login")
    assert first.body == b'{"password":"ENC:5WrPd8556C66kUtoGbal5g=="}'
    assert "authorization" not in first.headers
    assert [(request.path, request.headers["authorization"]) for request in rest] == [
        ("/api/v1/time", f"Bearer {token}")
    ] * 10


@pytest.mark.anyio
async def test_a_token_makes_the_password_unnecessary(recorder: "Recorder", token: str) -> None:
    async with _with_password(recorder.url, token=token) as gunbot:
        await gunbot.server_time()

    assert [request.path for request in recorder.requests] == ["/api/v1/time"]


@pytest.mark.anyio
@pytest.mark.parametrize("status", [200, 401, 500])
async def test_an_order_whose_login_fails_is_known_not_to_have_been_sent(recorder: "Recorder", status: int) -> None:
    recorder.on(
        "/auth/login", recorder.json({"status": "error", "message": "hunter2 ENC:5WrPd8556C66kUtoGbal5g=="}, status)
    )

    async with _with_password(recorder.url) as gunbot:
        with pytest.raises(GatewayError) as caught:
            await gunbot.trade(BUY, ORDER)

    assert caught.value.delivered is False
    assert "hunter2" not in str(caught.value)
    assert "5WrPd" not in str(caught.value)
    assert recorder.to("/trade/buy/market") == []


@pytest.mark.anyio
@pytest.mark.parametrize("given", [None, "", 5, "two words", "tökén", "a\nb"])
async def test_a_login_without_a_token_is_unauthorized(recorder: "Recorder", given: object) -> None:
    recorder.on("/auth/login", recorder.json({"status": "success", "token": given}))

    async with _with_password(recorder.url) as gunbot:
        with pytest.raises(Unauthorized) as caught:
            await gunbot.server_time()

    assert caught.value.delivered is False


@pytest.mark.anyio
async def test_after_a_failed_login_the_next_call_tries_again(recorder: "Recorder") -> None:
    good: Reply = recorder.json({"status": "success", "token": "fresh"})
    recorder.on("/auth/login", recorder.http(401, b""), good)

    async with _with_password(recorder.url) as gunbot:
        with pytest.raises(Unauthorized):
            await gunbot.server_time()
        await gunbot.server_time()

    assert recorder.to("/time")[0].headers["authorization"] == "Bearer fresh"


@pytest.mark.anyio
async def test_a_login_that_has_run_out_is_renewed_before_the_next_order_and_no_order_waits_for_it_or_is_repeated(
    recorder: "Recorder", token: str
) -> None:
    expired = recorder.json({"status": "error", "message": "Authentication required", "code": 401}, 401)
    sent = recorder.json({"status": "success", "message": "Order sent"})
    recorder.on("/trade/buy/market", expired, sent)
    async with _with_password(recorder.url) as gunbot:
        await gunbot.log_in()
        with pytest.raises(Unauthorized):
            await gunbot.trade(BUY, ORDER)
        assert len(recorder.to("/trade/buy/market")) == 1

        with pytest.raises(GatewayError) as caught:
            await gunbot.trade(BUY, ORDER)
        assert caught.value.delivered is False
        assert len(recorder.to("/trade/buy/market")) == 1

        await gunbot.log_in()
        assert await gunbot.trade(BUY, ORDER) == "Order sent"

    assert len(recorder.to("/auth/login")) == 2
    assert recorder.to("/trade/buy/market")[-1].headers["authorization"] == f"Bearer {token}"


@pytest.mark.anyio
@pytest.mark.parametrize("read", ["server_time", "balances", "all_open_orders"])
async def test_a_read_after_the_login_has_run_out_logs_in_again_by_itself(recorder: "Recorder", read: str) -> None:
    expired = recorder.json({"status": "error", "message": "Authentication required", "code": 401}, 401)
    answers: dict[str, Any] = {
        "/time": {"serverTime": 5},
        "/balances": [],
        "/coremem": {"memory": {}},
    }
    for path, answer in answers.items():
        recorder.on(path, expired, recorder.json(answer))
    recorder.on(
        "/auth/login",
        recorder.json({"status": "success", "token": "first"}),
        recorder.json({"status": "success", "token": "second"}),
    )

    async with _with_password(recorder.url) as gunbot:
        await getattr(gunbot, read)()

    tokens = [request.headers.get("authorization") for request in recorder.requests]
    assert tokens == [None, "Bearer first", None, "Bearer second"]


@pytest.mark.anyio
async def test_a_read_logs_in_again_once_and_no_more(recorder: "Recorder") -> None:
    recorder.on("/time", recorder.json({"status": "error", "message": "Authentication required"}, 401))

    async with _with_password(recorder.url) as gunbot:
        with pytest.raises(Unauthorized):
            await gunbot.server_time()

    assert len(recorder.to("/auth/login")) == 2
    assert len(recorder.to("/time")) == 2


@pytest.mark.anyio
async def test_a_token_that_nobody_can_renew_is_refused_at_once(gunbot: Gunbot, recorder: "Recorder") -> None:
    recorder.on("/time", recorder.json({"status": "error", "message": "Authentication required"}, 401))

    with pytest.raises(Unauthorized, match="token"):
        await gunbot.server_time()

    assert [request.path for request in recorder.requests] == ["/api/v1/time"]


@pytest.mark.anyio
@pytest.mark.parametrize("status", [200, 400, 401, 403])
async def test_a_wrong_password_is_said_to_be_one(recorder: "Recorder", status: int) -> None:
    recorder.on("/auth/login", recorder.json({"status": "error", "message": "Invalid credentials"}, status))

    async with _with_password(recorder.url) as gunbot:
        with pytest.raises(Unauthorized) as caught:
            await gunbot.server_time()

    assert caught.value.message == "Gunbot does not accept the password: Invalid credentials"
    assert "wallet" in caught.value.hint
    assert len(recorder.to("/auth/login")) == 1
    assert recorder.to("/time") == []


@pytest.mark.anyio
@pytest.mark.parametrize("answer", ["500", "closed"])
async def test_a_login_that_fails_is_posted_once(recorder: "Recorder", answer: str) -> None:
    recorder.on("/auth/login", recorder.http(500, b"") if answer == "500" else recorder.raw(b""))

    async with _with_password(recorder.url) as gunbot:
        with pytest.raises(GatewayError) as caught:
            await gunbot.server_time()

    assert caught.value.delivered is False
    assert [request.path for request in recorder.requests] == ["/api/v1/auth/login"]


@pytest.mark.anyio
async def test_reads_that_wait_for_a_login_that_fails_do_not_each_post_another(recorder: "Recorder") -> None:
    recorder.on("/auth/login", replace(recorder.json({"status": "error", "message": "no"}, 401), late=0.3))
    refused: list[Unauthorized] = []

    async with _with_password(recorder.url) as gunbot, anyio.create_task_group() as group:

        async def ask() -> None:
            with pytest.raises(Unauthorized) as caught:
                await gunbot.server_time()
            refused.append(caught.value)

        for _ in range(5):
            group.start_soon(ask)

    assert len(refused) == 5
    assert len(recorder.requests) == 1
