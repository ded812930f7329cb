"""The adapter: one POST per order whatever happens, patient reads, and each failure mapped once to its code."""

import gzip
import logging
import traceback
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING

import httpx2
import pytest
from support.recorder import SHORTLY

from gunbot_mcp.config import Instance
from gunbot_mcp.endpoints import BY_NAME, LimitArgs, OrdersArgs, OrdersTodayArgs
from gunbot_mcp.errors import (
    GatewayError,
    GatewayInvalidResponse,
    GatewayRejected,
    GatewayTimeout,
    GatewayUnreachable,
    Unauthorized,
)
from gunbot_mcp.gunbot.client import Gunbot

if TYPE_CHECKING:
    from support.recorder import Recorder, Reply

pytestmark = pytest.mark.anyio

BUY = BY_NAME["buy_limit"]
ORDER = LimitArgs(exchange="binance", pair="USDT-BTC", amount=Decimal("0.001"), price=Decimal(50000))
ORDERS = BY_NAME["list_orders"]
OF_BTC = OrdersArgs(key="binance/USDT-BTC")

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
FAULTS: dict[str, tuple[Callable[["Recorder"], "Reply"], type[GatewayError], bool]] = {
    # what Gunbot does: how, the error, whether a read is worth another try
    "accepts and closes": (lambda r: r.raw(b""), GatewayUnreachable, True),
    "accepts and resets": (lambda r: r.raw(b"", "reset"), GatewayUnreachable, True),
    "closes amid the head": (lambda r: r.raw(b"HTTP/1.1 200 OK\r\nContent-Ty"), GatewayUnreachable, True),
    "closes amid the body": (lambda r: r.raw(OK + b'Content-Length: 99\r\n\r\n{"sta'), GatewayUnreachable, True),
    "resets amid the body": (lambda r: r.raw(OK + b"Content-Length: 99\r\n\r\n{", "reset"), GatewayUnreachable, True),
    "closes amid a chunk": (
        lambda r: r.raw(OK + b"Transfer-Encoding: chunked\r\n\r\nFF\r\n{"),
        GatewayUnreachable,
        True,
    ),
    "speaks another protocol": (lambda r: r.raw(b"SSH-2.0-OpenSSH_9.9\r\n"), GatewayUnreachable, True),
    "never answers": (lambda r: r.raw(b"", "hang"), GatewayTimeout, True),
    "stops amid the head": (lambda r: r.raw(b"HTTP/1.1 200 OK\r\n", "hang"), GatewayTimeout, True),
    "stops amid the body": (lambda r: r.raw(OK + b"Content-Length: 99\r\n\r\n{", "hang"), GatewayTimeout, True),
    "200 and nothing": (lambda r: r.http(200, b""), GatewayInvalidResponse, False),
    "200 and junk": (lambda r: r.http(200, b"\x00\xff\xfe junk"), GatewayInvalidResponse, False),
    "200 and a page": (lambda r: r.http(200, b"<html>Hi</html>", "text/html"), GatewayInvalidResponse, False),
    "200 and half a JSON": (lambda r: r.http(200, b'{"status":"suc'), GatewayInvalidResponse, False),
    "200 and two JSONs": (lambda r: r.http(200, b"{}{}"), GatewayInvalidResponse, False),
    "200 and null": (lambda r: r.json("null"), GatewayInvalidResponse, False),
    "200 and a list": (lambda r: r.json("[]"), GatewayInvalidResponse, False),
    "200 and a string": (lambda r: r.json('"success"'), GatewayInvalidResponse, False),
    "200 and an empty object": (lambda r: r.json("{}"), GatewayInvalidResponse, False),
    "200 and NaN": (lambda r: r.json('{"status": NaN}'), GatewayInvalidResponse, False),
    "200 and bytes that are no text": (lambda r: r.http(200, b'{"status":"\xff"}'), GatewayInvalidResponse, False),
    "200 and a lone surrogate": (lambda r: r.json('{"status":"\\ud800"}'), GatewayInvalidResponse, False),
    "200 and a deep hole": (lambda r: r.json("[" * 100_000), GatewayInvalidResponse, False),
    "200 and no gzip": (
        lambda r: r.http(200, b"{}", extra="Content-Encoding: gzip\r\n"),
        GatewayInvalidResponse,
        False,
    ),
    "200 and an error in Gunbot's shape": (
        lambda r: r.json({"status": "error", "message": "Invalid input"}),
        GatewayRejected,
        False,
    ),
    "204": (lambda r: r.raw(b"HTTP/1.1 204 No Content\r\n\r\n"), GatewayInvalidResponse, False),
    "302": (
        lambda r: r.http(302, b"", extra=f"Location: {r.url}/api/v1/trade/sell\r\n"),
        GatewayInvalidResponse,
        False,
    ),
    "307": (lambda r: r.http(307, b"", extra=f"Location: {r.url}/api/v1/time\r\n"), GatewayInvalidResponse, False),
    "400 in Gunbot's shape": (
        lambda r: r.json({"status": "error", "message": "Invalid input", "code": None}, 400),
        GatewayRejected,
        False,
    ),
    "400 in another shape": (lambda r: r.json({"error": "no"}, 400), GatewayInvalidResponse, False),
    "400 and a page": (lambda r: r.http(400, b"<h1>no</h1>", "text/html"), GatewayInvalidResponse, False),
    "401 in Gunbot's shape": (
        lambda r: r.json({"status": "error", "message": "Authentication required", "code": 401}, 401),
        Unauthorized,
        False,
    ),
    "401 and a page": (lambda r: r.http(401, b"<h1>who?</h1>", "text/html"), Unauthorized, False),
    "403 and a page": (lambda r: r.http(403, b"<h1>no</h1>", "text/html"), GatewayInvalidResponse, False),
    "404 and a page": (lambda r: r.http(404, b"Cannot GET", "text/html"), GatewayInvalidResponse, False),
    "404 in Gunbot's shape": (lambda r: r.json({"status": "error", "message": "?"}, 404), GatewayRejected, False),
    "429": (lambda r: r.http(429, b"slow down", "text/plain"), GatewayInvalidResponse, True),
    "500 in Gunbot's shape": (
        lambda r: r.json({"status": "error", "message": "An internal error occurred"}, 500),
        GatewayInvalidResponse,
        True,
    ),
    "500 and a page": (lambda r: r.http(500, b"<h1>oops</h1>", "text/html"), GatewayInvalidResponse, True),
    "502 and nothing": (lambda r: r.http(502, b""), GatewayInvalidResponse, True),
    "503": (lambda r: r.http(503, b"later", "text/plain"), GatewayInvalidResponse, True),
}


