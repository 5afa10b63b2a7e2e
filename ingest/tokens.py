"""Where the tokens of InfluxDB lie: one file for each role, so that who writes cannot read and who reads cannot write.

gateway   writes the bucket; `influx.token_file` itself
rollups   reads the bucket, writes the roll-ups
reader    reads both: Grafana, export, console
"""

from pathlib import Path

from edge_gateway.settings import Influx, Settings


def token_path(settings: Settings, role: str) -> Path:
    """Where `kanhu ingest setup` writes the token: beside `influx.token_file`; without it in `<data_dir>/secrets`."""
    known = settings.influx.token_file
    if known and role == "gateway":
        return known
    folder = known.parent if known else settings.data_dir / "secrets"
    return folder / f"influx-{role}.token"


def in_role(settings: Settings, role: str) -> Influx:
    """The settings of the database with the role's token if set-up made one, else with the one of `influx.token_file`."""
    own = token_path(settings, role)
    return settings.influx.model_copy(update={"token_file": own}) if own.exists() else settings.influx
