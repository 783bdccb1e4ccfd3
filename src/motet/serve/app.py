"""The web application: routes under `/api`, the page, and the guard in front of both."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.types import ASGIApp

import motet
from motet.serve import problems
from motet.serve.api import (
    avatars,
    edits,
    exports,
    jobs,
    live,
    methods,
    persons,
    realtime,
    scenes,
    sounds,
    speech,
    takes,
)
from motet.serve.page import page_router
from motet.serve.problems import Problem
from motet.serve.security import Access, Guard
from motet.serve.studio import Studio

_PROBLEMS = {
    code: {"model": Problem, "content": {problems.MEDIA_TYPE: {}}}
    for code in (400, 403, 404, 409, 413, 422, 429, 500)
}


def create_app(studio: Studio, access: Access) -> ASGIApp:
    """The application. The workers of its studio start and end with it."""
    app = FastAPI(
        title="motet",
        version=motet.__version__,
        summary="Sound in, human motion out.",
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
        responses=_PROBLEMS,
    )
    app.state.studio = studio
    problems.install(app)
    for part in (methods, sounds, speech, scenes, takes, edits, exports, avatars, persons, jobs):
        app.include_router(part.router, prefix="/api")
    app.include_router(live.router)
    app.include_router(realtime.router)
    app.include_router(page_router())
    return Guard(app, access, studio.limits)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    studio: Studio = app.state.studio
    await studio.start()
    yield
    await studio.close()
