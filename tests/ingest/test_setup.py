"""Set-up makes what is missing, gives nobody more than needed, tells no secret, and may be run again and again."""

import json
import urllib.error
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_gateway.errors import Misconfigured, Unavailable
from edge_gateway.events import Reading, Readings
from edge_gateway.settings import Influx, Settings
from ingest.influx import InfluxSink
from ingest.influxql import InfluxReader
from ingest.setup import ROLLUP_SHARD_D, State, Step, setup
from ingest.setup_influxdb2 import can_read, can_write
from ingest.tokens import in_role, token_path
from tests.databases import ORG, TOKEN, Database, InfluxDB1, InfluxDB2

T = 1_770_000_000_000_000_000
READING = Readings.of("village", "home-1", "", 1, 1, T, T, "ntp", 0, None, [Reading("temperature", 21.0)])


@pytest.fixture
def new_server(influxdb2_server: InfluxDB2, tmp_path: Path) -> Iterator[InfluxDB2]:
    """An InfluxDB 2 that nobody has taken into use."""
    server = InfluxDB2(tmp_path, influxdb2_server.program)
    server.start()
    yield server
    server.kill()


def states(steps: list[Step]) -> dict[str, State]:
    return {step.what: step.state for step in steps}


def token(settings: Settings, role: str) -> str:
    return token_path(settings, role).read_text().strip()


def settings_for(influxdb2: Database, tmp_path: Path) -> Settings:
    """A bucket that exists, without roll-ups and without tokens."""
    return Settings(data_dir=tmp_path, influx=influxdb2.settings(token_file=tmp_path / "secrets" / "influx.token"))


def test_a_new_server_is_taken_into_use_and_a_second_run_changes_nothing(new_server: InfluxDB2, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "var", influx=Influx(url=new_server.url))
    planned = setup(settings, dry_run=True)
    assert set(states(planned).values()) == {State.WOULD_MAKE}
    assert not (tmp_path / "var").exists()

    done = setup(settings)
    assert [step.what for step in done] == [step.what for step in planned]
    assert State.WOULD_MAKE not in states(done).values()
    secrets = sorted((tmp_path / "var" / "secrets").iterdir())
    assert [file.name for file in secrets] == [
        "influx-admin.password",
        "influx-gateway.token",
        "influx-reader.token",
        "influx-rollups.token",
    ]
    assert {file.stat().st_mode & 0o777 for file in secrets} == {0o600}
    assert secrets[0].parent.stat().st_mode & 0o777 == 0o700
    kept = [file.read_text() for file in secrets]
    assert not any(secret.strip() in str(step) for secret in kept for step in [*planned, *done])

    again = setup(settings)
    assert set(states(again).values()) == {State.EXISTS}
    assert [file.read_text() for file in secrets] == kept
    assert setup(settings, dry_run=True) == again


