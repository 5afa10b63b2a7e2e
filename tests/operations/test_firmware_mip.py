"""The package for MicroPython's own installer is whole, and a real MicroPython installs it from a web server."""

import json
from pathlib import Path

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from operations.firmware import mip
from tests.firmware.conftest import FIRMWARE, Run, micropython, upy  # noqa: F401
from tests.web import serving


def test_the_package_names_every_file_there_is() -> None:
    assert json.loads(mip.FILE.read_text()) == mip.package(), "run `python -m operations.firmware.mip`"
    assert all((FIRMWARE / url).is_file() for _, url in mip.package()["urls"])


def test_a_real_micropython_installs_it_from_loopback(tmp_path: Path, upy: Run) -> None:  # noqa: F811
    packages: list[dict[str, object]] = []
    package = Route("/package.json", lambda request: JSONResponse(packages[0]))
    with serving(Starlette(routes=[package, Mount("/f", StaticFiles(directory=FIRMWARE))])) as url:
        # Absolute addresses: the mip of 1.25 fails on relative ones.
        packages.append(mip.package(f"{url}/f/"))
        code = "import mip, sys\nmip.install(sys.argv[1], target=sys.argv[2], mpy=False)"
        done = upy(code, f"{url}/package.json", str(tmp_path), heap="1M", timeout=60)
    assert "Done" in done.stdout, done.stdout[-500:] + done.stderr
    for name, source in mip.package()["urls"]:
        assert (tmp_path / name).read_bytes() == (FIRMWARE / source).read_bytes(), name
    loaded = upy("from app import sign, slots, enrol_code\nprint(slots.rank('1.2.3'))", path=[tmp_path])
    assert loaded.stdout == "1002003\n"
