"""`/health`, `/methods`, `/figure.glb`."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import FileResponse

import motet
from motet.errors import ConfigError
from motet.method import MethodSpec
from motet.methods import find_methods
from motet.options import Postprocess
from motet.registry import DEFAULT, method_spec
from motet.rigs.figures import FIGURES, look_of
from motet.serve import answers, models
from motet.serve.option_schema import schema_of, styles_of
from motet.serve.problems import Refusal
from motet.serve.studio import Shared, Studio
from motet.sinks import absorbs

router = APIRouter(tags=["methods"])


@router.get("/health")
async def health(studio: Shared) -> models.Health:
    """State of the server, its methods, formats and limits."""
    return models.Health(
        state=studio.state,
        version=motet.__version__,
        methods=[_info(spec, studio) for spec in find_methods().values()],
        default_method=DEFAULT,
        formats=answers.formats(),
        figures={name: look.about for name, look in FIGURES.items()},
        limits=vars(studio.limits),
        problem=studio.problem,
    )


@router.get("/methods/{name}")
async def method(name: str, studio: Shared) -> models.MethodDetails:
    """A method with the JSON schema of its options."""
    try:
        spec = method_spec(name)
    except ConfigError as error:
        raise Refusal(404, str(error)) from error
    return models.MethodDetails(
        **_info(spec, studio).model_dump(),
        options=dict(schema_of(spec.condition_type())),
        postprocess=_postprocess(spec),
        styles=list(styles_of(spec)),
    )


@router.get("/figure.glb", response_class=FileResponse)
async def figure(studio: Shared, name: str = "") -> FileResponse:
    """A figure without animation: one of `figures` of `/health`, the default one without a name."""
    look_of(name)
    path = await studio.cached("figure", {"figure": name} if name else {}, ".glb")
    headers = {"Cache-Control": "max-age=3600"}
    return FileResponse(path, media_type="model/gltf-binary", headers=headers)


def _info(spec: MethodSpec, studio: Studio) -> models.MethodInfo:
    is_loaded = studio.state == "ready" and spec.name in studio.options.warm
    return answers.method_info(spec, is_loaded)


def _postprocess(spec: MethodSpec) -> models.JsonObject:
    """The settings that act on this method."""
    schema = schema_of(Postprocess)
    properties = schema["properties"]
    assert isinstance(properties, dict)
    acting = set(properties) if spec.space == "arkit" else set(absorbs(spec))
    selected = {name: value for name, value in properties.items() if name in acting}
    return {**schema, "properties": selected}
