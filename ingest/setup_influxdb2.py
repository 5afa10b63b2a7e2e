"""The steps of `kanhu ingest setup` for InfluxDB 2; what they make and why is said in `ingest.setup`."""

import importlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, Final

from influxdb_client.rest import ApiException
from urllib3.exceptions import HTTPError

from edge_gateway.errors import Misconfigured, Unavailable
from edge_gateway.settings import Influx, Settings, secret
from ingest.influxql import InfluxReader
from ingest.rows import rollup_database
from ingest.setup import ROLLUP_SHARD_D, State, Step
from ingest.tokens import token_path

# influxdb-client is typed by halves and exports nothing explicitly; as Any it does not drown mypy's real findings.
influxdb: Any = importlib.import_module("influxdb_client")

ADMIN: Final = "admin"
# role -> (reads, writes), each of "raw" and "rollups"
ROLES: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "gateway": ((), ("raw",)),
    "rollups": (("raw",), ("rollups",)),
    "reader": (("raw", "rollups"), ()),
}


class InfluxDB2:
    """The steps for InfluxDB 2, in order; each looks first and makes only what is missing."""

    def __init__(self, settings: Settings, admin_token: str, retention_days: int, dry_run: bool) -> None:
        self._settings, self._influx = settings, settings.influx
        self._admin_token, self._days, self._dry_run = admin_token, retention_days, dry_run
        self._password_file = token_path(settings, "gateway").parent / "influx-admin.password"
        self._buckets = {"raw": self._influx.bucket, "rollups": rollup_database(self._influx.bucket)}

    def steps(self) -> list[Step]:
        with _told(self._influx):
            new = self._onboard()
            steps = [new] if new is not None else []
            # On a dry run over a new server there is nobody to ask: everything below is missing.
            with nullcontext() if new is not None and self._dry_run else self._client() as client:
                org, step = self._org(client)
                steps.append(step)
                buckets: dict[str, Any] = {}
                for key, days in (("raw", self._days), ("rollups", 0)):
                    buckets[key], step = self._bucket(client, org, self._buckets[key], days)
                    steps += [step, self._mapping(client, org, buckets[key], self._buckets[key])]
                return steps + [self._token(client, org, role, buckets) for role in ROLES]

    def _onboard(self) -> Step | None:
        """Take a new server into use; None when it was in use already."""
        with influxdb.InfluxDBClient(self._influx.url, token="none", timeout=self._timeout_ms) as client:  # noqa: S106
            service = influxdb.SetupService(client.api_client)
            if not service.get_setup().allowed:
                return None
            if self._dry_run:
                return Step("server", State.WOULD_MAKE, f"user {ADMIN}, password in {self._password_file}")
            if not self._password_file.exists():  # first the file, then the server: a crash in between locks nobody out
                write_secret(self._password_file, secrets.token_urlsafe(24))
            service.post_setup(
                influxdb.OnboardingRequest(
                    username=ADMIN,
                    password=secret(self._password_file),
                    org=self._influx.org,
                    bucket=self._influx.bucket,
                    retention_period_seconds=self._days * 86_400,
                )
            )
        return Step("server", State.MADE, f"user {ADMIN}, password in {self._password_file}: move it off this machine")

    def _client(self) -> Any:
        if self._admin_token:
            return influxdb.InfluxDBClient(self._influx.url, token=self._admin_token, timeout=self._timeout_ms)
        if not self._password_file.exists():
            raise Misconfigured(
                f"{self._influx.url} is in use already, and {self._password_file} is not here",
                "--admin-token-file FILE with a token that may manage buckets and authorizations; it is used once and not kept",
            )
        password = secret(self._password_file)
        return influxdb.InfluxDBClient(self._influx.url, username=ADMIN, password=password, timeout=self._timeout_ms)

    def _org(self, client: Any) -> tuple[Any, Step]:
        what = f"organisation {self._influx.org}"
        have = client.organizations_api().find_organizations() if client is not None else []
        found = next((org for org in have if org.name == self._influx.org), None)
        if found is not None:
            return found, Step(what, State.EXISTS)
        if self._dry_run:
            return None, Step(what, State.WOULD_MAKE)
        return client.organizations_api().create_organization(self._influx.org), Step(what, State.MADE)

    def _bucket(self, client: Any, org: Any, name: str, days: int) -> tuple[Any, Step]:
        what, wanted = f"bucket {name}", f"{days} d" if days else "for ever"
        have = client.buckets_api().find_buckets_iter(org_id=org.id) if org is not None else ()
        found = [bucket for bucket in have if bucket.name == name]
        if found:
            seconds = sum(rule.every_seconds for rule in found[0].retention_rules)
            if seconds == days * 86_400:
                return found[0], Step(what, State.EXISTS, f"keeps data {wanted}")
            kept = f"{seconds / 86_400:g} d" if seconds else "for ever"
            return found[0], Step(what, State.DIFFERS, f"keeps data {kept}, asked was {wanted}; not changed")
        if self._dry_run:
            return None, Step(what, State.WOULD_MAKE, f"keeps data {wanted}")
        rolled = name == rollup_database(self._influx.bucket)
        shards = {"shard_group_duration_seconds": ROLLUP_SHARD_D * 86_400} if rolled else {}
        rules = [influxdb.BucketRetentionRules(type="expire", every_seconds=days * 86_400, **shards)]
        made = client.buckets_api().create_bucket(bucket_name=name, org=org, retention_rules=rules)
        return made, Step(what, State.MADE, f"keeps data {wanted}")

    def _mapping(self, client: Any, org: Any, bucket: Any, name: str) -> Step:
        """InfluxDB 2.7 has a virtual mapping for each bucket; earlier ones have none, and then we make it."""
        what = f"InfluxQL database {name}"
        if bucket is None:
            return Step(what, State.WOULD_MAKE)
        service = influxdb.DBRPsService(client.api_client)
        found = service.get_dbr_ps(org_id=org.id, db=name).content or []
        others = [m for m in found if m.default and m.bucket_id != bucket.id]
        if others:
            detail = f"it means bucket {others[0].bucket_id}; delete that mapping and run this again"
            return Step(what, State.DIFFERS, detail)
        if any(m.default for m in found):
            return Step(what, State.EXISTS)
        if self._dry_run:
            return Step(what, State.WOULD_MAKE)
        service.post_dbrp(
            dbrp_create=influxdb.DBRPCreate(
                org_id=org.id, bucket_id=bucket.id, database=name, retention_policy="autogen", default=True
            )
        )
        return Step(what, State.MADE)

    def _token(self, client: Any, org: Any, role: str, buckets: dict[str, Any]) -> Step:
        path, what, detail = token_path(self._settings, role), f"token {role}", _rights(role, self._buckets)
        had = path.exists()
        if had and self._works(role, path):
            return Step(what, State.EXISTS, f"{detail}; {path}")
        if self._dry_run:
            return Step(what, State.WOULD_MAKE, f"{detail}; {path}")
        permissions = [
            influxdb.Permission(
                action=action, resource=influxdb.PermissionResource(type="buckets", id=buckets[key].id, org_id=org.id)
            )
            for action, keys in zip(("read", "write"), ROLES[role], strict=True)
            for key in keys
        ]
        api, description = client.authorizations_api(), f"kanhu {role} ({self._influx.bucket})"
        older = sum(a.description == description and a.org_id == org.id for a in api.find_authorizations())
        made = api.create_authorization(
            authorization=influxdb.Authorization(org_id=org.id, permissions=permissions, description=description)
        )
        write_secret(path, made.token)
        if older:  # a Grafana elsewhere may use one: a person decides
            detail += f"; {older} older named {description!r} still valid, revoke what nobody uses"
        return Step(what, State.REPLACED if had else State.MADE, f"{detail}; {path}")

    def _works(self, role: str, path: Path) -> bool:
        """Whether the token in this file can do what its role needs, asked of the server itself."""
        reads, writes = ROLES[role]
        influx = self._influx.model_copy(update={"token_file": path})
        return all(can_read(influx, self._buckets[k]) for k in reads) and all(
            can_write(influx, self._buckets[k]) for k in writes
        )

    @property
    def _timeout_ms(self) -> int:
        return int(self._influx.timeout_s * 1000)


