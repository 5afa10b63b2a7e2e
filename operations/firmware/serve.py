"""Serves releases to devices over HTTP, with ranges, so that a download that was cut off goes on where it was."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_gateway.errors import Misconfigured
from operations.firmware.bundle import NAMES
from operations.firmware.keys import INSTALL

if TYPE_CHECKING:
    from starlette.applications import Starlette


def app(folder: Path) -> "Starlette":
    """`/<model>/<version>/<file>` of this folder, and nothing else: no listing, no other file.

    Raises:
        Misconfigured: no releases are there, or the web server is missing.
    """
    try:
        from starlette.applications import Starlette
        from starlette.exceptions import HTTPException
        from starlette.requests import Request
        from starlette.responses import FileResponse
        from starlette.routing import Route
    except ImportError as error:
        raise Misconfigured("the web server (starlette, uvicorn) is missing", INSTALL) from error
    if not any(folder.glob("*/*/release.json")):
        raise Misconfigured(f"no releases in {folder}", "make one with `kanhu firmware release`")
    root = folder.resolve()

    async def give(request: Request) -> FileResponse:
        part = request.path_params
        file = (root / part["model"] / part["version"] / part["name"]).resolve()
        if part["name"] not in NAMES or not file.is_relative_to(root) or not file.is_file():
            raise HTTPException(404)
        return FileResponse(file, media_type="application/octet-stream")

    return Starlette(routes=[Route("/{model}/{version}/{name}", give)])


def run(folder: Path, host: str, port: int) -> None:
    """Serve until Ctrl-C."""
    application: Any = app(folder)
    import uvicorn

    uvicorn.run(application, host=host, port=port, log_level="info")
