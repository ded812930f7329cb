"""Handing a notice to real services on loopback: late ones, silent ones, refusing ones; and what is never said."""

import logging
import socket

import anyio
import pytest
from pydantic import SecretStr
from telling.services import service

from gunbot_mcp.telling.targets import Notice, Targets, scheme_of

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.filterwarnings(
        "ignore:'imghdr' is deprecated:DeprecationWarning"
    ),  # by the standard library's own email package
]

SECRET = "hush-hush-topic"
NOTICE = Notice(
    title="gunbot-mcp", short="An order waits (LIVE)", full="waits for you: Buy 0.001 BTC", link="http://l/t"
)


def targets(*addresses: str, full: bool = False, seconds: float = 10) -> Targets:
    return Targets([SecretStr(address) for address in addresses], full=full, seconds=seconds)


async def test_a_service_hears_that_an_order_waits_and_the_link_and_no_more() -> None:
    with service() as (port, heard):
        assert await targets(f"json://127.0.0.1:{port}/{SECRET}").hand_over(NOTICE) == {}

    assert [(one["title"], one["message"]) for one in heard] == [("gunbot-mcp", "An order waits (LIVE)\nhttp://l/t")]


async def test_whoever_asks_for_full_notices_gets_them() -> None:
    with service() as (port, heard):
        await targets(f"json://127.0.0.1:{port}", full=True).hand_over(NOTICE)

    assert heard[0]["message"] == "waits for you: Buy 0.001 BTC\nhttp://l/t"


async def test_one_that_is_silent_is_left_after_its_time_and_the_others_have_heard_by_then() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, service() as (port, heard):
        two = targets(f"json://127.0.0.1:{silent.getsockname()[1]}/{SECRET}", f"json://127.0.0.1:{port}", seconds=1.0)
        with anyio.fail_after(3):
            wrong = await two.hand_over(NOTICE)
            again = await two.hand_over(NOTICE)

    assert len(heard) == 2
    assert wrong == {"1 (json)": "it did not take it within 1 s"}
    assert again == {"1 (json)": "it still has not taken the one before"}


@pytest.mark.parametrize(
    ("address", "says"),
    [
        (f"json://127.0.0.1:9/{SECRET}", "could not be reached"),
        (f"nonsense://{SECRET}", "no address that Apprise understands"),
        (f"{SECRET}", "no address that Apprise understands"),
        (f"json://[{SECRET}", "no address that Apprise understands"),
        ("", "no address that Apprise understands"),
    ],
)
async def test_what_is_wrong_is_said_without_the_address_and_nothing_of_it_is_logged(
    address: str, says: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    wrong = await targets(address).hand_over(NOTICE)

    assert [says in text for text in wrong.values()] == [True]
    assert SECRET not in str(wrong)
    assert SECRET not in caplog.text


async def test_a_notice_that_arrives_leaves_nothing_of_its_address_in_any_log_at_any_level() -> None:
    kept = _Kept()
    logging.root.addHandler(kept)
    level = logging.root.level
    logging.root.setLevel(logging.DEBUG)
    try:
        with service() as (port, heard):
            await targets(f"json://user:{SECRET}@127.0.0.1:{port}/{SECRET}").hand_over(NOTICE)
    finally:
        logging.root.setLevel(level)
        logging.root.removeHandler(kept)

    assert len(heard) == 1
    assert [line for line in kept.lines if SECRET in line] == []


class _Kept(logging.Handler):
    """Keeps what any library writes, as a server's log would."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


async def test_a_service_that_refuses_is_named_by_its_place_and_scheme() -> None:
    with service(500) as (port, _):
        wrong = await targets(f"json://127.0.0.1:{port}").hand_over(NOTICE)

    assert list(wrong) == ["1 (json)"]


def test_a_target_is_named_by_its_scheme_alone() -> None:
    assert scheme_of(f"tgram://{SECRET}/1") == "tgram"
    assert scheme_of(SECRET) == "(no scheme)"
    assert scheme_of(f"{SECRET} ://x") == "(no scheme)"