def test_retention_is_a_year_and_a_month_for_readings_and_none_for_roll_ups(new_server: InfluxDB2, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "var", influx=Influx(url=new_server.url))
    setup(settings)
    new_server.headers = lambda: {"Authorization": f"Token {token(settings, 'reader')}"}  # type: ignore[method-assign]
    found = json.loads(new_server.http("/api/v2/buckets"))["buckets"]
    kept = {bucket["name"]: [rule["everySeconds"] for rule in bucket["retentionRules"]] for bucket in found}
    assert kept == {"kanhu": [400 * 86_400], "kanhu_rollups": [0]}
    shards = {b["name"]: [rule["shardGroupDurationSeconds"] // 86_400 for rule in b["retentionRules"]] for b in found}
    assert shards == {"kanhu": [7], "kanhu_rollups": [ROLLUP_SHARD_D]}
    assert states(setup(settings, retention_days=30))["bucket kanhu"] is State.DIFFERS


def test_no_token_can_do_more_than_its_role(influxdb2: Database, tmp_path: Path) -> None:
    other = influxdb2.server.database()
    settings = settings_for(influxdb2, tmp_path)
    setup(settings, admin_token=TOKEN)
    raw, rolled = settings.influx.bucket, f"{settings.influx.bucket}_rollups"
    may = {
        role: {
            (verb, bucket)
            for verb, asked in (("read", can_read), ("write", can_write))
            for bucket in (raw, rolled, other.name)
            if asked(in_role(settings, role), bucket)
        }
        for role in ("gateway", "rollups", "reader")
    }
    assert may == {
        "gateway": {("write", raw)},
        "rollups": {("read", raw), ("write", rolled)},
        "reader": {("read", raw), ("read", rolled)},
    }


@pytest.mark.parametrize("role", ["gateway", "rollups", "reader"])
def test_no_token_can_make_buckets_or_tokens_or_delete(influxdb2: Database, tmp_path: Path, role: str) -> None:
    settings = settings_for(influxdb2, tmp_path)
    setup(settings, admin_token=TOKEN)
    server = InfluxDB2(influxdb2.server.folder, "")
    server.port = influxdb2.server.port
    org = json.loads(influxdb2.server.http("/api/v2/orgs", org=ORG))["orgs"][0]["id"]
    server.headers = lambda: {"Authorization": f"Token {token(settings, role)}"}  # type: ignore[method-assign]
    tries = [
        ("/api/v2/buckets", {"orgID": org, "name": "mine"}),
        ("/api/v2/authorizations", {"orgID": org, "permissions": [{"action": "read", "resource": {"type": "buckets"}}]}),
        (
            f"/api/v2/delete?org={ORG}&bucket=first",
            {"start": "1970-01-01T00:00:00Z", "stop": "2030-01-01T00:00:00Z"},
        ),
    ]
    for path, body in tries:
        with pytest.raises(urllib.error.HTTPError) as refused:
            server.http(path, json.dumps(body).encode())
        assert refused.value.code in (401, 403)


def test_what_the_gateway_writes_the_reader_reads_through_influxql(influxdb2: Database, tmp_path: Path) -> None:
    settings = settings_for(influxdb2, tmp_path)
    setup(settings, admin_token=TOKEN)
    assert InfluxSink(settings.influx).write([READING]) == []
    [row] = InfluxReader(in_role(settings, "reader")).rows("climate", T, T + 1)
    assert row.fields == {"temperature": 21.0, "temperature_flag": 2}


def test_one_data_source_reaches_the_roll_ups_too(influxdb2: Database, tmp_path: Path) -> None:
    settings = settings_for(influxdb2, tmp_path)
    setup(settings, admin_token=TOKEN)
    rolled = f"{settings.influx.bucket}_rollups"
    writer = InfluxSink(in_role(settings, "rollups").model_copy(update={"bucket": rolled}))
    assert writer.write([READING]) == []
    query = f'SELECT mean(temperature) FROM "{rolled}".."climate"'
    [series] = InfluxReader(in_role(settings, "reader")).ask(settings.influx.bucket, query)
    assert series.values[0][1] == 21.0


def test_a_lost_or_revoked_token_is_replaced_and_the_others_stay(influxdb2: Database, tmp_path: Path) -> None:
    settings = settings_for(influxdb2, tmp_path)
    setup(settings, admin_token=TOKEN)
    rollups = token_path(settings, "rollups").read_text()
    token_path(settings, "reader").unlink()
    token_path(settings, "gateway").write_text("revoked\n")
    assert states(setup(settings, admin_token=TOKEN, dry_run=True))["token gateway"] is State.WOULD_MAKE
    done = {step.what: step for step in setup(settings, admin_token=TOKEN)}
    assert done["token reader"].state is State.MADE
    assert "1 older" in done["token reader"].detail
    assert (done["token gateway"].state, done["token rollups"].state) == (State.REPLACED, State.EXISTS)
    assert token_path(settings, "rollups").read_text() == rollups
    assert InfluxSink(settings.influx).write([READING]) == []


def test_a_server_in_use_asks_for_a_token_and_says_what_it_is_for(influxdb2: Database, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="token that may manage buckets"):
        setup(settings_for(influxdb2, tmp_path))
    with pytest.raises(Misconfigured, match="may not manage"):
        setup(settings_for(influxdb2, tmp_path), admin_token="wrong")


def test_a_database_that_is_away_is_unavailable(tmp_path: Path) -> None:
    for kind in ("influxdb1", "influxdb2"):
        with pytest.raises(Unavailable):
            setup(Settings.model_validate({"data_dir": tmp_path, "influx": {"url": "http://127.0.0.1:1", "kind": kind}}))


def test_the_wrong_kind_is_told(influxdb1: Database, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"influx\.kind"):
        setup(Settings(data_dir=tmp_path, influx=Influx(url=influxdb1.url, kind="influxdb2")))


def test_names_that_could_leave_a_statement_are_refused(tmp_path: Path) -> None:
    influx = Influx(url="http://127.0.0.1:1", kind="influxdb1", bucket='x" WITH DURATION 1h; DROP DATABASE "y')
    with pytest.raises(Misconfigured, match="cannot name"):
        setup(Settings(data_dir=tmp_path, influx=influx))


def test_influxdb_1_gets_both_databases_and_a_second_run_changes_nothing(influxdb1_server: InfluxDB1, tmp_path: Path) -> None:
    influxdb1_server.start()
    settings = Settings(data_dir=tmp_path, influx=Influx(url=influxdb1_server.url, kind="influxdb1", bucket="fresh"))
    assert set(states(setup(settings, dry_run=True)).values()) == {State.WOULD_MAKE}
    assert states(setup(settings)) == {"database fresh": State.MADE, "database fresh_rollups": State.MADE}
    assert set(states(setup(settings)).values()) == {State.EXISTS}
    assert states(setup(settings, retention_days=30))["database fresh"] is State.DIFFERS
    policies = influxdb1_server.query("", 'SHOW RETENTION POLICIES ON "fresh"')[0]["values"]
    assert [row[:2] for row in policies] == [["autogen", "9600h0m0s"]]
    policies = influxdb1_server.query("", 'SHOW RETENTION POLICIES ON "fresh_rollups"')[0]["values"]
    assert [row[:3] for row in policies] == [["autogen", "0s", f"{ROLLUP_SHARD_D * 24}h0m0s"]]


@pytest.mark.parametrize("influx", [Influx(), Influx(url="http://127.0.0.1:1", kind="victoriametrics")])
def test_a_database_that_needs_nothing_is_told_so(tmp_path: Path, influx: Influx) -> None:
    [step] = setup(Settings(data_dir=tmp_path, influx=influx))
    assert (step.state, "nothing to set up" in step.detail) == (State.EXISTS, True)
