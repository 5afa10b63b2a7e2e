"""Where the console is, for screens and for the supervisor; knows nothing of the web."""

from pathlib import Path
from typing import Final

from edge_gateway.settings import Console

LONGEST_PATH: Final = 500


def first_code_file(data_dir: Path) -> Path:
    """Holds the one-time code of the first administrator, while there is none."""
    return data_dir / "secrets" / "console-first-code"


def inside(path: str, otherwise: str = "/") -> str:
    """A path of ours: an address from a form must not lead to another site."""
    fine = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() and "\\" not in path
    return path if fine and len(path) < LONGEST_PATH else otherwise


def local(console: Console) -> tuple[str, int]:
    """Host and port to reach it at from this machine."""
    return ("127.0.0.1" if console.host in ("0.0.0.0", "::", "") else console.host), console.port  # noqa: S104 (compared)


def url(console: Console) -> str:
    """What a person types."""
    if console.public_url:
        return console.public_url.rstrip("/")
    scheme = "https" if console.tls_certificate else "http"
    host, port = local(console)
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
