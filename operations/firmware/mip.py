"""firmware/package.json: a package for MicroPython's own installer. `python -m operations.firmware.mip` writes it.

For the work bench: `mpremote mip install --target / FOLDER`. What mip installs is not signed and has no second slot.
"""

import json
from typing import Any, Final

from operations.firmware import sources

FILE: Final = sources.APP.parent / "package.json"


def package(base: str = "") -> dict[str, Any]:
    """Everything of firmware/app.

    Args:
        base: address of the folder `firmware`, ending with "/". "": relative addresses, as mpremote and newer mips read them;
            the mip of 1.25 on a device fails on these.
    """
    files = sorted(str(file.relative_to(sources.APP)) for file in sources.APP.rglob("*.py"))
    urls = [[f"app/{file}", f"{base}app/{file}"] for file in files]
    # Beside the app, as on a device that was flashed.
    urls += [[f"lib/{name}.py", f"{base}app/{name}.py"] for name in sources.LOADER]
    urls.append(["main.py", f"{base}boards/modules/main.py"])
    return {"urls": urls, "deps": [], "version": "0.1.0"}


if __name__ == "__main__":
    FILE.write_text(json.dumps(package(), indent=1) + "\n", encoding="utf-8")
