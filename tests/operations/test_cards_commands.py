"""`kanhu cards` as a person types it: a simulated reader at a serial port, and a gateway's socket at the other end."""

import asyncio
import json
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

import kanhu_app
from edge_gateway import commands
from edge_gateway.errors import KanhuError, Misconfigured
from edge_gateway.visits import codec
from edge_gateway.visits.ledger_file import connect
from edge_gateway.visits.records import Card, CardKind, CardRole
from firmware.sim.board.nfc.pty import PtyPort
from firmware.sim.board.nfc.type2 import MifareClassic
from operations.cards import at_desk
from operations.cards import master as masters
from operations.cards.ntag424 import keyset
from tests.operations.cards_bench import UID, Book, Pulled
from tests.operations.test_cards_made import is_ours

PHRASE = "four words of a phrase"
NAMES = ("check", "find", "enrol", "rekey", "revoke", "audit")


class Served:
    """A `Book` behind a gateway's socket, in a thread."""

    def __init__(self, path: Path, book: Book) -> None:
        self._path, self._book = path, book
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(30)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)

        def handler(name: str) -> commands.Handler:
            async def answer(arguments: Mapping[str, Any]) -> Any:
                return self._book(name, **arguments)

            return answer

        handlers = {f"cards.{name}": handler(f"cards.{name}") for name in NAMES}
        self._server = self._loop.run_until_complete(commands.serve(self._path, handlers))
        self._ready.set()
        self._loop.run_forever()
        self._server.close()
        self._loop.close()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)


