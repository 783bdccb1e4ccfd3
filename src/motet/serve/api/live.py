"""The sockets `/live` (a speaker) and `/live/{session}/watch` (listeners), `motet.live.1`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from typing import TYPE_CHECKING, TypeVar

from fastapi import APIRouter, WebSocket
from pydantic import BaseModel, ValidationError
from starlette.websockets import WebSocketDisconnect, WebSocketState

from motet.errors import MotetError
from motet.serve.live_models import Control, Hello, Resume
from motet.serve.problems import Problem, Refusal, internal_problem, problem, problem_of
from motet.serve.studio import Shared, Studio

if TYPE_CHECKING:
    from motet.serve.live_room import Outbox, Room

router = APIRouter()
PROTOCOL = "motet.live.1"
HELLO_S = 10.0
"""Time for the first message."""
AHEAD_S = 2.0
"""Sound that may wait for the method; a client that sends faster is read no faster."""
MOST_WATCHERS = 32
MOST_REFUSED = 100
"""Wrong messages after which a session is closed."""
LOADING_S = 1.0
"""A client that waits longer for `ready` is sent `loading`."""
INVALID, INTERNAL, TRY_LATER = 1008, 1011, 1013
ModelT = TypeVar("ModelT", bound=BaseModel)


@router.websocket("/live")
async def live(socket: WebSocket, studio: Shared) -> None:
    """Sound in, frames out."""
    await _accept(socket)
    try:
        room = await _enter(socket, studio)
    except WebSocketDisconnect:
        return
    except (Refusal, MotetError) as error:
        problem = _found(error)
        problem = problem.model_copy(update={"detail": studio.folder.scrub(problem.detail)})
        await _refuse(socket, problem, TRY_LATER if problem.status in (429, 503) else INVALID)
        return
    except Exception as error:
        await _refuse(socket, internal_problem(error), INTERNAL)
        return
    keep = False
    room.sockets += 1
    try:
        keep = await _converse(socket, room, 60.0 * studio.limits.max_live_minutes)
    finally:
        room.sockets -= 1
        if keep and not room.is_closed:
            _await_return(room, studio)
        else:
            studio.rooms.drop(room)


@router.websocket("/live/{session}/watch")
async def watch(session: str, socket: WebSocket, studio: Shared) -> None:
    """The frames of somebody else's session, for a second screen."""
    from motet.serve.live_room import Outbox

    await _accept(socket)
    room = studio.rooms.find(session)
    if room is None:
        await _refuse(socket, problem(404, "there is no such live session; begin one"), INVALID)
        return
    if len(room.outboxes) > MOST_WATCHERS:
        text = f"{MOST_WATCHERS} watch this session already; try again later"
        await _refuse(socket, problem(429, text), TRY_LATER)
        return
    outbox = Outbox(float(str(room.ready["fps"])))
    room.outboxes.add(outbox)
    room.sockets += 1
    try:
        await socket.send_text(json.dumps(room.ready))
        await first_of(_send(socket, outbox), _drain(socket))
    finally:
        room.sockets -= 1
        room.outboxes.discard(outbox)


async def _accept(socket: WebSocket) -> None:
    offered = socket.scope.get("subprotocols", [])
    await socket.accept(PROTOCOL if PROTOCOL in offered else None)


async def _enter(socket: WebSocket, studio: Studio) -> Room:
    """The room of a hello or resume; `ready` has been sent.

    Raises:
        Refusal: the message is not one of them, or cannot be honoured.
    """
    try:
        async with asyncio.timeout(HELLO_S):
            first = await socket.receive_text()
    except (TimeoutError, KeyError) as error:
        raise Refusal(422, f"no hello within {HELLO_S:g} s; send it first, as text") from error
    if '"resume"' in first[:200]:
        resume = _parsed(Resume, first)
        room = studio.rooms.find(resume.session)
        if room is None or room.is_attended:
            raise Refusal(410, "this session is over; say hello again")
        room.attend(resume.from_sample)
    else:
        room = await _open(socket, _parsed(Hello, first), studio)
        room.is_attended = True
    await socket.send_text(json.dumps({**room.ready, "received": room.received}))
    return room


async def _open(socket: WebSocket, hello: Hello, studio: Studio) -> Room:
    """A new room; a client that waits for a model to load is told so."""
    opening = asyncio.ensure_future(studio.rooms.open(hello))
    try:
        done, _ = await asyncio.wait([opening], timeout=LOADING_S)
        if not done:
            await socket.send_text(json.dumps({"type": "loading", "method": hello.method}))
        return await opening
    except asyncio.CancelledError:
        opening.cancel()
        raise


