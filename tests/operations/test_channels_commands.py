"""`kanhu channels`: a mistake in an address is told without the address; a test says what each channel answered."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

import kanhu_app
from edge_gateway.errors import KanhuError
from edge_gateway.notify import notifier_for
from edge_gateway.notify.gateway_file import GatewayFile
from edge_gateway.settings import Settings
from operations.doctor import channels as checks
from operations.doctor.result import Outcome
from tests import channels
from tests.channels import Channel

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture
def channel() -> Iterator[Channel]:
    with channels.serving() as found:
        yield found


def settings_file(folder: Path, *urls: str) -> Path:
    file = folder / "kanhu.toml"
    listed = ", ".join(f'"{url}"' for url in urls)
    file.write_text(f'data_dir = "{folder / "var"}"\n[[alerts.people]]\nid = "zhang"\nurls = [{listed}]\n', encoding="utf-8")
    return file


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(kanhu_app.app, ["channels", *arguments, "--settings", str(folder / "kanhu.toml")])
    return done.exit_code, str(done.exception) if isinstance(done.exception, KanhuError) else done.output


def test_a_test_message_goes_through_every_channel_and_says_what_each_answered(channel: Channel, tmp_path: Path) -> None:
    settings_file(
        tmp_path, f"wecom://{channels.WECOM_KEY}?base={channel.base}", f"wecom://wrong-key-123?base={channel.base}",
    )  # fmt: skip
    code, told = run(tmp_path, "try", "zhang")
    assert code == 1
    assert "zhang 1 wecom: taken" in told
    assert "zhang 2 wecom: not taken: answered 200: 93000 invalid webhook url" in told
    assert "wrong-key-123" not in told
    text = channel.received[0].data["text"]["content"]
    assert text.startswith("看护: 测试")
    assert "这是测试, 不用处理" in text


def test_one_channel_can_be_tried_alone(channel: Channel, tmp_path: Path) -> None:
    settings_file(tmp_path, "wecom://nobody-is-asked", f"wecom://{channels.WECOM_KEY}?base={channel.base}")
    assert run(tmp_path, "try", "zhang", "--channel", "2")[0] == 0
    assert len(channel.received) == 1


@pytest.mark.parametrize(
    ("arguments", "said"), [(["try", "li"], "known are zhang"), (["try", "zhang", "--channel", "3"], "has 1 channels")]
)
def test_what_does_not_exist_is_told(tmp_path: Path, arguments: list[str], said: str) -> None:
    settings_file(tmp_path, "wecom://KEY123")
    code, told = run(tmp_path, *arguments)
    assert code != 0
    assert said in told


def test_the_list_names_kinds_and_mistakes_and_no_address(tmp_path: Path) -> None:
    settings_file(tmp_path, "wecom://s3cr3t-key?mobil=1", "mailto://user:pa55@example.org")
    code, told = run(tmp_path)
    assert code == 1
    assert "zhang: wecom → apprise" in told
    assert "channel 1 of zhang: the option 'mobil' is not known" in told
    assert "s3cr3t-key" not in told
    assert "pa55" not in told


def settings(folder: Path, *urls: str, **console: object) -> Settings:
    given = {"people": [{"id": "zhang", "urls": list(urls)}]}
    return Settings.model_validate({"data_dir": folder, "alerts": given, "console": console})


def test_the_doctor_looks_at_addresses_and_at_the_way_back(tmp_path: Path) -> None:
    assert checks.channels(settings(tmp_path, "wecom://KEY123", "sms://13800001111")).outcome is Outcome.FAIL
    assert checks.channels(settings(tmp_path, "wecom://KEY123")).outcome is Outcome.WARN
    two = settings(tmp_path, "wecom://KEY123", "mailto://user:pass@example.org")
    assert checks.channels(two).outcome is Outcome.OK
    assert "no link" in checks.answers(two).seen
    assert checks.answers(settings(tmp_path, "wecom://KEY123", public_url="https://kanhu.example.org")).outcome is Outcome.OK
    (tmp_path / "key").write_text("short")
    (tmp_path / "key").chmod(0o600)
    inbound = [{"name": "sms", "kind": "aliyun", "secret_file": tmp_path / "key"}]
    assert "is short" in checks.answers(settings(tmp_path, "wecom://KEY123", inbound=inbound)).seen
    (tmp_path / "key").write_text("x" * 20)
    outcomes = {}
    for kind in ("aliyun", "grafana"):
        console = {"public_url": "https://kanhu.example.org", "inbound": [{**inbound[0], "kind": kind}]}
        asking = settings(tmp_path, "wecom://KEY123", **console)
        asking = asking.model_copy(update={"alerts": asking.alerts.model_copy(update={"replies": True})})
        outcomes[kind] = checks.answers(asking).outcome
    assert outcomes == {"aliyun": Outcome.OK, "grafana": Outcome.WARN}, "Grafana hands in no person's answer"


@pytest.mark.parametrize("page", ["channels.md", "channels.zh-CN.md"])
def test_every_address_and_file_of_the_page_can_be_used(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    table = [line for line in text.splitlines() if line.startswith("| ")]
    known = re.compile(r"`((?:wecom|dingtalk|feishu|barks|sms|voice|webhook|mailto|ntfy)://[^`]+)`")
    urls = [url for line in table for url in known.findall(line)]
    assert len(urls) == 9
    for url in urls:
        notifier = notifier_for(url)
        assert notifier is not None
        assert notifier.problem(url) == "" or "there is no " in notifier.problem(url), url
    blocks = [tomllib.loads(block) for block in re.findall(r"```toml\n(.*?)```", text, re.DOTALL)]
    gateways = [GatewayFile.model_validate(block) for block in blocks if "url" in block]
    assert gateways
    inbound = [block["console"]["inbound"] for block in blocks if "console" in block]
    assert [provider.name for provider in Settings.model_validate({"console": {"inbound": inbound[0]}}).console.inbound][
        :2
    ] == ["sms", "ding"]