class Desk:
    """The command line with settings, a master file, and a gateway that remembers."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.book = folder, Book()
        (folder / "data").mkdir()
        self.settings = folder / "kanhu.toml"
        self.settings.write_text(f'data_dir = "{folder / "data"}"\n')
        self.master_file = folder / "master.json"
        self.phrase_file = folder / "phrase"
        self.phrase_file.write_text(PHRASE + "\n")

    def run(self, *arguments: str, typed: str | None = None) -> Result:
        return CliRunner().invoke(kanhu_app.app, ["cards", *arguments], input=typed)

    def ok(self, *arguments: str, typed: str | None = None) -> str:
        result = self.run(*arguments, typed=typed)
        assert result.exit_code == 0, f"{arguments}: {result.output} {result.exception!r}"
        return result.output

    def fails(self, *arguments: str) -> KanhuError:
        result = self.run(*arguments)
        assert isinstance(result.exception, KanhuError), result.output
        return result.exception

    def new_master(self) -> str:
        return self.ok("master", "new", "--file", str(self.master_file), "--passphrase-file", str(self.phrase_file))

    @property
    def secret(self) -> bytes:
        return masters.read(self.master_file, PHRASE)

    @property
    def with_master(self) -> tuple[str, ...]:
        return "--master", str(self.master_file), "--passphrase-file", str(self.phrase_file)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture
def at_reader(desk: Desk, tmp_path: Path, pseudo_terminals: None) -> Iterator[tuple[Desk, PtyPort, tuple[str, ...]]]:
    from edge_gateway import settings

    served = Served(settings.load(desk.settings).command_socket, desk.book)
    desk.new_master()
    with PtyPort(tmp_path) as port:
        yield desk, port, ("--reader", f"tty:{port.path}:pn532", "-s", str(desk.settings))
    served.stop()


# --- the master ---


def test_a_master_is_sealed_and_opens_with_its_passphrase_or_from_its_paper(desk: Desk) -> None:
    told = desk.new_master()
    code = told.split("backup code:")[1].split()[0]
    text = desk.master_file.read_text()
    assert desk.secret.hex() not in text and desk.master_file.stat().st_mode & 0o077 == 0
    again = desk.folder / "again.json"
    lower = code.lower().replace("-", " ")
    desk.ok("master", "new", "--file", str(again), "--restore", "--passphrase-file", str(desk.phrase_file), typed=f"{lower}\n")
    assert masters.read(again, PHRASE) == desk.secret
    print_of = masters.fingerprint(desk.secret)
    assert print_of in told and print_of in desk.ok("master", "check", "--file", str(again), typed=f"{PHRASE}\n")
    assert "backup code" not in desk.ok("master", "check", "--file", str(desk.master_file), typed=f"{PHRASE}\n")


def test_a_master_is_never_written_over(desk: Desk) -> None:
    desk.new_master()
    assert "is there already" in str(desk.fails("master", "new", "--file", str(desk.master_file)))


def test_a_wrong_passphrase_a_changed_file_and_a_wrong_letter_are_told(desk: Desk) -> None:
    desk.new_master()
    with pytest.raises(Misconfigured, match="does not open"):
        masters.read(desk.master_file, PHRASE + "x")
    head = json.loads(desk.master_file.read_text())
    for change in ({"version": 2}, {"sealed": ""}, {"salt": "zz"}, {"scrypt": {"n": 1 << 30, "r": 8, "p": 1}}, {"kind": "x"}):
        bent = desk.folder / "bent.json"
        bent.write_text(json.dumps({**head, **change}))
        with pytest.raises(Misconfigured):
            masters.read(bent, PHRASE)
    code = masters.backup(desk.secret)
    for wrong in (code[:-1], ("A" if code[0] != "A" else "B") + code[1:], ""):
        with pytest.raises(Misconfigured, match="no backup code"):
            masters.restored(wrong)
    with pytest.raises(Misconfigured, match="passphrase of 5"):
        masters.make(desk.folder / "other.json", "short")


# --- at the reader ---

Reading = tuple[Desk, PtyPort, tuple[str, ...]]
WHO = ("--site", "yunhe", "--role", "courier", "--holder", "courier-3", "--by", "li")


def put(port: PtyPort, *cards: Any) -> None:
    with port.lock:
        port.field.clear()
        for card in cards:
            port.field.put(card)


def test_a_card_from_enrolment_to_revocation(at_reader: Reading) -> None:
    desk, port, how = at_reader
    card = Pulled()
    put(port, card)
    told = desk.ok("enrol", *WHO, *desk.with_master, *how)
    wanted = dict(enumerate(keyset(desk.secret, "yunhe", UID, 1).by_number))
    assert "enrolled card c-0 (ntag424, number ..e680): courier courier-3" in told and is_ours(card, wanted)
    seen = json.loads(desk.ok("test", "--site", "yunhe", "--json", *desk.with_master, *how).splitlines()[-1])
    assert (seen["card"], seen["proved"]) == ("c-0", True)
    desk.ok("audit", "--site", "yunhe", "--by", "li", *desk.with_master, *how)
    assert desk.book.of("cards.audit")[0]["counter"] == card.counter
    desk.ok("revoke", "c-0", "--by", "li", "--reason", "lost", "--since", "2026-11-20T14:05+08:00", *how[2:])
    assert desk.book.of("cards.revoke")[0]["since_ns"] == 1_795_154_700 * 10**9
    told = desk.ok("test", "--site", "yunhe", *desk.with_master, *how)
    assert "REVOKED" in told and "its code is right" in told
    # No whole number of the card, and no key, in anything that was shown.
    everything = told + json.dumps(seen)
    assert UID.hex() not in everything.lower()
    assert not any(key.hex() in everything for key in wanted.values())


def test_what_anybody_can_copy_needs_the_word_weak(at_reader: Reading) -> None:
    desk, port, how = at_reader
    put(port, MifareClassic(bytes.fromhex("5a1b2c3d")))
    assert "weak_card" in str(desk.fails("enrol", *WHO, *how))
    assert "weak evidence" in desk.ok("enrol", *WHO, "--weak", *how)
    assert desk.book.of("cards.enrol")[0]["kind"] == "uid"


def test_a_second_card_in_one_hand_is_told_at_the_desk(at_reader: Reading) -> None:
    from edge_gateway import settings

    desk, port, how = at_reader
    ledger = connect(settings.load(desk.settings).visits_file)
    for name, revoked_ns in (("c-old", None), ("c-gone", 10**18)):
        card = Card(name, "yunhe", CardKind.NTAG424, CardRole.COURIER, "courier-3", revoked_ns=revoked_ns)
        ledger.execute(
            "INSERT INTO card (id, chip, site, holder, number, sealed, body) VALUES (?, ?, 'yunhe', 'courier-3', ?, x'', ?)",
            (name, name, name.encode(), codec.pack(card)),
        )
    ledger.close()
    put(port, Pulled())
    told = desk.ok("enrol", *WHO, *desk.with_master, *how)
    assert "kanhu cards revoke c-old" in told.replace("\n", " ") and "c-gone" not in told


def test_a_wrong_passphrase_or_a_bad_id_ends_before_the_reader_is_opened(desk: Desk) -> None:
    desk.new_master()
    desk.phrase_file.write_text("another phrase")
    settings = ("-s", str(desk.settings), "--reader", "tty:/dev/there-is-none:pn532")
    assert "does not open" in str(desk.fails("enrol", *WHO, *desk.with_master, *settings))
    bad = ("--site", "yunhe", "--role", "courier", "--holder", "Zhang San", "--by", "li")
    assert "cannot be an id" in str(desk.fails("enrol", *bad, *settings))


def test_no_gateway_and_no_ledger_are_told_in_one_line(desk: Desk) -> None:
    settings = ("-s", str(desk.settings))
    assert "no gateway answers" in str(desk.fails("revoke", "c-1", "--by", "li", "--reason", "lost", *settings))
    assert "0 cards" in desk.ok("list", *settings)
    assert "unknown_card" in str(desk.fails("show", "c-1", *settings))


def test_every_command_is_there() -> None:
    group = typer.main.get_command(kanhu_app.app).commands["cards"]  # type: ignore[attr-defined]
    assert {"enrol", "rotate", "revoke", "audit", "test", "list", "show", "master"} == set(group.commands)


def test_a_cards_times_are_those_of_its_site_as_in_the_ledger() -> None:
    assert at_desk.when(10**18, ZoneInfo("Asia/Shanghai")) == "2001-09-09 09:46"
