"""The server: who may reach it, what it sends, and what it refuses."""

import pytest
from reviews import some_items, start
from starlette.testclient import TestClient

from pas_trainer.review.app import make_app

LOCAL = "http://127.0.0.1:8770"


@pytest.fixture
def store(tmp_path):
    return start(tmp_path, some_items(3))


@pytest.fixture
def client(store):
    return TestClient(make_app(store), base_url=LOCAL)


def test_what_is_sent_does_not_name_arms(client):
    task = client.get("/api/tasks/1", params={"reviewer": "Ada"})
    assert set(task.json()) == {"number", "category", "prompt", "answers", "marks", "passed"}
    assert set(task.json()["answers"][0]) == {"text", "html"}
    assert client.get("/api/review", params={"reviewer": "Ada"}).json()["total"] == 3


def test_everything_has_the_security_headers(client):
    for path in ("/", "/page/page.js", "/nothing"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"marks": [1]}, 200),
        ({"marks": [None]}, 200),
        ({"pass": True}, 200),
        ({"marks": [2]}, 422),
        ({"marks": [True]}, 422),
        ({"marks": [0.5]}, 422),
        ({"marks": [1, 1]}, 422),
        ({"marks": "1"}, 422),
        ({}, 422),
        ([], 422),
    ],
)
def test_marks_are_checked(client, store, body, status):
    assert client.put("/api/tasks/1", params={"reviewer": "Ada"}, json=body).status_code == status
    assert len(store.marks()) == (status == 200 and body != {"marks": [None]})


def test_what_is_not_json_or_too_long_is_refused(client, store):
    def put(content, kind="application/json"):
        url = "/api/tasks/1?reviewer=Ada"
        return client.put(url, content=content, headers={"content-type": kind}).status_code

    assert put('{"marks": [1]}', "text/plain") == 415
    assert put("{") == 400
    assert put(b" " * 20_000) == 413
    assert store.marks() == []


@pytest.mark.parametrize("name", ["", "   ", "a" * 61, "a\x00b"])
def test_a_reviewer_needs_a_name(client, name):
    assert client.get("/api/review", params={"reviewer": name}).status_code == 422


@pytest.mark.parametrize("number", ["0", "4", "9" * 30])
def test_there_are_no_other_tasks(client, number):
    assert client.get(f"/api/tasks/{number}", params={"reviewer": "Ada"}).status_code == 404


def test_another_name_for_this_machine_is_refused(store):
    # A page elsewhere can give its own name this machine's address (DNS rebinding).
    assert TestClient(make_app(store), base_url="http://evil.example").get("/").status_code == 400


def test_the_token_opens_every_page_and_nothing_else_does(store):
    client = TestClient(
        make_app(store, token="right", local=False), base_url="http://host.example", follow_redirects=False
    )
    for path in ("/", "/?token=wrong", "/page/page.js", "/api/review?reviewer=Ada", "/?token=%C3%BC"):
        assert client.get(path).status_code == 401
    assert client.put("/api/tasks/1?reviewer=Ada", json={"marks": [1]}).status_code == 401
    let_in = client.get("/?token=right")
    assert (let_in.status_code, let_in.headers["location"]) == (303, "/")
    assert "HttpOnly" in let_in.headers["set-cookie"]
    assert client.get("/api/review?reviewer=Ada").status_code == 200