def can_read(influx: Influx, bucket: str) -> bool:
    """Whether InfluxDB 2 lets the token of these settings read the bucket through InfluxQL.

    Raises:
        Unavailable: the server did not answer.
    """
    try:
        # Not SHOW: to a token without the right that answers an empty list, as if there were nothing to read.
        list(InfluxReader(influx).ask(bucket, 'SELECT * FROM "climate" WHERE time = 0'))
    except Misconfigured:
        return False
    return True


def can_write(influx: Influx, bucket: str) -> bool:
    """Whether InfluxDB 2 lets the token of these settings write the bucket, asked with an empty body. Raises as `can_read`."""
    with influxdb.InfluxDBClient(influx.url, token=secret(influx.token_file), timeout=int(influx.timeout_s * 1000)) as client:
        try:
            influxdb.WriteService(client.api_client).post_write(org=influx.org, bucket=bucket, body=b"")
        except ApiException as error:
            if error.status in (401, 403, 404):
                return False
            raise
    return True


def write_secret(path: Path, value: str) -> None:
    """`value` and a newline in a file of mode 0600, whole or not at all, in a folder of mode 0700 if it has to be made."""
    # `parents=True` would give the mode to the last folder alone, and leave the data folder open to everybody.
    for folder in [one for one in reversed(path.absolute().parents) if not one.exists()]:
        folder.mkdir(exist_ok=True, mode=0o700)
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(value + "\n")
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _rights(role: str, buckets: dict[str, str]) -> str:
    reads, writes = ROLES[role]
    told = [("reads", reads), ("writes", writes)]
    return ", ".join(f"{verb} {' and '.join(buckets[k] for k in keys)}" for verb, keys in told if keys)


@contextmanager
def _told(influx: Influx) -> Iterator[None]:
    """Say in our words what influxdb-client met."""
    try:
        yield
    except ApiException as error:
        seen = f"{influx.url}: {error.status} {error.message or error.reason}"[:300]
        if error.status in (401, 403):
            raise Misconfigured(seen, "the token or password may not manage buckets and authorizations") from error
        if error.status in (404, 405):
            raise Misconfigured(seen, f"is this an InfluxDB 2? influx.kind is {influx.kind!r}") from error
        raise Unavailable(seen) from error
    except (HTTPError, OSError) as error:
        raise Unavailable(f"{influx.url}: {error}"[:300]) from error
