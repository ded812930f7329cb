"""A ticket that the inbox cannot send leads to the page of the server that proposed it, while that lives."""

from collections.abc import Callable
from typing import Any

import pytest

MakeSite = Callable[..., Any]


@pytest.mark.parametrize("name", ["theirs", "ours"])
def test_it_leads_to_the_proposing_server_while_that_lives_and_then_says_what_to_write(
    make_site: MakeSite, name: str
) -> None:
    inbox = make_site(name="ours", inbox=True)
    # Under the inbox's own name, too, it is for another Gunbot: one that stands in a client's environment alone.
    server = make_site(name=name, live=True)
    server.set_pin("246 810")
    ticket = server.propose()
    if name == "theirs":
        assert f'href="/tickets/{ticket.id}"' in inbox.request("GET", "/").text
    led = inbox.request("GET", f"/tickets/{ticket.id}")
    assert (led.status, led.headers["location"]) == (303, f"{server.url}/tickets/{ticket.id}")
    assert "<form" in server.request("GET", f"/tickets/{ticket.id}").text
    # Whoever has the port now does not know the state folder's secret.
    server.portal.call(server.page.aclose)
    gone = inbox.request("GET", f"/tickets/{ticket.id}")
    assert "location" not in gone.headers
    if name == "theirs":
        assert gone.status == 403
        said = f"write [instances.theirs] with url = &#34;{server.settings.served.url}&#34; and token_file"
        assert said in gone.text
    assert server.state(ticket) == "pending"
