"""Where the console is, for screens and for the supervisor; knows nothing of the web."""

from pathlib import Path

from edge_gateway.settings import Console


def first_code_file(data_dir: Path) -> Path:
    """Holds the one-time code of the first administrator, while there is none."""
    return data_dir / "secrets" / "console-first-code"


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
