"""A certificate that is pinned by its SHA-256: this one passes whatever else is wrong with it, and no other does."""

import ssl
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError
from support.certificates import DAY, behind, make
from support.recorder import Recorder

from gunbot_mcp.config import Instance
from gunbot_mcp.endpoints import BY_NAME
from gunbot_mcp.errors import GatewayUnreachable
from gunbot_mcp.gunbot.certificate import presented, read
from gunbot_mcp.gunbot.client import Gunbot
from gunbot_mcp.gunbot.tls import Untrusted

if TYPE_CHECKING:
    from support.live import LiveGunbot

pytestmark = pytest.mark.anyio
BUY = BY_NAME["buy_market"]
ORDER = BUY.args.model_validate({"exchange": "binance", "pair": "USDT-BTC", "amount": 1})


def adapter(url: str, **fields: object) -> Gunbot:
    return Gunbot(Instance.model_validate({"url": url, **fields}))


async def refused(served: Recorder, **fields: object) -> GatewayUnreachable:
    """Ask and order; return the refusal, after nothing at all has arrived."""
    async with adapter(served.url, **fields) as gunbot:
        with pytest.raises(GatewayUnreachable) as read_refused:
            await gunbot.server_time()
        with pytest.raises(GatewayUnreachable) as order_refused:
            await gunbot.trade(BUY, ORDER)
    assert (read_refused.value.delivered, order_refused.value.delivered) == (False, False)
    assert str(read_refused.value) == str(order_refused.value)
    assert served.requests == []
    return read_refused.value


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("lasts", [DAY, timedelta(days=-1)])
async def test_the_pinned_certificate_passes_whatever_its_name_chain_and_dates(
    tmp_path: Path, token: str, lasts: timedelta, newest: ssl.TLSVersion
) -> None:
    made = make(tmp_path, lasts=lasts)
    with behind(made, newest=newest) as served:
        async with adapter(served.url, token=token, tls_fingerprint=made.fingerprint) as gunbot:
            assert await gunbot.server_time()
            assert await gunbot.trade(BUY, ORDER) == "Order sent"


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_another_certificate_gets_no_request_and_no_token_and_is_shown_to_no_model(
    tmp_path: Path, token: str, newest: ssl.TLSVersion
) -> None:
    pinned, other = make(tmp_path / "a"), make(tmp_path / "b")
    with behind(other, newest=newest) as served:
        error = await refused(served, token=token, tls_fingerprint=pinned.fingerprint)

    assert isinstance(error, Untrusted)
    assert "another one" in error.message
    assert error.hint == "a human can see it with `gunbot-mcp doctor`"
    for fingerprint in (pinned.fingerprint, other.fingerprint):
        assert fingerprint[:8] not in f"{error!r} {error}"


async def test_a_certificate_that_the_ca_file_trusts_is_refused_where_another_one_is_pinned(
    tmp_path: Path, token: str
) -> None:
    trusted = make(tmp_path / "a", address="127.0.0.1")
    with behind(trusted) as served:
        pin = make(tmp_path / "b").fingerprint
        await refused(served, token=token, ca_file=trusted.certificate, tls_fingerprint=pin)


async def test_a_password_is_not_sent_to_another_certificate(tmp_path: Path) -> None:
    with behind(make(tmp_path / "a")) as served:
        fields = {"password": "hunter2", "wallet": "0123456789abcdef"}
        async with adapter(served.url, tls_fingerprint=make(tmp_path / "b").fingerprint, **fields) as gunbot:
            with pytest.raises(Untrusted):
                await gunbot.log_in()
        assert served.requests == []


async def test_a_certificate_exchanged_while_the_server_runs_is_refused_on_the_next_connection(
    tmp_path: Path, token: str
) -> None:
    first, second = make(tmp_path / "a"), make(tmp_path / "b")
    with behind(first) as one:
        async with adapter(one.url, token=token, tls_fingerprint=first.fingerprint) as gunbot:
            assert await gunbot.server_time()
    with behind(second) as other:
        await refused(other, token=token, tls_fingerprint=first.fingerprint)


async def test_a_certificate_for_localhost_passes_by_its_name_and_its_file(tmp_path: Path, token: str) -> None:
    made = make(tmp_path)
    with behind(made) as served:
        fields = {"token": token, "ca_file": made.certificate, "tls_server_name": "localhost"}
        async with adapter(served.url, **fields) as gunbot:
            assert await gunbot.server_time()