def _adapter(url: str, token: str, *, waits: float = 30) -> Gunbot:
    instance = Instance.model_validate({"url": url, "token": token, "read_timeout": waits})
    return Gunbot(instance, transport=httpx2.AsyncHTTPTransport(verify=False), backoff=SHORTLY)


def _patience(error: type[GatewayError]) -> float:
    """Return seconds: few only where nothing will come, so that a busy machine changes no result."""
    return 0.1 if error is GatewayTimeout else 30


@pytest.mark.parametrize("fault", FAULTS)
async def test_an_order_is_sent_once_whatever_gunbot_does(recorder: "Recorder", token: str, fault: str) -> None:
    reply, error, _ = FAULTS[fault]
    recorder.on("*", reply(recorder))

    async with _adapter(recorder.url, token, waits=_patience(error)) as gunbot:
        with pytest.raises(GatewayError) as caught:
            await gunbot.trade(BUY, ORDER)

    assert caught.value.code == error.code
    assert caught.value.delivered is True
    assert caught.value.message
    assert recorder.paths(1) == ["/api/v1/trade/buy"]


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_read_is_tried_three_times_and_only_where_that_can_help(
    recorder: "Recorder", token: str, fault: str
) -> None:
    reply, error, worth_it = FAULTS[fault]
    recorder.on("*", reply(recorder))

    async with _adapter(recorder.url, token, waits=_patience(error)) as gunbot:
        with pytest.raises(GatewayError) as caught:
            await gunbot.read(ORDERS, OF_BTC)

    assert caught.value.code == error.code
    assert caught.value.retryable is worth_it
    tries = 3 if worth_it else 1
    assert recorder.paths(tries) == ["/api/v1/orders"] * tries


