"""Gunbot's password login: AES-128-CBC with PKCS7, key = IV = the first 16 bytes of `bot.gunthy_wallet`.

Source: gunbot.com, API authentication. Test vector: key `0123456789abcdef`, password `hunter2` →
`ENC:5WrPd8556C66kUtoGbal5g==`.
"""

import base64

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from gunbot_mcp.errors import ConfigInvalid

_KEY_BYTES = 16


def encryption_key(wallet: str) -> str:
    """Return the part of the wallet key that encrypts, as text."""
    return wallet.encode()[:_KEY_BYTES].decode(errors="ignore")


def encrypt_password(password: str, wallet: str) -> str:
    """Return `ENC:<base64>` as `/auth/login` wants it.

    Raises:
        ConfigInvalid: the wallet has fewer than 16 bytes.
    """
    key = wallet.encode()[:_KEY_BYTES]
    if len(key) < _KEY_BYTES:
        raise ConfigInvalid("wallet must have at least 16 bytes", "copy bot.gunthy_wallet from Gunbot's config.js")
    padder = PKCS7(128).padder()
    padded = padder.update(password.encode()) + padder.finalize()
    encryptor = Cipher(algorithms.AES128(key), modes.CBC(key)).encryptor()
    return "ENC:" + base64.b64encode(encryptor.update(padded) + encryptor.finalize()).decode("ascii")
