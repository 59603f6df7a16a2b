"""What the operator decides: the upstream, the keys, the limits; no request can change any of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ..errors import ConfigError


class Secret:
    """A text that shows itself only to who calls `reveal`."""

    __slots__ = ("_value",)

    def __init__(self, value: str = "") -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the text."""
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return "Secret(***)" if self._value else "Secret()"


@dataclass(frozen=True, slots=True)
class ProxyConfig:
    """How a proxy behaves. Raises ConfigError naming the field and its value.

    `upstream` is what a client would have as its base URL. With `upstream_key` the clients' own keys go no further;
    with `client_keys` a client must present one of them.
    """

    upstream: str
    upstream_key: Secret = field(default_factory=Secret)
    client_keys: tuple[Secret, ...] = ()
    max_body_bytes: int = 8_388_608
    max_json_depth: int = 100
    complement_limit: int = 64
    connect_timeout_s: float = 10.0
    read_timeout_s: float = 600.0
    page: bool = False

    def __post_init__(self) -> None:
        _check_upstream(self.upstream)
        _check_number("max_body_bytes", self.max_body_bytes, 1_024, 1_073_741_824)
        # Far below where Python's own parser ends.
        _check_number("max_json_depth", self.max_json_depth, 8, 500)
        _check_number("complement_limit", self.complement_limit, 1, 100_000)
        _check_number("connect_timeout_s", self.connect_timeout_s, 0.01, 600)
        _check_number("read_timeout_s", self.read_timeout_s, 0.01, 86_400)
        for key in (self.upstream_key, *self.client_keys):
            if any(c.isspace() or not c.isascii() or not c.isprintable() for c in key.reveal()):
                raise ConfigError("A key holds a space or a character that no header can;", hint="set it again.")


def _check_upstream(url: str) -> None:
    hint = "give the base URL of an API, such as https://api.openai.com/v1."
    try:
        parts = urlsplit(url)
        # A host that is too long for a name raises, too.
        named = bool((parts.hostname or "").encode("idna"))
        sound = parts.scheme in ("http", "https") and named and parts.port != 0
    except ValueError:
        sound = False
    if not sound:
        raise ConfigError("The upstream is no http or https URL;", hint=hint)
    if parts.username is not None or parts.query or parts.fragment:
        # Not shown: a key may be in it.
        raise ConfigError("The upstream's URL has a user, a query or a fragment;", hint=hint)


def _check_number(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ConfigError(f"{name} is {value!r};", hint=f"give a number from {low:,} to {high:,}.")
