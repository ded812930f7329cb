"""Adding one entry to another program's file: everything else stays, to the byte; a library judges each change."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gunbot_mcp.cli.splice import Encoded, Entry, Format, Keys, Misfit, find, jsonc, piece, put, take, toml, yaml

ENTRY: Entry = {"command": "/opt/x y/gunbot-mcp", "args": ["serve"], "env": {"GUNBOT_MCP_HOME": 'C:\\ü "q"'}}
NAMED: Entry = {"name": "gunbot", **ENTRY}
KEYS: Keys = ("mcpServers",)

words = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=8)
plain = st.from_regex(r"[a-z][a-z0-9_]{0,6}", fullmatch=True)
scalars = st.one_of(st.none(), st.booleans(), st.integers(-(10**9), 10**9), words)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3), max_leaves=6
)
servers = st.dictionaries(
    plain.filter(lambda name: name != "gunbot"), st.fixed_dictionaries({"command": words}), max_size=3
)


@st.composite
def jsonc_texts(draw: st.DrawFn) -> str:
    """Files as people have them: comments, trailing commas, tabs or spaces, either line end."""
    document = {**draw(st.dictionaries(plain.filter(lambda key: key != "mcpServers"), values, max_size=3))}
    if draw(st.booleans()):
        document["mcpServers"] = draw(servers)
    names = draw(st.permutations(list(document)))
    text = json.dumps({name: document[name] for name in names}, indent=draw(st.sampled_from([None, 1, 2, 4, "\t"])))
    if "\n" in text:
        lines = text.split("\n")
        at = draw(st.integers(1, len(lines)))
        lines.insert(at, draw(st.sampled_from(["// a } comment", "/* { */", "", '  // "mcpServers": {'])))
        text = "\n".join(lines)
        if draw(st.booleans()):
            text = text.replace("\n}", ",\n}", 1) if names and '",\n}' not in text else text
    text += draw(st.sampled_from(["", "\n", "\n\n// the end\n"]))
    return text.replace("\n", draw(st.sampled_from(["\n", "\r\n"])))


@st.composite
def toml_texts(draw: st.DrawFn) -> str:
    lines = [f"{key} = {json.dumps(draw(words))}" for key in draw(st.lists(plain, max_size=3, unique=True))]
    for name in draw(st.lists(plain.filter(lambda one: one != "gunbot"), max_size=3, unique=True)):
        lines += [
            "",
            draw(st.sampled_from(["# [mcp_servers.gunbot]", "", "#"])),
            f"[mcp_servers.{name}]",
            'command = "x"',
        ]
        if draw(st.booleans()):
            lines += [f"[mcp_servers.{name}.env]", 'KEY = """\n[mcp_servers.other]\n"""']
    lines += draw(st.sampled_from([[], ["[[table]]", "a = 1", "[[table]]", "a = 2"], ["[profile.x]", "y = [1, 2]"]]))
    text = "\n".join(lines) + draw(st.sampled_from(["", "\n", "\n\n"]))
    return text.replace("\n", draw(st.sampled_from(["\n", "\r\n"])))


@st.composite
def yaml_texts(draw: st.DrawFn, key: str, *, listed: bool) -> str:
    lines = [f"{name}: {json.dumps(draw(words))}" for name in draw(st.lists(plain, max_size=2, unique=True))]
    own = draw(servers)
    margin = draw(st.sampled_from(["  ", "    "]))
    match draw(st.sampled_from(["block", "flow", "none", "empty"])):
        case "block" if own:
            lines.append(f"{key}:{draw(st.sampled_from(['', ' # mine']))}")
            for name, entry in own.items():
                begin = f"{margin}- name: {name}" if listed else f"{margin}{name}:"
                lines += [
                    begin,
                    f"{margin}  command: {json.dumps(entry['command'])}",
                    draw(st.sampled_from(["", "# x"])),
                ]
        case "flow":
            held: Any = [{"name": name, **entry} for name, entry in own.items()] if listed else own
            lines.append(f"{key}: {json.dumps(held)}")
        case "none":
            lines.append(f"{key}:")
        case _:
            pass
    lines += draw(st.sampled_from([[], ["zz_last:", "  - 1", "  - {a: b}"], ["# the end"]]))
    text = "\n".join(lines) + draw(st.sampled_from(["", "\n"]))
    return text.replace("\n", draw(st.sampled_from(["\n", "\r\n"])))


def goes_in_and_out(form: Format, text: str, keys: Keys, entry: Entry) -> bool:
    """Whether the entry goes in and comes out to the byte; False where it was refused, and so nothing was changed."""
    try:
        before = form.parse(text)
        after = put(form, text, keys, "gunbot", entry)
    except (Misfit, ValueError):
        return False
    assert find(form, after, keys, "gunbot") == entry
    inserted = piece(text, after)
    assert after.replace(inserted, "", 1) == text
    assert take(form, after, keys, "gunbot", inserted) == text
    # Also where something else was changed since, or nobody knows what was put in.
    left = form.parse(take(form, after, keys, "gunbot"))
    assert {key: value for key, value in left.items() if key != keys[0] or value} == {
        key: value for key, value in before.items() if key != keys[0] or value
    }
    other = put(form, after, keys, "gunbot", {**entry, "args": ["serve", "--other"]})
    assert find(form, other, keys, "gunbot") == {**entry, "args": ["serve", "--other"]}
    return True


@given(jsonc_texts())
@settings(max_examples=100)
def test_json_with_comments_takes_an_entry_and_gives_it_back(text: str) -> None:
    try:
        jsonc.parse(text)
    except ValueError:
        return
    assert goes_in_and_out(jsonc, text, KEYS, ENTRY)


@given(toml_texts())
@settings(max_examples=100)
def test_toml_takes_an_entry_and_gives_it_back(text: str) -> None:
    try:
        toml.parse(text)
    except ValueError:
        return
    assert goes_in_and_out(toml, text, ("mcp_servers",), ENTRY)


@given(yaml_texts("extensions", listed=False))
@settings(max_examples=60)
def test_yaml_takes_an_entry_into_a_mapping_and_gives_it_back(text: str) -> None:
    goes_in_and_out(yaml.Yaml(listed=False), text, ("extensions",), ENTRY)


@given(yaml_texts("mcpServers", listed=True))
@settings(max_examples=60)
def test_yaml_takes_an_entry_into_a_list_and_gives_it_back(text: str) -> None:
    goes_in_and_out(yaml.Yaml(listed=True), text, KEYS, NAMED)


@pytest.mark.slow
@given(
    st.one_of(
        st.tuples(st.just(jsonc), jsonc_texts(), st.just(KEYS), st.just(ENTRY)),
        st.tuples(st.just(toml), toml_texts(), st.just(("mcp_servers",)), st.just(ENTRY)),
        st.tuples(
            st.just(yaml.Yaml(listed=False)),
            yaml_texts("extensions", listed=False),
            st.just(("extensions",)),
            st.just(ENTRY),
        ),
        st.tuples(
            st.just(yaml.Yaml(listed=True)), yaml_texts("mcpServers", listed=True), st.just(KEYS), st.just(NAMED)
        ),
    )
)
@settings(max_examples=3_000)
def test_thousands_of_files_in_each_format_take_it_and_give_it_back(case: tuple[Format, str, Keys, Entry]) -> None:
    goes_in_and_out(*case)


@pytest.mark.parametrize(
    ("form", "text", "keys", "entry"),
    [
        (jsonc, "", KEYS, ENTRY),
        (jsonc, "{}", KEYS, ENTRY),
        (jsonc, '{"mcpServers":{}}', KEYS, ENTRY),
        (jsonc, '{\n\t"mcpServers": {\n\t\t"a": {},\n\t},\n}\n', KEYS, ENTRY),
        (jsonc, '{ // mine\n  "mcpServers": { // all\n  }\n}\n', KEYS, ENTRY),
        (toml, "", ("mcp_servers",), ENTRY),
        (toml, "model = 'x'", ("mcp_servers",), ENTRY),
        (toml, '[mcp_servers.a]\ncommand = "b"\n\n# of b\n[b]\nc = 1\n', ("mcp_servers",), ENTRY),
        (yaml.Yaml(listed=False), "", ("extensions",), ENTRY),
        (yaml.Yaml(listed=False), "extensions:\n", ("extensions",), ENTRY),
        (yaml.Yaml(listed=False), "extensions: {}\n", ("extensions",), ENTRY),
        (yaml.Yaml(listed=False), "extensions:\n  a:\n    cmd: b\n\n# end\nc: d\n", ("extensions",), ENTRY),
        (yaml.Yaml(listed=True), "name: me\nmcpServers:\n- name: a\n  command: b\n", KEYS, NAMED),
        (yaml.Yaml(listed=True), "name: me\nmcpServers: []\n", KEYS, NAMED),
    ],
)
def test_common_files_take_it_and_give_it_back(form: Format, text: str, keys: Keys, entry: Entry) -> None:
    assert goes_in_and_out(form, text, keys, entry)


@pytest.mark.parametrize(
    ("form", "text", "keys"),
    [
        (jsonc, "{not json", KEYS),
        (jsonc, "[1, 2]", KEYS),
        (jsonc, '{"mcpServers": 5}', KEYS),
        (jsonc, '{"mcpServers": {}, "mcpServers": {"a": {}}}', KEYS),
        (toml, 'mcp_servers = { a = { command = "b" } }\n', ("mcp_servers",)),
        (toml, "mcp_servers = 5\n", ("mcp_servers",)),
        (toml, 'x = "', ("mcp_servers",)),
        (yaml.Yaml(listed=False), "extensions: 5\n", ("extensions",)),
        (yaml.Yaml(listed=False), "a: 1\n---\nb: 2\n", ("extensions",)),
        (yaml.Yaml(listed=False), "a: [1\n", ("extensions",)),
        (yaml.Yaml(listed=False), "{a: 1}\n", ("extensions",)),
    ],
)
def test_what_cannot_be_changed_safely_is_refused(form: Format, text: str, keys: Keys) -> None:
    with pytest.raises(Misfit):
        put(form, text, keys, "gunbot", ENTRY)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_file_is_written_back_in_its_own_encoding(encoding: str) -> None:
    raw = '{"ü": 1}\r\n'.encode(encoding)
    read = Encoded.read(raw)
    assert read.text == '{"ü": 1}\r\n'
    assert read.bytes_of(read.text) == raw


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(Misfit):
        Encoded.read(b"\xff\x00\xd8")
