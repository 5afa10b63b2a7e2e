"""The doctor asks who notices when the whole machine is gone."""

from pathlib import Path

from operations.doctor import outside
from tests.operations.test_doctor import PEOPLE, Outcome, assert_helps, settings


def test_a_machine_that_nobody_would_miss_is_a_warning(tmp_path: Path) -> None:
    assert outside.watcher(settings(tmp_path)).outcome == Outcome.OK, "nobody is told of anything here"
    assert_helps(outside.watcher(settings(tmp_path, alerts=PEOPLE)), Outcome.WARN, "nobody outside", "heartbeat_url")
    plain = settings(tmp_path, alerts={**PEOPLE, "heartbeat_url": "http://example.org/ping/secret"})
    assert_helps(outside.watcher(plain), Outcome.WARN, "unencrypted")
    good = outside.watcher(settings(tmp_path, alerts={**PEOPLE, "heartbeat_url": "https://example.org/ping/secret"}))
    assert good.outcome == Outcome.OK and "600 s" in good.seen and "secret" not in good.seen
