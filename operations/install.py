"""The folder that `kanhu up` and `kanhu demo` work in: settings, registry, secrets, broker files; made when missing."""

import socket
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import tomlkit

from edge_gateway import settings as settings_module
from edge_gateway.errors import Misconfigured
from edge_gateway.settings import Settings, secret
from operations import mosquitto
from operations.supervise import running

FOLDER: Final = Path("var")
DEMO_FOLDER: Final = FOLDER / "demo"
BROKER_PORT: Final = 1883
METRICS_PORT: Final = 9464
CONSOLE_PORT: Final = 8080
_HERE: Final = frozenset({"127.0.0.1", "localhost", "::1"})

EXAMPLE_REGISTRY: Final = """\
# Who is expected to speak. The gateway looks at this file every second; docs/operations.md, "Registry", has every key.
# A device is added by a command, which also makes its password:
#   kanhu device add yunhe home-7 --place 3-2-701 --cadence 60
# A device that is not in here is held, visible in `kanhu status`, and nothing of it is thrown away.

[sites.yunhe]
name = "运河社区"
zone = "Asia/Shanghai"
"""


@dataclass(frozen=True, slots=True)
class Installation:
    """What `prepare` made or found.

    Attributes:
        broker: mosquitto's configuration; None when the settings name a broker that is not ours to start.
        passwords: of the extra users.
    """

    settings_file: Path
    settings: Settings
    broker: Path | None
    passwords: Mapping[str, str]


def find_settings(file: Path | None) -> Path | None:
    """The settings a command means: those given, kanhu.toml here, of what runs or ran here; else None, the defaults."""
    if file is not None:
        return file
    if settings_module.DEFAULT_FILE.exists():
        return settings_module.DEFAULT_FILE
    made = [folder / "kanhu.toml" for folder in (FOLDER, DEMO_FOLDER) if (folder / "kanhu.toml").exists()]
    return next((path for path in made if running(path.parent) is not None), made[0] if made else None)


def prepare(
    folder: Path,
    settings_file: Path | None = None,
    port: int | None = None,
    *,
    others: Mapping[str, Sequence[str]] | None = None,
    registry: str = EXAMPLE_REGISTRY,
    gateway: Mapping[str, object] | None = None,
    alerts: Mapping[str, object] | None = None,
) -> Installation:
    """Make what is missing in `folder`; what a person wrote stays.

    Args:
        settings_file: of a person; None: `folder/kanhu.toml`, written when it is not there.
        port: of the broker; None keeps the settings', 0 takes a free one.
        others: more users of the broker and their rules; each gets a password.
        registry, gateway, alerts: what a new registry and new settings hold.
    Raises:
        Misconfigured: the folder is in use, the port is taken, the settings are wrong.
    """
    if settings_file is None:
        settings_file = folder / "kanhu.toml"
        _refuse_second(folder)
        if not settings_file.exists():
            _write_settings(settings_file, folder, port or BROKER_PORT, gateway or {}, alerts or {})
    settings = settings_module.load(settings_file)
    _refuse_second(settings.data_dir)
    broker = settings.broker
    if broker.host not in _HERE or broker.tls_ca is not None:
        return Installation(settings_file, settings, None, {})
    wanted = _free_port() if port == 0 else port or broker.port
    if wanted != broker.port:
        _set_port(settings_file, wanted)
        settings = settings_module.load(settings_file)
    _refuse_taken(wanted)
    if not settings.registry.exists():
        settings.registry.parent.mkdir(parents=True, exist_ok=True)
        settings.registry.write_text(registry, encoding="utf-8")
    return Installation(settings_file, settings, *_prepare_broker(settings, wanted, others or {}))


def broker_folder(settings: Settings) -> Path:
    """Where the files of the broker lie that `kanhu up` starts."""
    return settings.data_dir / "mosquitto"