async def test_only_a_refused_connection_is_known_not_to_have_delivered(refusing_url: str, token: str) -> None:
    async with _adapter(refusing_url, token) as gunbot:
        with pytest.raises(GatewayUnreachable) as caught:
            await gunbot.trade(BUY, ORDER)

    assert caught.value.delivered is False


async def test_a_name_that_does_not_resolve_has_not_delivered(token: str) -> None:
    async with _adapter("https://gunbot.invalid:3000", token) as gunbot:
        with pytest.raises(GatewayUnreachable) as caught:
            await gunbot.trade(BUY, ORDER)

    assert caught.value.delivered is False


async def test_a_read_succeeds_when_gunbot_comes_back(gunbot: Gunbot, recorder: "Recorder") -> None:
    recorder.on("/orders", recorder.http(503, b""), recorder.raw(b""), recorder.json({"data": []}))

    assert await gunbot.read(ORDERS, OF_BTC) == {"data": []}
    assert len(recorder.requests) == 3


async def test_between_tries_it_waits_longer_each_time_and_never_the_same(recorder: "Recorder", token: str) -> None:
    waits: list[float] = []

    async def noted(seconds: float) -> None:
        waits.append(seconds)

    recorder.on("*", recorder.http(503, b""))

    async with Gunbot(Instance.model_validate({"url": recorder.url, "token": token}), sleep=noted) as gunbot:
        for _ in range(5):
            with pytest.raises(GatewayError):
                await gunbot.read(ORDERS, OF_BTC)

    assert all(0.2 <= wait <= 0.4 for wait in waits[::2])
    assert all(0.4 <= wait <= 0.8 for wait in waits[1::2])
    assert len(set(waits)) == 10


@pytest.mark.parametrize("name", ["balances", "all_open_orders"])
async def test_reads_that_are_posts_are_not_repeated(gunbot: Gunbot, recorder: "Recorder", name: str) -> None:
    recorder.on("*", recorder.http(503, b""))

    with pytest.raises(GatewayInvalidResponse):
        await getattr(gunbot, name)()

    assert len(recorder.requests) == 1


@pytest.mark.parametrize("content_type", ["text/html", "text/plain; charset=latin-1", "application/octet-stream"])
async def test_gunbots_json_counts_whatever_its_content_type_says(
    gunbot: Gunbot, recorder: "Recorder", content_type: str
) -> None:
    recorder.on("*", recorder.http(200, b'{"status": "success", "message": "Order sent"}', content_type))

    assert await gunbot.trade(BUY, ORDER) == "Order sent"


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
async def test_an_answer_without_end_is_cut_off(recorder: "Recorder", token: str, encoding: str) -> None:
    body = b'{"data":"' + b"x" * 5_000_000 + b'"}'
    sent = gzip.compress(body) if encoding == "gzip" else body
    recorder.on("*", recorder.http(200, sent, extra=f"Content-Encoding: {encoding}\r\n"))

    async with Gunbot(Instance.model_validate({"url": recorder.url, "token": token}), max_body=2**20) as gunbot:
        with pytest.raises(GatewayInvalidResponse, match="larger than 1 MiB"):
            await gunbot.read(ORDERS, OF_BTC)


async def test_redirects_are_not_followed(gunbot: Gunbot, recorder: "Recorder") -> None:
    recorder.on("/trade/buy", recorder.http(308, b"", extra=f"Location: {recorder.url}/api/v1/trade/sell\r\n"))

    with pytest.raises(GatewayInvalidResponse, match="redirect"):
        await gunbot.trade(BUY, ORDER)

    assert recorder.to("/trade/sell") == []


@pytest.mark.parametrize(
    ("body", "shown"),
    [('{"status":"success"}', ""), ('{"status":"success","message":5}', "5"), ('{"status":"success","x":1}', "")],
)
async def test_success_counts_without_its_usual_words(
    gunbot: Gunbot, recorder: "Recorder", body: str, shown: str
) -> None:
    recorder.on("*", recorder.json(body))

    assert await gunbot.trade(BUY, ORDER) == shown


async def test_lists_repeat_their_name_and_everything_is_encoded_once(gunbot: Gunbot, recorder: "Recorder") -> None:
    args = OrdersTodayArgs(timezone="Etc/GMT+5", keys=["binance#2/USDT-BTC", "bitmex/XBTUSD"])

    await gunbot.read(BY_NAME["list_orders_today"], args)

    [request] = recorder.requests
    assert request.target == (
        "/api/v1/orders/day?timezone=Etc%2FGMT%2B5&keys%5B%5D=binance%232%2FUSDT-BTC&keys%5B%5D=bitmex%2FXBTUSD"
    )


