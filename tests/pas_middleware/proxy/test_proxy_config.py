"""The operator's options: what is taken up to the last number, what is refused with its name, value and remedy."""

import pytest

from pas_middleware import ConfigError
from pas_middleware.proxy.config import ProxyConfig, Secret

URL = "http://a.test"
HINT = "give the base URL of an API, such as https://api.openai.com/v1."
#: Each number with the least and the greatest that are taken, as they are shown.
LIMITS = {
    "max_body_bytes": (1_024, 1_073_741_824, "1,024", "1,073,741,824"),
    "max_json_depth": (8, 500, "8", "500"),
    "complement_limit": (1, 100_000, "1", "100,000"),
    "connect_timeout_s": (0.01, 600, "0.01", "600"),
    "read_timeout_s": (0.01, 86_400, "0.01", "86,400"),
}


def refused(url: str = URL, **options: object) -> str:
    with pytest.raises(ConfigError) as caught:
        ProxyConfig(url, **options)
    return str(caught.value)


@pytest.mark.parametrize("name", LIMITS)
def test_a_number_is_taken_within_its_limits_and_refused_beside_them(name):
    low, high, shown_low, shown_high = LIMITS[name]
    for value in (low, high):
        assert getattr(ProxyConfig(URL, **{name: value}), name) == value
    step = 0.001 if isinstance(low, float) else 1
    for value in (low - step, high + 1):
        assert refused(**{name: value}) == f"{name} is {value!r}; give a number from {shown_low} to {shown_high}."


def test_what_holds_where_the_operator_says_nothing():
    config = ProxyConfig(URL)
    assert (config.upstream_key.reveal(), config.client_keys, config.page) == ("", (), False)
    assert (config.max_body_bytes, config.max_json_depth, config.complement_limit) == (8_388_608, 100, 64)
    assert (config.connect_timeout_s, config.read_timeout_s) == (10.0, 600.0)


@pytest.mark.parametrize(
    "url",
    [URL, "https://a.test/v1", "http://a.test:1", "http://a.test:65535", "http://[::1]:80", "HTTPS://b\u00fc.test"],
)
def test_an_upstream_that_is_taken(url):
    assert ProxyConfig(url).upstream == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a.test",
        "ftp://a.test",
        "http://",
        "http:///v1",
        "http://:80/v1",
        "http://a.test:0",
        "http://a.test:65536",
        "http://a.test:x",
        "http://[::1",
        "http://" + "a" * 64 + ".test",
    ],
)
def test_what_is_no_address_of_an_api_is_refused(url):
    assert refused(url) == f"The upstream is no http or https URL; {HINT}"


@pytest.mark.parametrize("url", ["http://u@a.test", "http://@a.test", "http://a.test?k=sk-1", "http://a.test/#sk-1"])
def test_an_upstream_with_more_than_a_path_is_refused_and_not_shown(url):
    assert refused(url) == f"The upstream's URL has a user, a query or a fragment; {HINT}"


@pytest.mark.parametrize("key", ["sk 1", "sk-1\n", "sk-é", "sk-\x7f", "\u3000"])
@pytest.mark.parametrize("field", ["upstream_key", "client_keys"])
def test_a_key_that_no_header_can_hold_is_refused_and_not_shown(field, key):
    value = Secret(key) if field == "upstream_key" else (Secret("sound"), Secret(key))
    assert refused(**{field: value}) == "A key holds a space or a character that no header can; set it again."


def test_keys_of_all_that_is_printable_are_taken():
    key = "".join(map(chr, range(33, 127)))
    config = ProxyConfig(URL, Secret(key), (Secret(key),))
    assert config.upstream_key.reveal() == config.client_keys[0].reveal() == key


def test_a_secret_says_only_whether_it_is_there():
    assert (repr(Secret("sk-1")), repr(Secret())) == ("Secret(***)", "Secret()")
    assert Secret("sk-1") and not Secret() and not Secret("")
    assert (Secret("sk-1").reveal(), Secret().reveal()) == ("sk-1", "")
