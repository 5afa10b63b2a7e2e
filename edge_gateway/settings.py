"""Settings: one TOML file, each value also from the environment (`KANHU_BROKER__PORT=1883`); an unknown key is an error."""

import tomllib
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from edge_gateway.errors import Misconfigured

DEFAULT_FILE: Final = Path("kanhu.toml")
_CLOCK: Final = r"^([01]\d|2[0-3]):[0-5]\d$"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Broker(_Section):
    """Where mosquitto is and how the gateway presents itself."""

    host: str = "127.0.0.1"
    port: int = Field(default=1883, ge=1, le=65535)
    username: str = "gateway"
    password_file: Path | None = None
    tls_ca: Path | None = None
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    keepalive_s: int = Field(default=15, ge=2, le=600)
    receive_maximum: int = Field(default=8000, ge=100, le=65535)
    session_expiry_s: int = Field(default=4_294_967_295, ge=3600)  # the largest value means never


class Gateway(_Section):
    """The pipeline's own limits.

    Attributes:
        id: its name in the database, where it is one of several gateways that write there.
        silence_days: how silent each quantity was is kept so long, days (0: for ever), and no longer than `presence_days`.
    """

    commit_ms: float = Field(default=20.0, ge=0.5, le=1000)
    commit_messages: int = Field(default=2000, ge=1, le=100_000)
    receipts_per_s: float = Field(default=4.0, gt=0, le=100)
    ballast_mb: int = Field(default=64, ge=0, le=10_000)
    outbox_quota_mb: int = Field(default=4096, ge=8)
    held_messages: int = Field(default=100_000, ge=0)
    dead_letters: int = Field(default=100_000, ge=100)
    time_floor: str = "2024-01-01T00:00:00Z"  # a device clock below it is wrong; lower it to replay old recordings
    late_s: float = Field(default=30 * 86_400.0, gt=0)
    future_s: float = Field(default=86_400.0, gt=0)
    metrics_port: int = Field(default=9464, ge=0, le=65535)  # 0: any free port
    readings_every_s: float = Field(default=60.0, ge=1)
    id: str = Field(default="gateway", pattern=r"^[a-z0-9](?:[a-z0-9_-]{0,46}[a-z0-9])?$")
    silence_days: int = Field(default=14, ge=0, le=3660)


class Influx(_Section):
    """A time-series database; without `url` the embedded store is used."""

    url: str = ""
    kind: Literal["influxdb2", "influxdb3", "influxdb1", "victoriametrics"] = "influxdb2"
    org: str = "kanhu"
    bucket: str = "kanhu"
    token_file: Path | None = None
    username: str = ""
    password_file: Path | None = None
    timeout_s: float = Field(default=10.0, gt=0, le=300)
    batch_lines: int = Field(default=5000, ge=1, le=50_000)


class Person(_Section):
    """Somebody who is told about alerts; `urls` are apprise addresses, first channel first.

    Attributes:
        homes_only: told of the homes that name this person as a contact, and of no other: a daughter, a neighbour.
    """

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,47}$")
    name: str = ""
    urls: list[str] = []
    homes_only: bool = False

    @field_validator("id")
    @classmethod
    def _nobody(cls, person: str) -> str:
        if person in ("gateway", "siren"):
            raise ValueError(f"{person} is no person: the gateway uses this word for itself")
        return person


class SelfTest(_Section):
    """The way of an alarm is tried in each home once a day. Nobody at home hears or sees it, one person gets a quiet message.

    Attributes:
        begins, ends: between them lies each home's own moment; of its day, as all three.
        last: until then a test that failed is repeated, every `retry_s`.
        answer_s: how long a device has to answer; it is asked three times.
        gather_s: the message goes out at multiples of it, one for all homes tested before.
    """

    enabled: bool = True
    begins: str = Field(default="09:30", pattern=_CLOCK)
    ends: str = Field(default="10:00", pattern=_CLOCK)
    last: str = Field(default="17:00", pattern=_CLOCK)
    answer_s: float = Field(default=120.0, ge=5, le=3600)
    retry_s: float = Field(default=3600.0, ge=60, le=86_400)
    gather_s: float = Field(default=1800.0, ge=0, le=7200)

    @model_validator(mode="after")
    def _in_order(self) -> "SelfTest":
        if not self.begins < self.ends <= self.last:
            raise ValueError("begins, ends and last must follow each other within one day")
        return self


