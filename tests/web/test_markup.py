"""HTML that escapes by itself."""

import pytest

from gunbot_mcp.web.markup import Markup, tag, together, verbatim


def test_texts_and_attributes_are_escaped_and_elements_are_not() -> None:
    inner = tag("b", "<i> & 'x'", title="\"'<>&")
    assert inner == '<b title="&quot;&#x27;&lt;&gt;&amp;">&lt;i&gt; &amp; &#x27;x&#x27;</b>'
    assert tag("p", inner, None, " <").endswith("</b> &lt;</p>")
    assert isinstance(together(inner, "<"), Markup)


def test_what_is_made_of_markup_by_plain_text_is_plain_text() -> None:
    assert tag("p", f"{tag('b')}") == "<p>&lt;b&gt;&lt;/b&gt;</p>"


def test_attributes_are_named_as_in_html_and_left_out_where_absent() -> None:
    assert tag("input", class_="a", data_left="1", hidden=True, disabled=False, title=None) == (
        '<input class="a" data-left="1" hidden>'
    )


def test_a_script_cannot_end_early() -> None:
    assert verbatim("script", "a < b && c") == "<script>a < b && c</script>"
    with pytest.raises(ValueError, match="script"):
        verbatim("script", "'</SCRIPT>'")
