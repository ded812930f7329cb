import pytest

from gunbot_mcp.errors import ConfigInvalid
from gunbot_mcp.gunbot.login import encrypt_password
from gunbot_mcp.paper.auth import Access


def test_the_documented_test_vector_of_the_password_encryption_holds() -> None:
    assert encrypt_password("hunter2", "0123456789abcdef") == "ENC:5WrPd8556C66kUtoGbal5g=="
    assert encrypt_password("hunter2", "0123456789abcdef0123456789") == "ENC:5WrPd8556C66kUtoGbal5g=="


def test_a_tokens_characters_do_not_matter_to_the_comparison() -> None:
    gate = Access(token="T\u00e9\U0001f511")
    assert gate.passes("Bearer T\u00e9\U0001f511", 0)
    assert gate.passes("bearer  T\u00e9\U0001f511 ", 0)
    assert not gate.passes("Bearer T\u00e9", 0)


def test_a_logins_token_works_wherever_the_configured_token_is_the_same() -> None:
    token = Access(token="T").login("ENC:5WrPd8556C66kUtoGbal5g==", 1_000)
    assert token is not None
    assert Access(token="T").passes(f"Bearer {token}", 2_000)
    assert not Access(token="U").passes(f"Bearer {token}", 2_000)
    assert not Access(token="T").passes(f"Bearer {token[:-1]}", 2_000)
    header, payload, signature = token.split(".")
    assert not Access(token="T").passes(f"Bearer {header}.{payload}x.{signature}", 2_000)
    assert not Access(token="T").passes(f"Bearer {token}", 10**10)


@pytest.mark.parametrize(
    ("token", "password", "wallet"),
    [("", None, None), (" ", None, None), ("T", "p", None), ("T", None, "w" * 16), ("T", "p", "w" * 15)],
)
def test_a_gate_that_would_stand_open_or_never_open_is_refused(
    token: str, password: str | None, wallet: str | None
) -> None:
    with pytest.raises(ConfigInvalid):
        Access(token=token, password=password, wallet=wallet)


@pytest.mark.parametrize("secret", ["token-value", "password-value", "wallet-value-16-bytes"])
def test_a_gates_text_shows_no_secret(secret: str) -> None:
    gate = Access(token="token-value", password="password-value", wallet="wallet-value-16-bytes")
    assert secret not in repr(gate)
