"""`kanhu dashboards build`: the same bytes each time, nothing that the linter refuses, nothing left of an earlier build."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from dashboards.grafana import build, contact_points
from dashboards.grafana.lint import lint_files
from dashboards.grafana.objects import DASHBOARDS, Placed, dashboards, folders, rule_groups
from dashboards.grafana.options import Options
from dashboards.grafana.text import Language
from edge_gateway.errors import Misconfigured

CHANNELS = {
    name: "on-duty@example.org" if name.endswith("_EMAIL") else "https://example.org/x"
    for point in contact_points.contact_points(Options())
    for name in contact_points.variables(point)
}
NAMES = ("operations", "fleet", "homes", "meals", "river", "runbook")
LIST = "kanhu-files.json"
RULES = "provisioning/alerting/kanhu-rules.yml"
TWO = Options(gateways=("gateway", "second"))
SECOND = {"orgId": 1, "uid": "kanhu-gateway-silent-second"}
HASHES = """
import hashlib
from dashboards.grafana import build
from dashboards.grafana.options import Options
for path, content in build.files(Options(), {"KANHU_GRAFANA_EMAIL": "on-duty@example.org"}).items():
    print(path, hashlib.sha256(content).hexdigest())
"""


def on_disk(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def held(folder: Path, path: str) -> Any:
    return yaml.safe_load((folder / path).read_bytes())


def test_the_same_options_make_the_same_bytes_in_every_process() -> None:
    # Sets and hashes of texts come in another order in each process that has another seed.
    said = [
        subprocess.run(
            [sys.executable, "-c", HASHES],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert said[0] == said[1]
    assert len(said[0].splitlines()) >= 2 * len(DASHBOARDS) + 3


def test_a_second_build_changes_nothing(tmp_path: Path) -> None:
    first = build.write(tmp_path, Options(), CHANNELS)
    before = on_disk(tmp_path)
    assert build.write(tmp_path, Options(), CHANNELS) == []
    assert on_disk(tmp_path) == before
    assert sorted(first) == sorted(set(before) - {LIST})


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(Options(), id="as it comes"),
        pytest.param(Options(languages=(Language.EN,)), id="English only"),
        pytest.param(Options(languages=(Language.ZH,)), id="Chinese only"),
        pytest.param(Options(tiles="https://tiles.example/{z}/{x}/{y}.png"), id="with tiles"),
        pytest.param(Options(grafana_url="https://grafana.example/sub/"), id="with an address"),
        pytest.param(Options(zone="Asia/Kathmandu"), id="another zone"),
        pytest.param(Options(bucket="river.1", influx_url="https://influx:8086", token_file=""), id="another database"),
        pytest.param(Options(gateways=("gateway", "north", "south"), river_class=5), id="three gateways"),
    ],
)
def test_the_linter_finds_nothing(options: Options) -> None:
    assert lint_files(build.files(options, CHANNELS), options=options) == []


def test_the_linter_finds_nothing_without_a_channel_and_with_all_that_can_be_set() -> None:
    assert lint_files(build.files(Options(), {})) == []
    assert lint_files(build.files(Options(), {**CHANNELS, "KANHU_GRAFANA_WEBHOOK_TOKEN": "x"})) == []


@pytest.mark.parametrize("left_out", sorted(CHANNELS))
def test_the_linter_finds_nothing_where_one_channel_is_not_set(left_out: str) -> None:
    environment = {**CHANNELS, left_out: " "}
    assert lint_files(build.files(Options(), environment)) == []


def test_every_file_is_accounted_for(tmp_path: Path) -> None:
    build.write(tmp_path, Options(), CHANNELS)
    listed = json.loads((tmp_path / LIST).read_text())
    assert listed == sorted(set(on_disk(tmp_path)) - {LIST})
    built = {path for path in listed if path.startswith("dashboards/")}
    assert built == {f"dashboards/{language}/{name}.json" for language in Language for name in NAMES}
    uids = {json.loads((tmp_path / path).read_bytes())["uid"] for path in built}
    assert uids == {placed.dashboard["uid"] for placed in dashboards(Options())}


def test_every_folder_that_is_named_is_one_of_ours() -> None:
    ours = {folder["uid"] for folder in folders(Options())}
    assert {placed.folder_uid for placed in dashboards(Options())} < ours
    assert {group["folderUid"] for group in rule_groups(Options())} < ours


def test_a_rule_that_is_gone_is_deleted_by_name_for_as_long_as_it_stays_away(tmp_path: Path) -> None:
    build.write(tmp_path, TWO, {})
    assert "deleteRules" not in held(tmp_path, RULES)
    for _ in range(2):
        build.write(tmp_path, Options(), {})
        assert held(tmp_path, RULES)["deleteRules"] == [SECOND]
    build.write(tmp_path, TWO, {})
    assert "deleteRules" not in held(tmp_path, RULES)


def test_channels_that_are_gone_are_deleted_and_the_policy_leads_to_none_of_them(tmp_path: Path) -> None:
    build.write(tmp_path, Options(), CHANNELS)
    points = held(tmp_path, "provisioning/alerting/kanhu-contact-points.yml")["contactPoints"]
    uids = {receiver["uid"] for point in points for receiver in point["receivers"]}
    assert uids == {point["uid"] for point in contact_points.contact_points(Options())}
    for _ in range(2):
        build.write(tmp_path, Options(), {})
        after = held(tmp_path, "provisioning/alerting/kanhu-contact-points.yml")
        assert "contactPoints" not in after
        assert {one["uid"] for one in after["deleteContactPoints"]} == uids
        assert held(tmp_path, "provisioning/alerting/kanhu-policies.yml") == {"apiVersion": 1, "resetPolicies": [1]}


def test_a_language_that_is_gone_takes_its_dashboards_along(tmp_path: Path) -> None:
    build.write(tmp_path, Options(), {})
    changed = build.write(tmp_path, Options(languages=(Language.EN,)), {})
    assert {one for one in changed if one.startswith("-")} == {f"-dashboards/zh/{name}.json" for name in NAMES}
    assert not [path for path in on_disk(tmp_path) if "/zh/" in path]


def test_files_of_others_are_left_alone_and_not_written_over(tmp_path: Path) -> None:
    strange = tmp_path / "dashboards" / "zh" / "river.json"
    strange.parent.mkdir(parents=True)
    strange.write_text("mine")
    (tmp_path / "notes.txt").write_text("mine too")
    before = on_disk(tmp_path)
    with pytest.raises(Misconfigured, match=r"river\.json is there and was not made by this"):
        build.write(tmp_path, Options(), {})
    assert on_disk(tmp_path) == before
    strange.unlink()
    build.write(tmp_path, Options(), {})
    assert (tmp_path / "notes.txt").read_text() == "mine too"


def test_nothing_is_written_that_the_linter_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build.write(tmp_path, Options(), {})
    before = on_disk(tmp_path)

    def broken(options: Options) -> list[Placed]:
        made = dashboards(options)
        made[0].dashboard["panels"][1]["targets"][0]["rawQuery"] = False
        return made

    monkeypatch.setattr(build, "dashboards", broken)
    with pytest.raises(Misconfigured, match="rawQuery is not true"):
        build.write(tmp_path, Options(zone="Asia/Urumqi"), {})
    assert on_disk(tmp_path) == before


@pytest.mark.parametrize("written", [0, 9])
def test_a_build_that_was_stopped_half_way_is_finished_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    build.write(tmp_path / "a", TWO, CHANNELS)
    replace, left = build._replace, written

    def stopped(path: Path, content: bytes) -> None:
        nonlocal left
        if left == 0:
            raise OSError("no space left on device")
        left -= 1
        replace(path, content)

    other = Options(languages=(Language.EN,), zone="Asia/Urumqi")
    with monkeypatch.context() as patched:
        patched.setattr(build, "_replace", stopped)
        with pytest.raises(OSError, match="no space"):
            build.write(tmp_path / "a", other, {})
    build.write(tmp_path / "a", other, {})
    # The same as if it had gone through at once.
    build.write(tmp_path / "b", TWO, CHANNELS)
    build.write(tmp_path / "b", other, {})
    assert on_disk(tmp_path / "a") == on_disk(tmp_path / "b")


def test_what_lies_there_and_cannot_be_read_is_said_and_not_guessed(tmp_path: Path) -> None:
    build.write(tmp_path, Options(), {})
    (tmp_path / RULES).write_text("groups: [")
    with pytest.raises(Misconfigured, match="kanhu-rules"):
        build.write(tmp_path, Options(), {})
    build.write(tmp_path / "anew", Options(), {})
    (tmp_path / "anew" / LIST).write_text("[")
    with pytest.raises(Misconfigured, match=LIST):
        build.write(tmp_path / "anew", Options(), {})


def test_no_secret_of_the_environment_is_in_any_file(tmp_path: Path) -> None:
    secret = "s3cret-7Qw"
    build.write(tmp_path, Options(), {name: value + secret for name, value in CHANNELS.items()})
    assert not [path for path, content in on_disk(tmp_path).items() if secret.encode() in content]


def test_files_are_the_same_on_every_kind_of_disk(tmp_path: Path) -> None:
    build.write(tmp_path, Options(), CHANNELS)
    made = build.files(Options(), CHANNELS)
    assert {path: hashlib.sha256(content).digest() for path, content in made.items()} == {
        path: hashlib.sha256(content).digest() for path, content in on_disk(tmp_path).items() if path != LIST
    }
    assert not [path for path, content in made.items() if b"\r" in content or not content.endswith(b"\n")]