async def _converse(socket: WebSocket, room: Room, most_s: float) -> bool:
    """Send and read until one of them ends; whether the speaker may come back."""
    reading = _read(socket, room)
    lost = False
    try:
        async with asyncio.timeout(most_s):
            await first_of(_send(socket, room.speaker), reading, _tell(room))
    except TimeoutError:
        text = f"a live session lasts {most_s / 60:g} minutes; begin another"
        await _refuse(socket, problem(429, text), TRY_LATER)
    except WebSocketDisconnect as end:
        lost = end.code not in (1000, 1001)  # said goodbye: nobody will come back
    except (Refusal, MotetError) as error:
        await _refuse(socket, _found(error), INVALID)
    return lost


def _found(error: Refusal | MotetError) -> Problem:
    return error.problem if isinstance(error, Refusal) else problem_of(error)


async def _read(socket: WebSocket, room: Room) -> None:
    """Obey messages until the connection ends. A wrong one is answered by `error` and the session
    goes on.

    Raises:
        Refusal, MotetError: more than `MOST_REFUSED` of them.
    """
    refused = 0
    while True:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code") or 1006)
        try:
            if (data := message.get("bytes")) is not None:
                room.push(data)
            else:
                _obey(_parsed(Control, message["text"]), room)
        except (Refusal, MotetError) as error:
            refused += 1
            if refused > MOST_REFUSED:  # a broken client, not a slip
                raise
            room.refuse(_found(error))
        while room.queued_s > AHEAD_S and not room.is_closed:
            await asyncio.sleep(0.02)


def _obey(control: Control, room: Room) -> None:
    if control.type == "ping":
        clock = {"server_s": time.time(), "sample": room.received}
        room.speaker.put(json.dumps({"type": "pong", "t": control.t, **clock}))
        return
    from motet.serve.option_schema import checked_options, checked_postprocess

    method, postprocess = room.hello.method, control.postprocess
    options = checked_options(method, control.options)
    if postprocess is not None:
        postprocess = {**room.hello.postprocess, **postprocess}
        postprocess = dict(checked_postprocess(method, postprocess))
    room.ask({"type": control.type, "options": options, "postprocess": postprocess})


async def _tell(room: Room) -> None:
    """Every second how the session stands, and whether it falls behind."""
    from motet.serve.live_room import BEHIND_S

    while True:
        await asyncio.sleep(1.0)
        for outbox in room.outboxes:
            outbox.put(json.dumps(room.stats()))
        if room.queued_s > BEHIND_S:
            late = {"type": "warning", "code": "behind", "by_s": round(room.queued_s, 2)}
            room.speaker.put(json.dumps(late))


async def _send(socket: WebSocket, outbox: Outbox) -> None:
    from motet.serve.live_room import Close

    while not isinstance(message := await outbox.get(), Close):
        if isinstance(message, bytes):
            await socket.send_bytes(message)
        else:
            await socket.send_text(message)
    await socket.close(message.code, message.reason)


async def _drain(socket: WebSocket) -> None:
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass


async def first_of(*work: object) -> None:
    """Run until one ends, then end the others; raises what it raised."""
    tasks = [asyncio.ensure_future(one) for one in work]  # type: ignore[arg-type]  # coroutines
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        # Not gather: cancelled itself, it would raise the tasks' cancellation, not its own.
        await asyncio.wait(tasks)
        for task in tasks:
            if not task.cancelled():
                task.exception()  # what the others raised in ending is of no interest
    for task in done:
        task.result()


async def _refuse(socket: WebSocket, problem: Problem, code: int) -> None:
    """An error in words, then the close with its reason."""
    with contextlib.suppress(RuntimeError, WebSocketDisconnect):  # it has gone already
        if socket.application_state is WebSocketState.CONNECTED:
            content = problem.model_dump(exclude_defaults=True)
            await socket.send_text(json.dumps({"type": "error", "problem": content}))
            await socket.close(code, f"{problem.detail}; {problem.remedy}"[:120])


def _await_return(room: Room, studio: Studio) -> None:
    """Drop a room whose speaker does not come back in time."""
    from motet.serve.live_room import RESUME_S

    room.is_attended = False
    left = room.leavings = room.leavings + 1

    def end() -> None:
        if not room.is_attended and room.leavings == left:
            studio.rooms.drop(room)

    asyncio.get_running_loop().call_later(RESUME_S, end)


def _parsed(model: type[ModelT], text: str) -> ModelT:
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise Refusal(422, f"{where or 'the message'}: {first['msg']}", field=where) from error