class Alerts(_Section):
    """Who is told, and how long before somebody else is.

    Attributes:
        close_within_s: an urgent alert that was accepted and is not closed so long after is opened again; others:
            `close_soft_within_s`.
        louder_rounds: after so many rounds that were confirmed but not accepted, an urgent message goes to one more channel
            of the person; 0: it does not.
        link_valid_s: the link in a message can be used so long.
        replies: answers to messages come back to the gateway, so messages say which word to answer.
        siren: addresses of sirens (`siren://site/device`, `siren+run:///a/program`), which sound when no channel of anybody has
            confirmed an urgent message for `siren_after_s`.
        test_s: a test of the way of an alarm that no channel confirmed has failed after so long.
        heartbeat_url: of a service outside that tells somebody when it is not asked for longer than twice `heartbeat_s`; only
            the whole chain from the broker to a person's channel asks it. "": none.
    """

    people: list[Person] = []
    repeat_s: float = Field(default=60.0, ge=1)
    next_person_s: float = Field(default=180.0, ge=1)
    second_channel_s: float = Field(default=15.0, ge=1)
    notify_timeout_s: float = Field(default=10.0, ge=1)
    close_within_s: float = Field(default=1800.0, ge=10)
    close_soft_within_s: float = Field(default=86_400.0, ge=10)
    louder_rounds: int = Field(default=2, ge=0, le=100)
    link_valid_s: float = Field(default=900.0, ge=60, le=86_400)
    replies: bool = False
    siren: list[str] = []
    siren_after_s: float = Field(default=30.0, ge=1)
    test_s: float = Field(default=300.0, ge=10)
    selftest: SelfTest = SelfTest()
    heartbeat_url: str = Field(default="", pattern=r"^(https?://\S+)?$")
    heartbeat_s: float = Field(default=300.0, ge=1, le=86_400)

    def digest(self) -> str:
        """Whether two are the same, without a word of what is in them."""
        return blake2b(self.model_dump_json().encode(), digest_size=8).hexdigest()


class Fields(_Section):
    """Where answers and delivery reports stand in what a provider sends; paths such as `data.phone`, "" not there.

    Attributes:
        records: the path to them; "" the whole, one record or a list.
        wrapped: form fields that hold it as JSON.
        id: ids of the message that is reported; yes: values of `state` of one that arrived, no: of one that will not; another
            value is not the end of it. Without `no` everything else than `yes` is the end.
        sender, text, at: of an answer, `at` when it was sent.  digits: a key that was pressed in a call.
        answer: what the provider wants to hear.
    """

    records: str = ""
    wrapped: list[str] = []
    id: list[str] = []
    state: str = ""
    yes: list[str] = []
    no: list[str] = []
    reason: str = ""
    sender: str = ""
    text: str = ""
    digits: str = ""
    at: str = ""
    answer: str = "OK"


