"""The templates: what they escape, what they refuse, and when they are loaded."""

import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest
from jinja2 import UndefinedError

import gunbot_mcp
from gunbot_mcp.errors import GunbotMcpError, TicketNotFound
from gunbot_mcp.web.assets import inline
from gunbot_mcp.web.frame import Served, error_page
from gunbot_mcp.web.pages import environment, render

PAPER = Served(instance="paper", live=False, secrets=("hush-hush-token",))
TEMPLATES = sorted(file.name for file in (files("gunbot_mcp.web") / "templates").iterdir())


def shown(problem: GunbotMcpError) -> str:
    return render("error.html", *error_page(PAPER, problem))


def test_texts_and_attributes_are_escaped() -> None:
    def made(source: str, **facts: object) -> str:
        return environment().from_string(source).render(**facts)

    assert made("<p>{{ text }}</p>", text="<i> & </p>") == "<p>&lt;i&gt; &amp; &lt;/p&gt;</p>"
    assert '"' not in made('<b title="{{ text }}">', text="\"'<>&").removeprefix('<b title="').removesuffix('">')


def test_no_template_turns_the_escaping_off() -> None:
    for name in TEMPLATES:
        source = (files("gunbot_mcp.web") / "templates" / name).read_text(encoding="utf-8")
        assert "safe" not in source, name
        assert "autoescape" not in source, name


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_template_can_be_read(name: str) -> None:
    assert environment().get_template(name).name == name


def test_a_name_that_no_view_model_has_is_an_error_and_not_an_empty_place() -> None:
    with pytest.raises(UndefinedError, match="nonsense"):
        environment().from_string("{{ page.nonsense }}").render(page=error_page(PAPER, TicketNotFound("no", "go"))[1])


def test_a_page_shows_texts_of_others_cleaned_clipped_and_without_secrets() -> None:
    page = shown(
        TicketNotFound("<b>\u202e hush-hush-token " + "A" * 5000, "gunbot-mcp doctor --client hush-hush-token")
    )

    assert "<h1>&lt;b&gt;  [secret] AAA" in page
    assert "<code>gunbot-mcp doctor --client [secret]</code>" in page
    assert "A" * 601 not in page


def test_only_what_can_be_typed_as_it_stands_is_shown_as_a_command() -> None:
    page = shown(TicketNotFound("no", "gunbot-mcp tickets --all shows hush-hush-token <i>"))

    assert "<p>gunbot-mcp tickets --all shows [secret] &lt;i&gt;.</p>" in page
    assert "<code>gunbot-mcp tickets --all" not in page


def test_a_next_step_for_people_stands_on_a_page_instead_of_an_assistants() -> None:
    page = shown(TicketNotFound("no", "list_tickets shows them", human="gunbot-mcp tickets"))

    assert "<p>Run <code>gunbot-mcp tickets</code> in a terminal, then reload this page.</p>" in page
    assert "list_tickets" not in page


def test_a_script_cannot_end_early() -> None:
    assert inline("script", "a < b && c") == "a < b && c"
    with pytest.raises(ValueError, match="script"):
        inline("script", "'</SCRIPT>'")


START = """
import sys
import gunbot_mcp.web.page, gunbot_mcp.web.card, gunbot_mcp.web.pages as pages
gunbot_mcp.web.card.card_html()
print("jinja2" in sys.modules)
pages.environment()
print("jinja2" in sys.modules)
"""


def test_the_templates_are_loaded_when_the_first_page_is_shown() -> None:
    folder = Path(gunbot_mcp.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", START], capture_output=True, text=True, check=True, cwd=folder, timeout=60
    )

    assert done.stdout.split() == ["False", "True"]
