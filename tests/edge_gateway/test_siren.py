"""A siren sounds by a program or by a device, says why it could not, and hangs up nothing."""

from pathlib import Path

import pytest

from edge_gateway.notify import Letter, notifier_for
from edge_gateway.notify.siren import SirenNotifier, device_of
from edge_gateway.rules import Severity

LETTER = Letter("看护: 紧急 / Kanhu: urgent", "home-1", Severity.URGENT)


class Bell:
    """A device that can be rung."""

    def __init__(self, problem: str = "") -> None:
        self.rung: list[tuple[str, str, int]] = []
        self.problem = problem

    def __call__(self, site: str, device: str, seconds: int) -> str:
        self.rung.append((site, device, seconds))
        return self.problem


def script(folder: Path, text: str) -> str:
    file = folder / "siren.sh"
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return f"siren+run://{file}"


def test_a_device_is_asked_for_a_minute() -> None:
    bell = Bell()
    assert SirenNotifier(bell).send("siren://wutong/office", LETTER, 5.0).delivered
    assert bell.rung == [("wutong", "office", 60)]


def test_a_device_that_is_away_is_a_failure_with_its_reason() -> None:
    outcome = SirenNotifier(Bell("the siren wutong/office is not connected")).send("siren://wutong/office", LETTER, 5.0)
    assert (outcome.delivered, outcome.in_doubt) == (False, False)
    assert "not connected" in outcome.reason


def test_a_program_gets_its_arguments_and_how_long_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KANHU_SECRET_OF_THE_GATEWAY", "s3cr3t")
    url = script(tmp_path, f'echo "$@" > {tmp_path}/said; env >> {tmp_path}/said')
    assert SirenNotifier(Bell()).send(f"{url}?arg=on&arg=a b;rm", LETTER, 20.0).delivered
    said = (tmp_path / "said").read_text()
    assert said.startswith("on a b;rm\n")
    assert "KANHU_SECONDS=60" in said
    assert "s3cr3t" not in said


def test_a_program_that_fails_is_a_failure_and_one_that_hangs_is_in_doubt(tmp_path: Path) -> None:
    failed = SirenNotifier(Bell()).send(script(tmp_path, "exit 3"), LETTER, 20.0)
    assert (failed.delivered, failed.in_doubt, failed.reason) == (False, False, "the siren's program ended with 3")
    hangs = SirenNotifier(Bell()).send(script(tmp_path, "exec sleep 60"), LETTER, 0.5)
    assert (hangs.delivered, hangs.in_doubt) == (False, True)
    gone = SirenNotifier(Bell()).send("siren+run:///no/such/program", LETTER, 5.0)
    assert (gone.delivered, gone.in_doubt) == (False, False)


@pytest.mark.parametrize(
    "url", ["siren://", "siren://wutong", "siren://wutong/a/b", "siren://WUTONG/x", "siren+run:///no/such"]
)
def test_an_address_that_cannot_sound_is_named_at_the_start(url: str) -> None:
    siren = SirenNotifier(Bell())
    assert siren.handles(url)
    assert siren.problem(url)
    assert not siren.send(url, LETTER, 1.0).delivered


def test_good_addresses_have_no_problem_and_are_its_own(tmp_path: Path) -> None:
    siren = SirenNotifier(Bell())
    for url in ("siren://wutong/office", script(tmp_path, "true")):
        assert siren.problem(url) == ""
        assert notifier_for(url, (siren,)) is siren
    assert device_of("json://wutong/office") is None