async def test_one_key_is_still_a_list(gunbot: Gunbot, recorder: "Recorder") -> None:
    await gunbot.read(BY_NAME["list_orders_today"], OrdersTodayArgs(timezone="UTC", keys=["binance/USDT-BTC"]))

    assert recorder.requests[0].target.endswith("?timezone=UTC&keys%5B%5D=binance%2FUSDT-BTC")


async def test_a_url_may_have_a_path_before_the_api(recorder: "Recorder", token: str) -> None:
    recorder.on("*", recorder.json({"status": "success"}))

    async with _adapter(f"{recorder.url}/gunbot", token) as gunbot:
        await gunbot.trade(BUY, ORDER)

    assert recorder.requests[0].target == "/gunbot/api/v1/trade/buy"


async def test_proxies_of_the_environment_are_not_used(
    recorder: "Recorder", refusing_url: str, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, refusing_url)

    async with Gunbot(Instance.model_validate({"url": recorder.url, "token": token})) as gunbot:
        assert await gunbot.trade(BUY, ORDER) == "Order sent"


def _kinds(base: type[Exception]) -> Iterator[type[Exception]]:
    for kind in base.__subclasses__():
        yield kind
        yield from _kinds(kind)


KINDS = sorted({*_kinds(httpx2.HTTPError), *_kinds(httpx2.StreamError)}, key=lambda kind: kind.__name__)
UNDELIVERED = {"ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol"}


@pytest.mark.parametrize("kind", KINDS)
async def test_every_exception_of_httpx2_becomes_an_error_of_ours(kind: type[Exception], token: str) -> None:
    exception = kind.__new__(kind)
    Exception.__init__(exception, f"something about {token}")

    def fail(request: httpx2.Request) -> httpx2.Response:
        del request
        raise exception

    instance = Instance.model_validate({"url": "https://gunbot.invalid", "token": token})
    async with Gunbot(instance, transport=httpx2.MockTransport(fail)) as gunbot:
        with pytest.raises(GatewayError) as caught:
            await gunbot.trade(BUY, ORDER)

    assert caught.value.delivered is (kind.__name__ not in UNDELIVERED)
    assert token not in f"{caught.value} {caught.value!r} {caught.value.as_dict()}"


async def test_the_token_is_in_no_error_no_log_and_no_repr(
    recorder: "Recorder", token: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    plain = "plain-token-that-looks-like-nothing"
    said: list[str] = []
    for secret in (token, plain):
        echo = {"status": "error", "message": f"bad token {secret} in Bearer {secret}"}
        async with _adapter(recorder.url, secret) as gunbot:
            for reply in (recorder.json(echo, 401), recorder.json(echo, 400), recorder.json(echo, 500)):
                recorder.on("*", reply)
                for call in (gunbot.trade(BUY, ORDER), gunbot.read(ORDERS, OF_BTC)):
                    with pytest.raises(GatewayError) as caught:
                        await call
                    said += [str(caught.value), repr(caught.value.as_dict()), *traceback.format_exception(caught.value)]
            said += [repr(gunbot), str(vars(gunbot)["_instance"]), repr(vars(gunbot)["_http"])]

    everything = "\n".join([*said, *caplog.messages])
    assert "[secret]" in everything
    assert plain not in everything
    assert token not in everything


async def test_what_gunbot_says_is_clipped_and_cleaned(gunbot: Gunbot, recorder: "Recorder") -> None:
    recorder.on("*", recorder.json({"status": "error", "message": "\x1b[31mno\u202e\u0000 " + "x" * 10_000}, 400))

    with pytest.raises(GatewayRejected) as caught:
        await gunbot.trade(BUY, ORDER)

    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 300


async def test_a_client_that_was_never_used_closes_its_transport() -> None:
    closed: list[bool] = []

    class Transport(httpx2.AsyncBaseTransport):
        async def aclose(self) -> None:
            closed.append(True)

    await Gunbot(Instance(), transport=Transport()).aclose()
    assert closed == [True]