def _prepare_broker(settings: Settings, port: int, others: Mapping[str, Sequence[str]]) -> tuple[Path, dict[str, str]]:
    if settings.broker.password_file is None:
        raise Misconfigured("broker.password_file is not set", "name a file in the settings; it is made when it is missing")
    mosquitto.keep_secret(settings.broker.password_file)
    secrets = {user: mosquitto.keep_secret(settings.data_dir / "secrets" / user) for user in others}
    passwords = {settings.broker.username: secret(settings.broker.password_file), **secrets}
    conf = mosquitto.prepare(broker_folder(settings), [mosquitto.Listener(port)], passwords, others)
    return conf, secrets


def _refuse_second(data_dir: Path) -> None:
    if running(data_dir) is not None:
        raise Misconfigured(
            f"the platform already runs in {data_dir}", "look at it with `kanhu status`, or stop that one first"
        )


def _write_settings(file: Path, folder: Path, port: int, gateway: Mapping[str, object], alerts: Mapping[str, object]) -> None:
    where = folder.absolute()
    text = tomlkit.document()
    text.add(tomlkit.comment('Written by kanhu once, yours from now on. docs/operations.md, "Settings", has every key.'))
    text["data_dir"] = str(where)
    text["registry"] = str(where / "registry.toml")
    text["broker"] = {"port": port, "password_file": str(where / "secrets" / "gateway")}
    text["gateway"] = {"metrics_port": METRICS_PORT if _is_free(METRICS_PORT) else 0, **gateway}
    if not _is_free(CONSOLE_PORT):
        text["console"] = {"port": _free_port()}
    if alerts:
        text["alerts"] = alerts
    else:
        text.add(tomlkit.nl())
        for line in (
            "Who is told about an alert, in this order:",
            "[[alerts.people]]",
            'id = "zhang"',
            'urls = ["mailto://..."]',
        ):
            text.add(tomlkit.comment(line))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    mosquitto.write_private(file, tomlkit.dumps(text))


def _set_port(file: Path, port: int) -> None:
    text = tomlkit.parse(file.read_text(encoding="utf-8"))
    text.setdefault("broker", tomlkit.table())["port"] = port
    mosquitto.write_private(file, tomlkit.dumps(text))


def _refuse_taken(port: int) -> None:
    if _is_free(port):
        return
    user = _who_listens(port)
    raise Misconfigured(
        f"port {port} is taken{f' by {user}' if user else ''}",
        "stop that (a broker of the system: sudo systemctl stop mosquitto), or use another port: --port 0 takes a free one",
    )


def _is_free(port: int) -> bool:
    with closing(socket.socket()) as probe:
        # As mosquitto does, or a port would seem taken for a minute after a restart.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen()
        except OSError:
            return False
        return True


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _who_listens(port: int) -> str:
    """`mosquitto (process 123)`; "" when the process is not ours to see."""
    sockets = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            cells = line.split()
            if cells[3] == "0A" and int(cells[1].rsplit(":", 1)[1], 16) == port:
                sockets.add(f"socket:[{cells[9]}]")
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if str(link.readlink()) in sockets:
                process = link.parent.parent
                return f"{(process / 'comm').read_text().strip()} (process {process.name})"
        except OSError:
            continue
    return ""


def is_ours(folder: Path) -> bool:
    """Whether this folder may be emptied: it is missing or empty, or a demo has written its mark there."""
    return not folder.exists() or not any(folder.iterdir()) or (folder / DEMO_MARK).exists()


DEMO_MARK: Final = "made-by-kanhu-demo"
_DEMO_FILES: Final = (
    "*.db",
    "*.db-*",
    "*.db.*",
    "mosquitto/*",
    "secrets/console-first-code",
    "log/*",
    "boards/*/*",
    "kanhu.toml",
    "registry.toml",
    "ballast",
)


def fresh_demo(folder: Path) -> None:
    """Empty a folder of an earlier demo, so that counting begins at nothing.

    Raises:
        Misconfigured: a demo runs there, or it is somebody's own folder.
    """
    _refuse_second(folder)
    if not is_ours(folder):
        raise Misconfigured(
            f"{folder} is not the folder of a demo", "give --folder a new one; a demo begins with an empty folder"
        )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / DEMO_MARK).touch()
    for pattern in _DEMO_FILES:
        for file in folder.glob(pattern):
            if file.is_file() and not file.is_symlink():
                file.unlink()
