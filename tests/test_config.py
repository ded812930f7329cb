"""The configuration: what wins, what is refused and how, and that no secret of it is ever shown."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from gunbot_mcp.config import Limits, Mode, Settings, load
from gunbot_mcp.errors import ConfigInvalid

SECRETS = ("tok-en-1", "hunter2", "0123456789abcdef-wallet", "pg-password")


@pytest.fixture
def toml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Toml":
    return Toml(tmp_path / "config.toml", monkeypatch)


class Toml:
    """Writes the configuration file and names it in the environment."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._path = path
        self._monkeypatch = monkeypatch

    def __call__(self, text: str) -> Path:
        self._path.write_text(text, encoding="utf-8")
        self._monkeypatch.setenv("GUNBOT_MCP_CONFIG", str(self._path))
        return self._path


def test_a_token_without_a_url_is_not_taken_for_paper(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUNBOT_TOKEN", "t-" + "x" * 20)
    with pytest.raises(ConfigInvalid, match="GUNBOT_TOKEN is set but no url"):
        load()


def test_no_configuration_at_all_is_one_paper_instance_in_approve_mode() -> None:
    settings = load()

    assert (settings.name, settings.served.live, settings.effective_mode) == ("paper", False, Mode.APPROVE)
    assert list(settings.instances) == ["paper"]


def test_state_lives_in_the_home_that_is_named_or_in_the_users_data_folder(
    clean_environment: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert load().folder == clean_environment
    monkeypatch.delenv("GUNBOT_MCP_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert load().folder.name == "gunbot-mcp"
    monkeypatch.setenv("GUNBOT_MCP_HOME", "~/x")
    assert load().folder == Path("~/x").expanduser()


def test_a_url_and_a_token_in_the_environment_are_one_live_instance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUNBOT_URL", "https://gunbot.example:3000/")
    monkeypatch.setenv("GUNBOT_TOKEN", " tok-en-1\n")

    settings = load()

    assert (settings.name, settings.served.live, settings.served.url) == ("gunbot", True, "https://gunbot.example:3000")
    assert settings.served.secret() == "tok-en-1"
    assert settings.effective_mode is Mode.APPROVE


def test_flags_win_over_the_environment_over_the_file_over_the_defaults(
    toml: Toml, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load().approval.wait == 25
    toml('instance = "a"\n[instances.a]\n[instances.b]\n[instances.c]\n[approval]\nwait = 1\nttl = 60\n')
    assert (load().approval.wait, load().approval.ttl, load().name) == (1, 60, "a")
    monkeypatch.setenv("GUNBOT_MCP_APPROVAL_WAIT", "2")
    monkeypatch.setenv("GUNBOT_MCP_INSTANCE", "b")
    assert (load().approval.wait, load().approval.ttl, load().name) == (2, 60, "b")
    assert load(approval={"wait": 3}).approval.wait == 3
    assert load(instance="c").name == "c"
    assert load(instance=None).name == "b"


def test_the_environments_url_and_token_win_over_the_files(toml: Toml, monkeypatch: pytest.MonkeyPatch) -> None:
    toml('[instances.gunbot]\nurl = "https://a:1"\ntoken = "tok-a"\nread_timeout = 7\n')
    monkeypatch.setenv("GUNBOT_URL", "https://b:2")
    assert (load().served.url, load().served.secret()) == ("https://b:2", "tok-a")
    monkeypatch.setenv("GUNBOT_TOKEN", "tok-b")
    assert (load().served.secret(), load().served.read_timeout) == ("tok-b", 7)


def test_a_url_in_the_environment_is_the_one_that_is_served(toml: Toml, monkeypatch: pytest.MonkeyPatch) -> None:
    toml("[instances.paper]\n")
    monkeypatch.setenv("GUNBOT_URL", "https://b:2")
    monkeypatch.setenv("GUNBOT_TOKEN", "t")
    assert load().name == "gunbot"
    assert load(instance="paper").name == "paper"


@pytest.mark.parametrize(
    ("everywhere", "own", "effective"),
    [
        (None, "approve", Mode.APPROVE),
        (None, "auto", Mode.AUTO),
        (None, "read-only", Mode.READ_ONLY),
        (None, "READ_ONLY", Mode.READ_ONLY),
        (None, " Auto ", Mode.AUTO),
        (None, "yolo", Mode.READ_ONLY),
        (None, "", Mode.READ_ONLY),
        ("auto", "approve", Mode.AUTO),
        ("approve", "auto", Mode.APPROVE),
        ("read-only", "auto", Mode.READ_ONLY),
        ("auto", "read-only", Mode.READ_ONLY),
        ("approve", "read-only", Mode.READ_ONLY),
        ("aproove", "auto", Mode.READ_ONLY),
        ("auto", "read only!", Mode.READ_ONLY),
    ],
)
def test_read_only_wins_and_what_cannot_be_understood_is_read_only(
    everywhere: str | None, own: str, effective: Mode, toml: Toml, monkeypatch: pytest.MonkeyPatch
) -> None:
    toml(f'[instances.paper]\nmode = "{own}"\n')
    assert load(mode=everywhere).effective_mode is effective
    if everywhere is not None:
        monkeypatch.setenv("GUNBOT_MCP_MODE", everywhere)
        assert load().effective_mode is effective


@pytest.mark.parametrize("value", ["1", "true", "[]", "{}", "1.5"])
def test_a_mode_of_another_type_is_read_only(value: str, toml: Toml) -> None:
    toml(f"mode = {value}\n[instances.paper]\nmode = {value}\n")

    assert load().effective_mode is Mode.READ_ONLY


def test_read_only_wins_wherever_it_is_said(toml: Toml, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUNBOT_MCP_MODE", "read-only")
    assert load(mode="auto").effective_mode is Mode.READ_ONLY
    monkeypatch.setenv("GUNBOT_MCP_MODE", "auto")
    assert load(mode="read-only").effective_mode is Mode.READ_ONLY
    assert load().effective_mode is Mode.AUTO
    toml('mode = "read-only"\n')
    assert load(mode="auto").effective_mode is Mode.READ_ONLY


BAD: dict[str, tuple[str, str]] = {
    # what is wrong: the file, the key that the error names
    "unknown key": ("colour = 1", "colour"),
    "unknown section": ("[colours]\nred = 1", "colours"),
    "unknown instance key": ("[instances.a]\ncolour = 1", "instances.a.colour"),
    "unknown limit": ("[instances.a.limits]\nmax = 1", "instances.a.limits.max"),
    "an instance that is none": ("instances = 5", "instances"),
    "url without a scheme": ('[instances.a]\nurl = "host:3000"', "instances.a.url"),
    "url of another scheme": ('[instances.a]\nurl = "ftp://host"', "instances.a.url"),
    "url without a host": ('[instances.a]\nurl = "https://"', "instances.a.url"),
    "url with a space": ('[instances.a]\nurl = "https://ho st"', "instances.a.url"),
    "url with a bidi character": ('[instances.a]\nurl = "https://\\u202ehost"', "instances.a.url"),
    "url with a port of words": ('[instances.a]\nurl = "https://host:abc"', "instances.a.url"),
    "url with a port too large": ('[instances.a]\nurl = "https://host:99999"', "instances.a.url"),
    "url with port 0": ('[instances.a]\nurl = "https://host:0"', "instances.a.url"),
    "url with half an IPv6": ('[instances.a]\nurl = "https://[::1"', "instances.a.url"),
    "url with credentials": ('[instances.a]\nurl = "https://me:hunter2@host"', "instances.a.url"),
    "url with a query": ('[instances.a]\nurl = "https://host/?token=hunter2"', "instances.a.url"),
    "url of another type": ("[instances.a]\nurl = 5", "instances.a.url"),
    "token of another type": ("[instances.a]\ntoken = 5", "instances.a.token"),
    "cancel of no kind": ('[instances.a]\ncancel = "never"', "instances.a.cancel"),
    "no time to connect": ("[instances.a]\nconnect_timeout = 0", "instances.a.connect_timeout"),
    "endless waiting": ("[instances.a]\nread_timeout = inf", "instances.a.read_timeout"),
    "waiting for nan": ("[instances.a]\nread_timeout = nan", "instances.a.read_timeout"),
    "a negative seed": ("[instances.a]\nseed = -1", "instances.a.seed"),
    "a limit in words": ('[instances.a.limits]\nfee_percent = "much"', "instances.a.limits.fee_percent"),
    "a negative limit": ('[instances.a.limits.max_order]\nUSDT = "-1"', "instances.a.limits.max_order.USDT"),
    "an endless limit": ('[instances.a.limits.max_order]\nUSDT = "inf"', "instances.a.limits.max_order.USDT"),
    "a limit that is no number": ("[instances.a.limits.max_day]\nUSDT = nan", "instances.a.limits.max_day.USDT"),
    "a limit that is true": ("[instances.a.limits.max_day]\nUSDT = true", "instances.a.limits.max_day.USDT"),
    "a limit that is a list": ("[instances.a.limits]\nmax_day = []", "instances.a.limits.max_day"),
    "half an order": ("[instances.a.limits]\norders_per_day = 0.5", "instances.a.limits.orders_per_day"),
    "a side of no kind": ('[instances.a.limits]\nwrong_side = "ok"', "instances.a.limits.wrong_side"),
    "pairs that are no list": ('[instances.a.limits]\npairs = "USDT-BTC"', "instances.a.limits.pairs"),
    "no time to approve": ("[approval]\nttl = 0", "approval.ttl"),
    "a negative wait": ("[approval]\nwait = -1", "approval.wait"),
    "a wait in words": ('[approval]\nwait = "long"', "approval.wait"),
    "a port too large": ("[approval]\npage_port = 70000", "approval.page_port"),
    "buttons of no kind": ('[approval]\ncard_buttons = "yes"', "approval.card_buttons"),
    "a capability of no kind": ('[capabilities]\nbinanceus = ["fly"]', "capabilities.binanceus"),
    "capabilities that are no list": ('[capabilities]\nbinanceus = "oco"', "capabilities.binanceus"),
}


@pytest.mark.parametrize("wrong", BAD)
def test_a_bad_value_is_one_clear_error_that_names_its_key(wrong: str, toml: Toml) -> None:
    text, key = BAD[wrong]
    toml(text)

    with pytest.raises(ConfigInvalid) as caught:
        load()

    assert caught.value.message.startswith(key)
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 300
    assert caught.value.hint
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("variable", ["GUNBOT_MCP_APPROVAL_WAIT", "GUNBOT_URL"])
def test_a_bad_variable_is_one_clear_error(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUNBOT_TOKEN", "t")
    monkeypatch.setenv(variable, "nonsense")

    with pytest.raises(ConfigInvalid, match=r"approval\.wait|instances\.gunbot\.url"):
        load()


def test_an_unknown_flag_is_one_clear_error() -> None:
    with pytest.raises(ConfigInvalid, match="colour"):
        load(colour="red")


@pytest.mark.parametrize(
    ("text", "step"),
    [
        ('[instances.a]\ntokenfile = "x"', "did you mean token_file?"),
        ("[instances.a.limits]\nmax_oder = {}", "did you mean max_order?"),
        ("[aproval]\nwait = 1", "did you mean approval?"),
        ("[instances.a]\nread_timeout = 0", "config.example.toml shows every key"),
        ("[instances.a\n", "repair that line in "),
        ("\ufeff[instances.a]\n", "save it as UTF-8 without"),
    ],
)
def test_a_wrong_file_is_told_with_the_next_step(text: str, step: str, toml: Toml) -> None:
    toml(text)
    with pytest.raises(ConfigInvalid) as caught:
        load()
    assert step in caught.value.hint


def test_a_bad_value_of_a_variable_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUNBOT_TOKEN", "t")
    monkeypatch.setenv("GUNBOT_URL", "nonsense")
    with pytest.raises(ConfigInvalid) as caught:
        load()
    assert "GUNBOT_URL sets it" in caught.value.hint


@pytest.mark.parametrize("text", ["[", "a = ", "a = 1\na = 2", "\x00", 'a = "\\q"'])
def test_a_file_that_is_no_toml_is_one_clear_error(text: str, toml: Toml) -> None:
    toml(text)

    with pytest.raises(ConfigInvalid, match="not valid TOML"):
        load()


def test_a_file_that_is_no_text_is_one_clear_error(toml: Toml) -> None:
    toml("").write_bytes(b"\xff\xfe\x00")

    with pytest.raises(ConfigInvalid, match="not valid TOML"):
        load()


def test_a_file_that_is_named_and_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for path in (tmp_path / "none.toml", tmp_path):
        monkeypatch.setenv("GUNBOT_MCP_CONFIG", str(path))
        with pytest.raises(ConfigInvalid, match="GUNBOT_MCP_CONFIG"):
            load()


def test_a_url_without_a_token_is_refused_with_the_ways_to_give_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUNBOT_URL", "https://gunbot.example")

    with pytest.raises(ConfigInvalid, match="no token") as caught:
        load()

    assert "GUNBOT_TOKEN" in caught.value.hint


def test_a_password_needs_its_wallet(toml: Toml) -> None:
    toml('[instances.a]\nurl = "https://host"\npassword = "hunter2"\n')
    with pytest.raises(ConfigInvalid, match="no token"):
        load()
    toml('[instances.a]\nurl = "https://host"\npassword = "hunter2"\nwallet = "0123456789abcdef"\n')
    assert load().served.live


@pytest.mark.parametrize(
    "url", ["http://gunbot.example:3000", "HTTP://gunbot.example", "http://192.168.1.5", "http://0.0.0.0"]
)
def test_plain_http_is_refused_beyond_loopback_unless_allowed(url: str, toml: Toml) -> None:
    toml(f'[instances.a]\nurl = "{url}"\ntoken = "t"\n')
    with pytest.raises(ConfigInvalid, match="plain http") as caught:
        load()
    assert "allow_insecure_http" in caught.value.hint

    toml(f'[instances.a]\nurl = "{url}"\ntoken = "t"\nallow_insecure_http = true\n')
    assert load().served.url == url


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:3000",
        "http://127.8.8.8",
        "http://[::1]:3000",
        "http://localhost:3000",
        "https://gunbot.example",
    ],
)
def test_plain_http_to_this_machine_and_https_to_any_are_fine(url: str, toml: Toml) -> None:
    toml(f'[instances.a]\nurl = "{url}/api/v1/"\ntoken = "t"\n')

    assert load().served.url == url


def test_of_several_instances_one_must_be_chosen(toml: Toml) -> None:
    toml("[instances.a]\n[instances.b]\n")
    with pytest.raises(ConfigInvalid, match=r"several instances \(a, b\)") as caught:
        load()
    assert "GUNBOT_MCP_INSTANCE" in caught.value.hint
    assert load(instance="b").name == "b"
    with pytest.raises(ConfigInvalid, match="no instance 'c'") as caught:
        load(instance="c")
    assert "a, b" in caught.value.hint


def test_only_the_served_instance_must_be_complete(toml: Toml) -> None:
    toml('instance = "a"\n[instances.a]\n[instances.b]\nurl = "https://host"\n')

    assert load().name == "a"
    with pytest.raises(ConfigInvalid, match="'b'"):
        load(instance="b")


def test_a_token_file_wins_and_is_read_when_it_is_needed(toml: Toml, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("tok-en-1\n", encoding="utf-8")
    file.chmod(0o600)
    toml(f'[instances.a]\nurl = "https://host"\ntoken = "other"\ntoken_file = "{file}"\n')

    assert load().served.secret() == "tok-en-1"
    assert "tok-en-1" in load().secrets()


def test_secrets_are_in_no_text_of_the_settings(toml: Toml) -> None:
    toml(
        '[instances.a]\nurl = "https://host"\ntoken = "tok-en-1"\npassword = "hunter2"\n'
        'wallet = "0123456789abcdef-wallet"\n[ledger]\nurl = "postgresql://me:pg-password@host/db"\n'
    )
    settings = load()

    shown = [repr(settings), str(settings), settings.model_dump_json(), str(settings.model_dump(mode="json"))]
    shown += [repr(settings.served), json.dumps(Settings.model_json_schema())]
    assert not [secret for secret in SECRETS for text in shown if secret in text]
    assert set(settings.secrets()) == set(SECRETS[:3])


@pytest.mark.parametrize("key", ["token", "password", "wallet"])
def test_secrets_are_in_no_error(key: str, toml: Toml) -> None:
    toml(f'[instances.a]\n{key} = ["hunter2"]\ncolour = "hunter2"\n[ledger]\nurl = ["hunter2"]\n')

    with pytest.raises(ConfigInvalid) as caught:
        load()

    assert "hunter2" not in f"{caught.value!r} {caught.value} {caught.value.__cause__!r}"


def test_money_keeps_its_digits(toml: Toml) -> None:
    toml('[instances.a.limits]\nmax_order = { USDT = "0.10", BTC = 0.1, ETH = 5 }\n')

    assert load().served.limits.max_order == {"USDT": Decimal("0.10"), "BTC": Decimal("0.1"), "ETH": Decimal(5)}


def test_the_default_limits_let_fifty_through_and_stop_five_thousand() -> None:
    limits = Limits()

    assert 50 < limits.max_order["USDT"] < 5000
    assert limits.max_order.keys() == limits.max_day.keys() == limits.code_above.keys()
    assert all(limits.code_above[asset] < limits.max_order[asset] <= limits.max_day[asset] for asset in limits.max_day)


def test_settings_cannot_be_changed_once_they_are_read() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load().mode = Mode.AUTO


@pytest.mark.parametrize("name", ["../../x", "", ".", "a/b", "x" * 41, "a b", "\u202e"])
def test_an_instance_s_name_cannot_lead_anywhere_else(name: str) -> None:
    with pytest.raises(ConfigInvalid, match="instances"):
        load(instances={name: {}})


def test_capabilities_are_an_exchange_s_not_a_slot_s() -> None:
    with pytest.raises(ConfigInvalid, match="capabilities"):
        load(capabilities={"binance#2": ["close"]})


def test_a_mode_that_is_not_understood_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("GUNBOT_MCP_MODE", "bogus")
    assert load().effective_mode is Mode.READ_ONLY
    assert "mode 'bogus' is not understood" in caplog.text


# Contracts


def test_the_size_of_a_contract_is_exact_decimal_text() -> None:
    sizes = load(instances={"paper": {"contracts": {"okex5/USDT-DOGE-LONG": "1000", "okex5#2/USDT-BTC-LONG": "0.01"}}})

    assert sizes.served.contracts == {"okex5/USDT-DOGE-LONG": Decimal(1000), "okex5#2/USDT-BTC-LONG": Decimal("0.01")}


@pytest.mark.parametrize(
    ("key", "size", "word"),
    [
        ("okx/USDT-DOGE-LONG", "1000", "okex5"),
        ("okex5#01/USDT-DOGE-LONG", "1000", "pattern"),
        ("okex5#1/USDT-DOGE-LONG", "1000", "okex5"),
        ("USDT-DOGE-LONG", "1000", "contracts"),
        ("bitmex/XBT-USD", "1", "which asset pays"),
        ("okex5/USDT-DOGE-LONG", "0", "between"),
        ("okex5/USDT-DOGE-LONG", "-1", "negative"),
        ("okex5/USDT-DOGE-LONG", "NaN", "finite"),
    ],
)
def test_a_contract_that_no_order_could_use_is_refused(key: str, size: str, word: str) -> None:
    with pytest.raises(ConfigInvalid, match=word):
        load(instances={"paper": {"contracts": {key: size}}})
