"""Foreign pages, foreign names, tokens, sizes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from motet.cli import main
from motet.serve.app import create_app
from motet.serve.security import Access, Guard
from motet.serve.studio import ServerOptions
from motet.serve.studio import Studio as Server
from tests.serve.conftest import BASE, Studio


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": BASE}, 200),
        ({"Host": "localhost:8420", "Origin": "http://localhost:8420"}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://127.0.0.1:9999"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "evil.example"}, 403),
        ({"Host": "evil.example:8420"}, 403),
        ({"Host": "127.0.0.1"}, 403),
        ({"Host": "127.0.0.1:8420.evil.example"}, 403),
    ],
)
def test_host_and_origin_decide(studio: Studio, headers: dict[str, str], status: int) -> None:
    answer = studio.http.get("/api/health", headers=headers)
    assert answer.status_code == status
    assert status == 200 or answer.json()["remedy"]


def test_answers_forbid_everything_from_outside(studio: Studio) -> None:
    policy = studio.http.get("/api/health").headers
    assert "default-src 'self'" in policy["content-security-policy"]
    assert policy["x-content-type-options"] == "nosniff"


def test_large_bodies_are_refused_with_and_without_a_length(studio: Studio) -> None:
    big = b'{"sound": "' + b"x" * 1_100_000 + b'"}'
    headers = {"Content-Type": "application/json"}
    answer = studio.http.post("/api/takes", content=big, headers=headers)
    assert answer.status_code == 413 and answer.json()["detail"]
    parts = (big[start : start + 100_000] for start in range(0, len(big), 100_000))
    answer = studio.http.post("/api/takes", content=parts, headers=headers)
    assert answer.status_code in (400, 413)


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[TestClient]:
    """A server for others, without its workers (nothing here needs one)."""
    access = Access("0.0.0.0", 8420, "s3cret", ("https://friend.example",))
    app = create_app(Server(ServerOptions(tmp_path)), access)
    assert isinstance(app, Guard)
    yield TestClient(app, base_url="http://192.168.0.7:8420", follow_redirects=False)


def test_a_token_becomes_a_cookie_that_scripts_cannot_read(guarded: TestClient) -> None:
    assert guarded.get("/api/health").status_code == 401
    assert guarded.get("/api/health?t=wrong").status_code == 401
    answer = guarded.get("/?t=s3cret&take=1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/?take=1")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie
    assert guarded.get("/api/methods/artalk").status_code == 200
    guarded.cookies.clear()
    bearer = {"Authorization": "Bearer s3cret"}
    assert guarded.get("/api/methods/artalk", headers=bearer).status_code == 200


def test_only_named_origins_may_use_a_server_for_others(guarded: TestClient) -> None:
    bearer = {"Authorization": "Bearer s3cret"}
    for origin, status in (("https://friend.example", 200), ("https://other.example", 403)):
        answer = guarded.get("/api/methods/artalk", headers={**bearer, "Origin": origin})
        assert answer.status_code == status


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (["--host", "0.0.0.0"], "--token"),
        (["--port", "70000"], "65535"),
        (["--max-queued", "0"], "at least 1"),
        (["--workers", "0"], "workers"),
        (["--warm", "nothing"], "no method"),
    ],
)
def test_impossible_servers_are_refused(
    arguments: list[str], remedy: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", "--data", str(tmp_path), *arguments]) == 2
    assert remedy in capsys.readouterr().err
