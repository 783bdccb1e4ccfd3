"""Errors as RFC 9457 documents (`application/problem+json`) with the remedy of the message.

A message of motet reads "what is wrong; what to do about it": the part after the first semicolon is
the remedy. Errors that nobody foresaw get an id that stands in the server's log, and no details.
"""

from __future__ import annotations

import logging
import secrets
from typing import TypeVar

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from motet.errors import MotetError

log = logging.getLogger("motet.serve")
MEDIA_TYPE = "application/problem+json"
NOT_HERE = "there is nothing with this id; it may have been deleted"

STATUS_OF = {
    "AudioError": 400,
    "AssetError": 400,
    "CheckpointError": 400,
    "SpaceError": 409,
    "ConfigError": 422,
    "UnwritableError": 507,
    "InputError": 400,
    "MissingDependency": 501,
}
"""HTTP status of each kind of error."""
_TITLES = {
    400: "The input cannot be used",
    401: "A token is needed",
    403: "Not allowed from here",
    404: "Not found",
    405: "Method not allowed",
    409: "Not possible with this take",
    410: "No longer there",
    412: "Changed meanwhile",
    413: "Too large",
    415: "Unknown kind of file",
    416: "No such range",
    422: "An option is not possible",
    428: "A precondition is needed",
    429: "Too many requests",
    500: "Internal error",
    501: "A package is missing",
    503: "Still loading",
    507: "No space to write",
}
T = TypeVar("T")


class Problem(BaseModel):
    """What went wrong, and what to do about it."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    remedy: str = ""
    """What to do about it; empty when nothing helps."""
    field: str = ""
    """The part of the request that is wrong, dotted."""
    id: str = ""
    """Of an internal error: the id under which the server's log has the details."""
    headers: dict[str, str] = Field(default_factory=dict, exclude=True)


class Refusal(Exception):
    """A request that is answered with a problem.

    Args:
        message: what is wrong; what to do about it.
    """

    def __init__(
        self, status: int, message: str, *, field: str = "", headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.problem = problem(status, message, field=field, headers=headers)


def problem(
    status: int, message: str, *, field: str = "", headers: dict[str, str] | None = None
) -> Problem:
    """A problem from a message of the form "what is wrong; what to do about it"."""
    detail, _, remedy = " ".join(message.split()).partition("; ")
    title = _TITLES.get(status, "Request refused")
    return Problem(
        title=title,
        status=status,
        detail=detail,
        remedy=remedy,
        field=field,
        headers=headers or {},
    )


def problem_of(error: MotetError) -> Problem:
    """The problem of an error that motet raises on purpose."""
    return problem(STATUS_OF.get(type(error).__name__, 400), str(error))


def internal_problem(error: BaseException) -> Problem:
    """The problem of an error that nobody foresaw; the details go to the log under its id."""
    number = secrets.token_hex(4)
    log.error("internal error %s", number, exc_info=error)
    text = f"internal error {number}; please report it with the lines of the server's log"
    return problem(500, text).model_copy(update={"id": number})


def required(value: T | None, what: str) -> T:
    """The thing itself.

    Raises:
        Refusal: it is None (404).
    """
    if value is None:
        raise Refusal(404, f"there is no such {what}; it may have been deleted")
    return value


def as_response(problem: Problem) -> Response:
    """The problem as an answer."""
    content = problem.model_dump(exclude_defaults=False)
    for optional in ("remedy", "field", "id"):
        if not content[optional]:
            del content[optional]
    return JSONResponse(content, problem.status, problem.headers, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Make the application answer every error with a problem."""

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, Refusal)
        return as_response(error.problem)

    async def foreseen(request: Request, error: Exception) -> Response:
        assert isinstance(error, MotetError)
        return as_response(problem_of(error))

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        # An address with a malformed id names nothing, like one with an unknown id.
        if first["loc"][0] == "path":
            return as_response(problem(404, NOT_HERE))
        where = ".".join(str(part) for part in first["loc"][1:])
        name = where or "the request"
        return as_response(problem(422, f"{name}: {first['msg']}", field=where))

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        headers = dict(error.headers or {})
        return as_response(problem(error.status_code, str(error.detail), headers=headers))

    async def unforeseen(request: Request, error: Exception) -> Response:
        return as_response(internal_problem(error))

    app.add_exception_handler(Refusal, refused)
    app.add_exception_handler(MotetError, foreseen)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, unforeseen)
