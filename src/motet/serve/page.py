"""The built page: files with hashed names beside `index.html`, each with a `.gz` beside it."""

from __future__ import annotations

import mimetypes
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import FileResponse, Response

from motet.serve.problems import Refusal

PAGE = Path(__file__).parent / "page"
_TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm"}


def page_router(folder: Path = PAGE) -> APIRouter:
    """Routes of the files of a folder; the names are listed once, so no request reads another."""
    router = APIRouter(include_in_schema=False)
    files = {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".gz"
    }

    @router.get("/{name:path}")
    async def file(name: str, request: Request) -> Response:
        """A file of the page; `/` and other names without an ending are its index."""
        path = files.get(name or "index.html")
        if path is None:
            if not files:
                text = "this installation has no page; the API is described at /api/openapi.json"
                raise Refusal(404, text)
            if "." in name or name.startswith("api/"):
                raise Refusal(404, "the page has no such file; open /")
            path, name = files["index.html"], "index.html"  # a place within the page
        return _answer(path, name, request)

    return router


def _answer(path: Path, name: str, request: Request) -> Response:
    is_hashed = name.startswith("assets/")
    headers = {
        "Cache-Control": "public, max-age=31536000, immutable" if is_hashed else "no-cache",
        "Vary": "Accept-Encoding",
    }
    kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0]
    packed = path.with_name(f"{path.name}.gz")
    if "gzip" in request.headers.get("accept-encoding", "") and packed.is_file():
        return FileResponse(
            packed, media_type=kind, headers={**headers, "Content-Encoding": "gzip"}
        )
    return FileResponse(path, media_type=kind, headers=headers)
