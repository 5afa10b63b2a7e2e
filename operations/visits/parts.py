"""The files of one sheet while they are written: others see them when all are complete."""

import os
import zipfile
from pathlib import Path

from edge_gateway.errors import Misconfigured


class Parts:
    """Each is written under another name first.

    Raises:
        Misconfigured: the folder cannot be made.
    """

    def __init__(self, folder: Path, stem: str) -> None:
        self._folder, self._stem = folder, stem
        self._open: list[tuple[Path, Path]] = []
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Misconfigured(f"{folder} cannot be made: {error}", "choose another --folder") from error

    def new(self, ending: str) -> Path:
        """A file to write; only this user can read it, because a sheet may hold names."""
        final = self._folder / f"{self._stem}{ending}"
        part = final.with_name(f".{final.name}.part")
        part.unlink(missing_ok=True)
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        self._open.append((part, final))
        return part

    def pack(self) -> None:
        """Put all into one .zip."""
        members, self._open = self._open, []
        target = self.new(".zip")
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
            for part, final in members:
                packed.write(part, final.name, zipfile.ZIP_STORED if final.suffix == ".xlsx" else zipfile.ZIP_DEFLATED)
                part.unlink()

    def finish(self) -> list[Path]:
        """Give them their names."""
        done, self._open = self._open, []
        for part, final in done:
            part.replace(final)
        return [final for _, final in done]

    def clean(self) -> None:
        """Remove what was not finished."""
        for part, _ in self._open:
            part.unlink(missing_ok=True)