async def test_a_wrong_name_is_told_as_one_though_ca_file_is_set_and_right(tmp_path: Path, token: str) -> None:
    made = make(tmp_path)
    with behind(made) as served:
        error = await refused(served, token=token, ca_file=made.certificate)
        assert "not for 127.0.0.1" in error.message
        assert "tls_server_name" in error.hint
        assert "set ca_file" not in error.hint
        error = await refused(served, token=token, ca_file=made.certificate, tls_server_name="gunbot.example")
        assert "not for gunbot.example" in error.message


@pytest.mark.parametrize(
    ("fields", "what", "step"),
    [
        ({}, "is not trusted", "tls_fingerprint or ca_file"),
        ({"ca_file": "other"}, "neither the one in ca_file nor signed by it", "save the new one in ca_file"),
        ({"ca_file": "own"}, "has expired", "renew it"),
    ],
    ids=["unknown", "not the one in ca_file", "expired"],
)
async def test_what_is_wrong_with_a_certificate_is_told_with_the_next_step(
    fields: dict[str, str], what: str, step: str, tmp_path: Path, token: str
) -> None:
    lasts = timedelta(days=-1) if what == "has expired" else DAY
    own, other = make(tmp_path / "a", address="127.0.0.1", lasts=lasts), make(tmp_path / "b", address="127.0.0.1")
    files = {"own": own.certificate, "other": other.certificate}
    with behind(own) as served:
        error = await refused(served, token=token, **{key: files[value] for key, value in fields.items()})
    assert (what in error.message, step in error.hint) == (True, True), str(error)


async def test_https_to_a_port_that_speaks_plain_http_is_told_as_that(live_gunbot: "LiveGunbot", token: str) -> None:
    async with adapter(live_gunbot.url.replace("http://", "https://"), token=token) as gunbot:
        with pytest.raises(Untrusted) as caught:
            await gunbot.server_time()
    assert "does not speak TLS" in caught.value.message
    assert "url begins with http://" in caught.value.hint
    assert live_gunbot.requests == 0


# What a human looks at


async def test_the_certificate_can_be_looked_at_without_sending_anything(tmp_path: Path) -> None:
    made = make(tmp_path)
    with behind(made) as served:
        found = await presented(Instance(url=served.url))
        assert served.requests == []
    assert (found.fingerprint, found.names) == (made.fingerprint, ("localhost",))
    assert found.expires_at is not None


async def test_a_port_without_tls_or_without_anybody_has_no_certificate(recorder: Recorder, refusing_url: str) -> None:
    for url in (recorder.url, refusing_url):
        with pytest.raises(GatewayUnreachable):
            await presented(Instance(url=url.replace("http://", "https://"), connect_timeout=2))


def test_names_in_a_certificate_cannot_steer_a_terminal_and_nonsense_is_only_a_fingerprint(tmp_path: Path) -> None:
    made = make(tmp_path, common_name="\x1b[2Jlocal\u202ehost")
    found = read(ssl.PEM_cert_to_DER_cert(made.certificate.read_text(encoding="utf-8")))
    assert found.names == (" [2Jlocal host",)
    assert read(b"nonsense").names == ()


# The keys


@pytest.mark.parametrize(
    "text",
    ["ab" * 32, ":".join(["AB"] * 32), f"SHA256 Fingerprint={':'.join(['AB'] * 32)}", f" sha256:{'AB' * 32} "],
)
def test_a_fingerprint_is_taken_as_openssl_and_browsers_show_it(text: str) -> None:
    assert Instance(tls_fingerprint=text).tls_fingerprint == ":".join(["AB"] * 32)


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"tls_fingerprint": "AB" * 20}, "SHA-1"),
        ({"tls_fingerprint": "AB" * 31}, "64 hexadecimal digits"),
        ({"tls_fingerprint": "XY" * 32}, "64 hexadecimal digits"),
        ({"tls_server_name": "https://localhost"}, "name alone"),
        ({"url": "http://127.0.0.1:3000", "tls_fingerprint": "AB" * 32}, "plain http"),
        ({"url": "http://127.0.0.1:3000", "tls_server_name": "localhost"}, "plain http"),
        ({"tls_fingerprint": "AB" * 32, "insecure_skip_verify": True}, "say the opposite"),
        ({"token_keyring": "gunbot"}, "SERVICE/USER"),
    ],
    ids=str,
)
def test_keys_that_cannot_mean_what_they_say_are_refused(fields: dict[str, Any], what: str) -> None:
    with pytest.raises(ValidationError, match=what):
        Instance.model_validate(fields)
