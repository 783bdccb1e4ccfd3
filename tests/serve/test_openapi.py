"""The OpenAPI description: complete, and true for requests that nobody would think of."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings

from tests.serve.conftest import BASE, Studio

schemathesis = pytest.importorskip("schemathesis")

LEFT_OUT = ("/api/events", "/api/figure.glb", "/api/takes/import", "/api/sounds", "/api/avatars")
"""A stream that does not end, a file that takes long, and multipart, which has its own tests."""


def test_every_answer_has_a_type(studio: Studio) -> None:
    paths: dict[str, Any] = studio.get("/openapi.json")["paths"]
    assert len(paths) >= 20
    for path, operations in paths.items():
        for name, operation in operations.items():
            good = [code for code in operation["responses"] if code.startswith("2")]
            assert good and operation["summary"], (path, name)
            assert "application/problem+json" in operation["responses"]["404"]["content"]


@pytest.mark.slow
def test_no_request_makes_an_internal_error(studio: Studio) -> None:
    schema = schemathesis.openapi.from_dict(studio.get("/openapi.json"))
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.path in LEFT_OUT:
            continue

        @settings(
            max_examples=8,
            deadline=None,
            derandomize=True,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
            database=None,
        )
        def check(case: Any) -> None:
            arguments = case.as_transport_kwargs(base_url=BASE)
            arguments.pop("cookies", None)
            answer = studio.http.request(**arguments)
            assert answer.status_code < 500, (arguments, answer.text)

        schemathesis_given(operation, check)


def schemathesis_given(operation: Any, check: Any) -> None:
    """Run a check with generated requests of one operation."""
    from hypothesis import given

    given(case=operation.as_strategy())(check)()
