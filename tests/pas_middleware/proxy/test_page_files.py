"""The files of the web page as they are sent: whole, with their types, and with what keeps other sites out."""

from pathlib import Path

import pytest

import pas_middleware.proxy.page
from in_process import Client, refusal, scope
from pas_middleware.proxy.inbound import Inbound
from pas_middleware.proxy.page import endpoints

FOLDER = Path(pas_middleware.proxy.page.__file__).parent
FILES = {
    "/": ("index.html", b"text/html; charset=utf-8"),
    "/pas-page/page.css": ("page.css", b"text/css; charset=utf-8"),
    "/pas-page/page.js": ("page.js", b"text/javascript; charset=utf-8"),
    "/pas-page/reasons.js": ("reasons.js", b"text/javascript; charset=utf-8"),
}


async def ask(path: str, method: str) -> Client:
    client = Client()
    await endpoints()[path](Inbound(scope(path=path, method=method, headers=[]), client.receive), client.send)
    return client


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", FILES)
async def test_each_file_with_its_type_and_what_a_browser_may_do(path, method):
    name, kind = FILES[path]
    content, client = (FOLDER / name).read_bytes(), await ask(path, method)
    assert (client.status, client.body) == (200, content)
    assert client.headers == [
        (b"content-type", kind),
        (b"content-length", str(len(content)).encode()),
        (
            b"content-security-policy",
            b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
            b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
        (b"referrer-policy", b"no-referrer"),
        (b"x-content-type-options", b"nosniff"),
        (b"cache-control", b"no-cache"),
    ]


def test_there_are_no_other_files():
    assert endpoints().keys() == FILES.keys()


@pytest.mark.parametrize("method", ["POST", "PUT", "get"])
async def test_it_is_there_to_be_read(method):
    assert (await ask("/", method)).told == refusal(405, "method", "use GET.", (b"allow", b"GET, HEAD"))
