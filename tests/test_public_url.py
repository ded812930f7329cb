"""`approval.public_url`: an https address with a name of its own, as browsers write it, and nothing more."""

import pytest

from gunbot_mcp.config import load
from gunbot_mcp.errors import ConfigInvalid


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("https://orders.example.org", "https://orders.example.org"),
        ("https://Orders.Example.org/", "https://orders.example.org"),
        ("https://orders.example.org:443", "https://orders.example.org"),
        ("https://orders.example.org:8443", "https://orders.example.org:8443"),
        ("", ""),
    ],
)
def test_it_is_kept_as_browsers_write_it(said: str, kept: str) -> None:
    assert load(approval={"public_url": said}).approval.public_url == kept


@pytest.mark.parametrize(
    "said",
    [
        "http://orders.example.org",
        "https://localhost",
        "https://localhost:8443",
        "https://192.0.2.7",
        "https://[::1]",
        "https://orders.example.org/inbox",
        "https://orders.example.org?x=1",
        "https://user:pass@orders.example.org",
        "https://orders..example.org",
        "https://*.example.org",
        "https://orders.example.org:0",
        "https://orders.example.org:port",
        "orders.example.org",
    ],
)
def test_what_passkeys_do_not_work_at_is_refused(said: str) -> None:
    with pytest.raises(ConfigInvalid, match=r"approval\.public_url"):
        load(approval={"public_url": said})
