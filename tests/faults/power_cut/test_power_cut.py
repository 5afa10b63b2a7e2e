"""The power goes: what the store acknowledged is on the disk, and the library that shows it would show a loss."""

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from edge_gateway.store import Store
from edge_gateway.store_file import read_only
from edge_gateway.transaction import Commit
from tests.faults.power_cut import shadow

WRITER = Path(__file__).with_name("writer.py")
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shadow.build(tmp_path_factory.mktemp("library"))


def cut(library: Path, tmp: Path, commits: int, rows: int, seed: int, synchronous: str = "FULL") -> tuple[int, Path]:
    """Run the writer until it ends; (commits it acknowledged, the file as the power cut left it)."""
    folder, image = tmp / "data", tmp / "after"
    done = subprocess.run(
        [sys.executable, str(WRITER), str(folder / "kanhu.db"), str(commits), str(rows), str(seed), synchronous],
        env=shadow.environment(library, image, folder) | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 9, done.stderr
    assert "fsync_shadow" not in done.stderr
    return len(done.stdout.splitlines()), image / "kanhu.db"


def commits_in(path: Path) -> dict[int, int]:
    """Commit number -> rows of it that are there."""
    found: dict[int, int] = {}
    with closing(read_only(path)) as db:
        for (body,) in db.execute("SELECT body FROM outbox"):
            number = int(body.split(b"/")[0])
            found[number] = found.get(number, 0) + 1
    return found


@pytest.mark.parametrize(("commits", "rows"), [(500, 1), (200, 100)])
def test_every_acknowledged_commit_survives_a_power_cut(library: Path, tmp_path: Path, commits: int, rows: int) -> None:
    acknowledged, path = cut(library, tmp_path, commits, rows, seed=0)
    assert acknowledged == commits
    with closing(Store(path)) as store:
        assert store.quarantined is None and "commits_lost_damage" not in store.totals
        assert store.devices() == [("wutong", "home-1", b"%d" % (commits - 1))]
        assert store.backlog.rows == store.totals["entries_stored"] == commits * rows
    assert commits_in(path) == dict.fromkeys(range(commits), rows)


@pytest.mark.parametrize("seed", range(1, 9))
def test_at_any_moment_and_between_checkpoints_a_power_cut_loses_nothing(library: Path, tmp_path: Path, seed: int) -> None:
    acknowledged, path = cut(library, tmp_path, 150, 7, seed)
    with closing(Store(path)) as store:
        assert store.quarantined is None and "commits_lost_damage" not in store.totals
        saved = store.backlog.rows // 7
        # A commit may be on the disk whose acknowledgement never came; never the other way round, and never a part of one.
        assert acknowledged <= saved <= acknowledged + 1
        assert store.devices() == [("wutong", "home-1", b"%d" % (saved - 1))]
        store.commit(Commit(counters={"after": 1}))
    assert commits_in(path) == dict.fromkeys(range(saved), 7)


def test_a_power_cut_after_a_damaged_file_was_replaced_finds_the_new_one(library: Path, tmp_path: Path) -> None:
    image, path = tmp_path / "after", tmp_path / "data" / "kanhu.db"
    with closing(Store(path)) as store:
        store.commit(Commit(rows=[(1, 1, 1, b"%d/0 " % n * 20) for n in range(500)]))
    whole = path.read_bytes()
    at = whole.index(b"250/0 " * 20) // 4096 * 4096
    path.write_bytes(whole[:at] + bytes(4096) + whole[at + 4096 :])
    image.mkdir()
    (image / path.name).write_bytes(path.read_bytes())
    program = (
        "import os, pathlib, sys; from edge_gateway.store import Store; from edge_gateway.transaction import Commit\n"
        "store = Store(pathlib.Path(sys.argv[1])); store.repair()\n"
        "store.commit(Commit(rows=[(1, 1, 1, b'999/0')])); os._exit(9)"
    )
    environment = shadow.environment(library, image, path.parent) | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", program, str(path)], env=environment, capture_output=True, text=True)
    assert done.returncode == 9, done.stderr
    with closing(Store(image / path.name)) as store:
        found = commits_in(store.path)
        assert 999 in found and len(found) > 450
        assert store.backlog.rows == len(found) == 501 - store.totals["entries_lost_damage"]


def test_the_library_shows_the_loss_when_the_store_does_not_wait_for_the_disk(library: Path, tmp_path: Path) -> None:
    acknowledged, path = cut(library, tmp_path, 200, 1, seed=0, synchronous="NORMAL")
    assert acknowledged == 200
    with closing(Store(path)) as store:
        assert store.backlog.rows < 200