class Inbound(_Section):
    """A provider that hands in answers and delivery reports, at `<public_url>/in/<name>/<secret>`.

    Attributes:
        kind: how it speaks; `fields`: as the table `fields` says.
        secret_file: holds the last part of the address, at least 20 letters and digits.
        token_file: the token of WeCom's or Feishu's callback; the credentials of Grafana's Authorization header.
        key_file: what the provider signs or seals with: DingTalk's AppSecret, Feishu's Encrypt Key, WeCom's EncodingAESKey,
            Grafana's HMAC secret.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")
    kind: Literal["aliyun", "tencent", "yunpian", "twilio", "dingtalk", "feishu", "wecom", "fields", "grafana"]
    secret_file: Path
    token_file: Path | None = None
    key_file: Path | None = None
    fields: Fields = Fields()


class Console(_Section):
    """The staff's pages in a browser, a process of its own beside the gateway.

    Attributes:
        public_url: what people type, `https://visits.example.org`; "" where they use this machine's address.
        tls_in_front: a program on this machine ends TLS and hands requests on (its X-Forwarded-For and -Proto are believed).
        desk_readers: `site/device` of readers at a desk, where two taps show a courier his own record and are no visit.
        phone_site: site of taps that a phone without a personal link sends; "" the only site of the registry.
        inbound: providers of SMS, calls and chats that may call.
    """

    enabled: bool = True  # `kanhu up` starts it
    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=1, le=65535)
    public_url: str = Field(default="", pattern=r"^(https?://[^/\s?#@]+)?/?$")
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    tls_in_front: bool = False
    idle_min: float = Field(default=30.0, gt=0, le=720)
    longest_h: float = Field(default=12.0, gt=0, le=24)
    desk_readers: list[str] = []
    phone_site: str = ""
    inbound: list[Inbound] = []

    @property
    def secure(self) -> bool:
        """Whether browsers reach it by https alone."""
        return self.tls_certificate is not None or self.tls_in_front or self.public_url.startswith("https:")


class Visits(_Section):
    """How taps become visits; the numbers of judging and matching mean what they do in `edge_gateway/visits/judge.py`."""

    enabled: bool = True
    key_file: Path | None = None
    repeat_s: float = Field(default=10.0, ge=0, le=600)
    travel_s: float = Field(default=60.0, ge=0, le=3600)
    gap: int = Field(default=50, ge=1, le=100_000)
    burst: int = Field(default=6, ge=2, le=1000)
    burst_s: float = Field(default=180.0, ge=1, le=3600)
    fold_s: float = Field(default=180.0, ge=0, le=3600)
    stay_s: float = Field(default=3600.0, ge=0, le=86_400)
    service_s: float = Field(default=120.0, ge=0, le=3600)
    synced_late_s: float = Field(default=600.0, ge=1, le=86_400)
    accuracy_m: float = Field(default=200.0, gt=0, le=10_000)
    near_m: float = Field(default=300.0, gt=0, le=10_000)
    silence_s: float = Field(default=900.0, ge=10, le=86_400)
    batch: int = Field(default=50, ge=1, le=1000)
    alert_days: int = Field(default=2, ge=1, le=60)


class Privacy(_Section):
    """How long what is kept, days (0: for ever); and whether a home may be watched without a recorded consent.

    Attributes:
        presence_days: raw motion, presence, doors; their hourly sums stay.
        held_days, dead_letter_days: what nobody registered, what could not be taken.
        visit_days: the ledger of visits, at least 100 where it is set: months have to be claimed.
        damaged_days: files that were put aside.
    """

    consent_required: bool = False
    presence_days: int = Field(default=30, ge=0, le=3660)
    alert_days: int = Field(default=400, ge=0, le=3660)
    home_log_days: int = Field(default=400, ge=0, le=3660)
    held_days: int = Field(default=30, ge=0, le=3660)
    dead_letter_days: int = Field(default=90, ge=0, le=3660)
    visit_days: int = Field(default=0, ge=0, le=36_600)
    damaged_days: int = Field(default=30, ge=0, le=3660)
    backup_days: int = Field(default=30, ge=0, le=3660)

    @field_validator("visit_days", mode="after")
    @classmethod
    def _claimed_first(cls, days: int) -> int:
        if 0 < days < 100:
            raise ValueError("0 (for ever), or at least 100: a month has to be over, checked and claimed")
        return days


class Settings(BaseSettings):
    """All settings of the gateway and of the programs beside it."""

    model_config = SettingsConfigDict(env_prefix="KANHU_", env_nested_delimiter="__", extra="forbid", frozen=True)

    data_dir: Path = Path("var")
    registry: Path = Path("registry.toml")
    broker: Broker = Broker()
    gateway: Gateway = Gateway()
    influx: Influx = Influx()
    alerts: Alerts = Alerts()
    visits: Visits = Visits()
    console: Console = Console()
    privacy: Privacy = Privacy()

    @field_validator("data_dir", "registry", mode="after")
    @classmethod
    def _expand(cls, path: Path) -> Path:
        return path.expanduser()

    @property
    def store_file(self) -> Path:
        """The gateway's own SQLite file: state, outbox, dead letters."""
        return self.data_dir / "gateway.db"

    @property
    def duty_file(self) -> Path:
        """Who is on duty when; taken up while the gateway runs."""
        return self.data_dir / "duty.toml"

    @property
    def readings_file(self) -> Path:
        """The embedded database of readings."""
        return self.data_dir / "readings.db"

    @property
    def console_file(self) -> Path:
        """The console's own SQLite file: who may log in, who is logged in, who did what."""
        return self.data_dir / "console.db"

    @property
    def visits_file(self) -> Path:
        """The ledger of visits."""
        return self.data_dir / "visits.db"

    @property
    def visits_key_file(self) -> Path:
        """The key of what is sealed in the ledger: numbers and keys of cards, names."""
        return self.visits.key_file or self.data_dir / "secrets" / "visits.key"

    @property
    def command_socket(self) -> Path:
        """Where a running gateway takes commands from the command line and the console."""
        return self.data_dir / "gateway.sock"


def load(file: Path | None = None, **overrides: Any) -> Settings:
    """Settings from `file` (default `kanhu.toml` if it is there), the environment, then `overrides`.

    Raises:
        Misconfigured: all problems at once, each with its key and what would be right.
    """
    path = file or DEFAULT_FILE
    if file is not None and not file.exists():
        raise Misconfigured(f"there is no settings file {file}", "give --settings the path of a TOML file")

    class FromFile(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, path)

    try:
        return FromFile(**overrides)
    except tomllib.TOMLDecodeError as error:
        raise Misconfigured(f"{path} is not TOML: {error}", "mend the line it names") from error
    except ValidationError as error:
        found = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']} (seen {e['input']!r})"[:300] for e in error.errors())
        raise Misconfigured(f"settings {path}: {found}", "see docs/operations.md for every key") from error


def secret(file: Path | None) -> str:
    """The secret in `file`, without its final newline; "" when no file is set.

    Raises:
        Misconfigured: the file is missing, or others may read it.
    """
    if file is None:
        return ""
    try:
        mode = file.stat().st_mode
        if mode & 0o077:
            raise Misconfigured(f"{file} can be read by others (mode {mode & 0o777:o})", f"chmod 600 {file}")
        return file.read_text(encoding="utf-8").rstrip("\n")
    except OSError as error:
        raise Misconfigured(f"cannot read {file}: {error}", "it should hold the secret, mode 0600") from error
