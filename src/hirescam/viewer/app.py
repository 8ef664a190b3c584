"""App: what each address of the page gives."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import cast

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from hirescam.errors import HirescamError
from hirescam.parsing import parse_json
from hirescam.summary.browser import script, style, whole_page
from hirescam.summary.viewer_data import ORGANS_VIEW
from hirescam.viewer.cases import Case
from hirescam.viewer.security import Guard
from hirescam.viewer.study import Study

_BYTES = "application/octet-stream"
_PACKED = {"content-encoding": "gzip"}  # the browser unpacks while it reads


def build_app(
    cases: Sequence[Case],
    beside: Sequence[Case] = (),
    *,
    port: int,
    token: str,
    once: str = "",
    study: Study | None = None,
) -> ASGIApp:
    """The pages of `cases`; those in `beside` are another model's, told apart by name.

    A lone case stands beside a lone case, whatever their names.
    """
    cases = cases if study is None else study.cases
    names = [case.name for case in cases] if study is None else study.names
    partners = _partners(cases, beside)
    shown = {"case": cases, "beside": beside}

    async def page(request: Request) -> Response:
        return HTMLResponse(whole_page())

    async def listed(request: Request) -> Response:
        return JSONResponse(
            [
                {
                    "name": names[index],
                    "study": study is not None,
                    "folder": f"case/{index}/",
                    "beside": f"beside/{partners[index]}/" if index in partners else None,
                }
                for index, case in enumerate(cases)
            ]
        )

    async def file(request: Request) -> Response:
        index, among = request.path_params["index"], shown.get(request.path_params["kind"], ())
        if index >= len(among):
            raise HTTPException(404, "There is no such case.")
        return await run_in_threadpool(_file, among[index], request.path_params["name"])

    async def asked(request: Request) -> Response:
        return JSONResponse(study.told() if study else None, 200 if study else 404)

    async def answer(request: Request) -> Response:
        try:
            told = parse_json(await request.body())
            await run_in_threadpool(cast(Study, study).keep, told)
        except (ValueError, HirescamError) as error:
            raise HTTPException(400, f"The answer was refused: {error}") from error
        return Response(status_code=204)

    return Guard(
        Starlette(
            routes=[
                Route("/study.json", asked, methods=["GET"]),
                Route("/answer", answer, methods=["POST"]),
                Route("/", page, methods=["GET"]),
                Route("/cases.json", listed, methods=["GET"]),
                Route("/viewer.js", _asset(script(), "text/javascript"), methods=["GET"]),
                Route("/viewer.css", _asset(style(), "text/css"), methods=["GET"]),
                Route("/{kind:str}/{index:int}/{name:path}", file, methods=["GET"]),
            ]
        ),
        port,
        token,
        once=once,
        takes_answers=study is not None,
    )


def _partners(cases: Sequence[Case], beside: Sequence[Case]) -> Mapping[int, int]:
    if len(cases) == len(beside) == 1:
        return {0: 0}
    named = {case.name: index for index, case in enumerate(beside)}
    return {index: named[case.name] for index, case in enumerate(cases) if case.name in named}


def _asset(text: str, kind: str) -> Callable[[Request], Awaitable[Response]]:
    async def asset(request: Request) -> Response:
        return Response(text, media_type=kind)

    return asset


def _file(case: Case, name: str) -> Response:
    """One file of a case: made here, or packed on disk and unpacked by the browser."""
    made: Mapping[str, Callable[[], Response]] = {
        "summary.json": lambda: JSONResponse(case.summary),
        "scene.json": lambda: JSONResponse(case.scene),
        ORGANS_VIEW: lambda: Response(case.organs, media_type=_BYTES),
    }
    if name in made:
        return made[name]()
    if (mask := case.mask(name)) is not None:
        return Response(mask, media_type=_BYTES)
    path = case.file(name) if name in case.files else None
    if path is None:
        raise HTTPException(404, "This case has no such file.")
    return FileResponse(path, headers=_PACKED, media_type=_BYTES)
