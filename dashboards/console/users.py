"""People who may log in, and their passwords; used by the console and by `kanhu console user`."""

import base64
import hashlib
import hmac
import json
import re
import secrets
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dashboards.console.audit import Audit
from dashboards.console.roles import Role
from dashboards.console.store import Store
from edge_gateway.errors import Rejected

LANGUAGES: Final = ("zh-CN", "en")
SHORTEST: Final = 10
LONGEST: Final = 200  # characters; a megabyte of password is an attack on our processor
_LOG_N: Final = 17
_MEMORY: Final = 160 << 20  # scrypt with N=2^17, r=8 takes 128 MiB
_ID: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,47}")
_PLACE: Final = re.compile(r"\*|[A-Za-z0-9_-]{1,48}(/[A-Za-z0-9_-]{1,48})?")


@dataclass(frozen=True, slots=True)
class User:
    """A person who may log in.

    Attributes:
        id: stands in ledgers and logs: `[a-z0-9_-]`, never a full name.
        places: `*`, `site` or `site/place`; what he may see. For a courier: his pseudonym alone.
    """

    id: str
    role: Role
    places: tuple[str, ...]
    language: str = "zh-CN"


def hashed(password: str) -> str:
    """`scrypt$17$8$1$salt$hash`. Takes about half a second and 128 MiB: never in the event loop."""
    salt = secrets.token_bytes(16)
    return f"scrypt${_LOG_N}$8$1${_text(salt)}${_text(_scrypt(password, salt, _LOG_N, 8, 1))}"


def fits(password: str, stored: str) -> bool:
    """Whether this password was hashed to that. As slow as `hashed`."""
    _, log_n, r, p, salt, known = stored.split("$")
    found = _scrypt(password, base64.b64decode(salt), int(log_n), int(r), int(p))
    return hmac.compare_digest(found, base64.b64decode(known))


# Of no password: an unknown name takes as long as a known one.
NOBODY: Final = f"scrypt${_LOG_N}$8$1${'A' * 22}==${'A' * 43}="


class Users:
    """Reads and changes the people; every change is in the audit log and in one transaction with it."""

    def __init__(self, store: Store, audit: Audit) -> None:
        self._store, self._audit = store, audit

    def all(self) -> list[User]:
        """Everybody, by id."""
        return [_user(row) for row in self._store.rows("SELECT id, role, places, language FROM user ORDER BY id")]

    def find(self, id_: str) -> User | None:
        """One person."""
        rows = self._store.rows("SELECT id, role, places, language FROM user WHERE id = ?", id_)
        return _user(rows[0]) if rows else None

    @property
    def none_yet(self) -> bool:
        """Whether nobody can make others: the first start."""
        return not self._store.rows("SELECT 1 FROM user WHERE role = 'admin' LIMIT 1")

    def password_of(self, id_: str) -> str:
        """What `fits` wants; `NOBODY` for an unknown name."""
        rows = self._store.rows("SELECT password FROM user WHERE id = ?", id_)
        return str(rows[0][0]) if rows else NOBODY

    def add(self, user: User, password_hash: str, by: str, *, first: bool = False) -> None:
        """A new person.

        Args:
            first: only if there is no administrator yet; two people at the first start cannot both win.
        Raises:
            Rejected: an id that is in use or impossible, an unknown language or place.
        """
        check(user)
        with self._store.write() as db:
            if first and db.execute("SELECT 1 FROM user WHERE role = 'admin'").fetchone():
                raise Rejected("not_first", "there is an administrator already")
            row = (user.id, user.role.value, json.dumps(user.places), user.language, password_hash, time.time_ns(), by)
            try:
                db.execute("INSERT INTO user VALUES (?, ?, ?, ?, ?, ?, ?)", row)
            except sqlite3.IntegrityError:
                raise Rejected("id_in_use", f"{user.id} is somebody already; take another id") from None
            self._audit.write(by, "user_added", user.id, detail={"role": user.role, "places": list(user.places)}, db=db)

    def set_password(self, id_: str, password_hash: str, by: str) -> None:
        """A new password; every session of his ends."""
        with self._store.write() as db:
            self._known(db.execute("UPDATE user SET password = ? WHERE id = ?", (password_hash, id_)).rowcount, id_)
            db.execute("DELETE FROM session WHERE user = ?", (id_,))
            self._audit.write(by, "password_set", id_, db=db)

    def set_role(self, id_: str, role: Role, places: Sequence[str], by: str) -> None:
        """Another role or other places; every session of his ends, he logs in anew."""
        user = self.find(id_)
        check(User(id_, role, tuple(places), user.language if user else "zh-CN"))
        with self._store.write() as db:
            values = (role.value, json.dumps(list(places)), id_)
            self._known(db.execute("UPDATE user SET role = ?, places = ? WHERE id = ?", values).rowcount, id_)
            self._keep_an_admin(db)
            db.execute("DELETE FROM session WHERE user = ?", (id_,))
            self._audit.write(by, "role_set", id_, detail={"role": role, "places": list(places)}, db=db)

    def set_language(self, id_: str, language: str) -> None:
        """The language of his pages.

        Raises:
            Rejected: we do not speak it.
        """
        if language not in LANGUAGES:
            raise Rejected("bad_language", f"{language[:40]!r}; known: {', '.join(LANGUAGES)}")
        with self._store.write() as db:
            db.execute("UPDATE user SET language = ? WHERE id = ?", (language, id_))

    def remove(self, id_: str, by: str) -> None:
        """He can log in no more, and is logged out; what he did stays in the logs.

        Raises:
            Rejected: unknown, or the last administrator.
        """
        with self._store.write() as db:
            self._known(db.execute("DELETE FROM user WHERE id = ?", (id_,)).rowcount, id_)
            self._keep_an_admin(db)
            self._audit.write(by, "user_removed", id_, db=db)

    def _known(self, changed: int, id_: str) -> None:
        if not changed:
            raise Rejected("unknown_user", f"nobody is called {id_[:60]!r}; see `kanhu console user list`")

    def _keep_an_admin(self, db: sqlite3.Connection) -> None:
        if not db.execute("SELECT 1 FROM user WHERE role = 'admin'").fetchone():
            raise Rejected("last_admin", "nobody could make people any more; add another administrator first")


def check(user: User) -> None:
    """Raises Rejected, saying what was seen and what would be right."""
    if not _ID.fullmatch(user.id):
        raise Rejected("bad_id", f"{user.id[:60]!r}; an id is 1 to 48 of a-z, 0-9, - and _")
    if bad := [place for place in user.places if not _PLACE.fullmatch(place)]:
        raise Rejected("bad_place", f"{bad[0][:60]!r}; a place is * (all), SITE or SITE/PLACE")
    if user.language not in LANGUAGES:
        raise Rejected("bad_language", f"{user.language[:40]!r}; known: {', '.join(LANGUAGES)}")


def check_password(password: str, id_: str) -> None:
    """Raises Rejected when it is too short, too long, or the name itself."""
    if len(password) < SHORTEST or len(set(password)) < 4 or password.lower() == id_:
        raise Rejected("bad_password", f"at least {SHORTEST} characters, four of them different, and not the name")
    if len(password) > LONGEST:
        raise Rejected("bad_password", f"at most {LONGEST} characters")


def _user(row: tuple[str, ...]) -> User:
    return User(row[0], Role(row[1]), tuple(json.loads(row[2])), row[3])


def _scrypt(password: str, salt: bytes, log_n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(password.encode("utf-8", "replace"), salt=salt, n=1 << log_n, r=r, p=p, maxmem=_MEMORY, dklen=32)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
