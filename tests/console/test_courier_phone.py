"""What the gateway's side of the phone page takes, refuses and leaves on the phone."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from edge_gateway.errors import Rejected, Unavailable
from tests.console.courier import TOKEN, Courier, Switch, courier, switched
from tests.web import Answer, send

TEXT = "picc_data=EF963FF7828658A599F3041510671E88&cmac=94EED9EE65337086"


@pytest.fixture
def there() -> Courier:
    return courier()


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, Switch]]:
    with switched() as found:
        yield found


@pytest.fixture
def site(there: Courier, server: tuple[str, Switch]) -> str:
    address, switch = server
    switch.app = there.app()
    return address


def one(seq: int = 1, **changes: Any) -> dict[str, Any]:
    return {"seq": seq, "time_ms": 1_795_235_300_000, "text": TEXT, "link": TOKEN, "location": "", **changes}


def post(
    site: str, *taps: dict[str, Any], phone: int = 77, headers: dict[str, str] | None = None, body: bytes | None = None
) -> Answer:
    message = {"phone": phone, "sent_ms": 1_795_235_400_000, "taps": list(taps)}
    return send(site + "/t/taps", body or json.dumps(message).encode(), {"Content-Type": "application/json", **(headers or {})})


def told(answer: Answer) -> list[tuple[int, str, bool]]:
    return [(tap["seq"], tap["state"], tap["known"]) for tap in json.loads(answer.text)["taps"]]


def test_a_phones_tap_becomes_the_gateways_with_the_phones_time_and_the_couriers_link(there: Courier, site: str) -> None:
    position: dict[str, Any] = {"location": "given", "lat": 31.2, "lon": 121.4, "accuracy_m": 12.5}
    assert told(post(site, one(**position))) == [(1, "delivered", True)]
    assert there.gateway.of("visits.tap") == [
        {"site": "wutong", "phone": 77, "seq": 1, "time_ns": 1_795_235_300_000_000_000, "sent_ns": 1_795_235_400_000_000_000,
         "text": TEXT, "link": TOKEN, **position}
    ]  # fmt: skip


def test_the_same_tap_twice_is_harmless(there: Courier, site: str) -> None:
    assert told(post(site, one())) == told(post(site, one())) == [(1, "delivered", True)]
    assert len(there.gateway.taps) == 1


@pytest.mark.parametrize("location", ["refused", "failed", ""])
def test_without_a_given_position_none_is_passed_on(there: Courier, site: str, location: str) -> None:
    post(site, one(location=location, lat=31.2, lon=121.4, accuracy_m=5))
    assert not {"lat", "lon", "accuracy_m"} & there.gateway.of("visits.tap")[0].keys()


def test_a_position_that_is_known_to_be_made_up_says_so(there: Courier, site: str) -> None:
    post(site, one(location="mocked", lat=1.0, lon=2.0))
    assert there.gateway.of("visits.tap")[0]["location"] == "mocked"


def test_while_the_gateway_is_away_the_phone_is_told_to_keep_its_taps(there: Courier, site: str) -> None:
    there.gateway.fails = Unavailable("down")
    answer = post(site, one())
    assert answer.status == 503 and answer.headers["retry-after"] == "15"


def test_what_was_taken_before_the_gateway_went_away_is_named_and_the_rest_is_not(
    there: Courier, site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = there.gateway.call

    def dies(command: str, timeout_s: float = 10.0, /, **arguments: Any) -> Any:
        if arguments["seq"] == 2:
            raise Unavailable("down")
        return plain(command, timeout_s, **arguments)

    monkeypatch.setattr(there.gateway, "call", dies)
    assert told(post(site, one(1), one(2), one(3))) == [(1, "delivered", True)]


def test_a_number_that_another_phone_has_drawn_is_a_conflict_and_loses_nothing(there: Courier, site: str) -> None:
    post(site, one())
    assert told(post(site, one(text="e=AA&c=BB"))) == [(1, "conflict", True)]
    assert there.gateway.taps[77, 1]["text"] == TEXT


def test_a_tap_the_gateway_can_never_take_is_told_as_such(there: Courier, site: str) -> None:
    there.gateway.fails = Rejected("no_such_site", "x")
    assert told(post(site, one())) == [(1, "refused", True)]


def test_a_link_that_is_over_costs_nobody_his_tap(there: Courier, site: str) -> None:
    assert told(post(site, one(link="D" * 22))) == [(1, "delivered", False)]
    assert told(post(site, one(2, link=""))) == [(2, "delivered", False)]
    there.phone_site = ""
    assert told(post(site, one(3, link="D" * 22))) == [(3, "unplaced", False)]
    assert len(there.gateway.taps) == 2


def test_while_the_ledger_cannot_be_read_the_phone_keeps_its_tap(there: Courier, site: str) -> None:
    there.ledger.away = True
    assert post(site, one()).status == 503


@pytest.mark.parametrize(
    "tap",
    [
        pytest.param(one(text="hello"), id="no query"),
        pytest.param(one(text="a=<script>"), id="markup"),
        pytest.param(one(text="a=" + "x" * 511), id="long"),
        pytest.param(one(text="a=1\r\nb=2"), id="lines"),
        pytest.param(one(0), id="seq 0"),
        pytest.param(one(2**31), id="seq too large"),
        pytest.param(one(time_ms=-1), id="time"),
        pytest.param(one(time_ms=1e300), id="time out of range"),
        pytest.param(one(lat=91.0), id="latitude"),
        pytest.param(one(link="x" * 65), id="link"),
        pytest.param(one(location="there"), id="location"),
        pytest.param(one(courier="r-9"), id="unknown field"),
    ],
)
def test_what_our_page_never_sends_is_refused_whole(there: Courier, site: str, tap: dict[str, Any]) -> None:
    assert post(site, one(9), tap).status == 400
    assert there.gateway.asked == []


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"phone":NaN}', b"[" * 60_000, b"\xff\xfe", b"null"])
def test_garbage_is_refused(site: str, body: bytes) -> None:
    assert post(site, body=body or b" ").status == 400


def test_sizes_are_limited(there: Courier, site: str) -> None:
    assert post(site, body=b" " * 70_000).status == 413
    assert post(site, *(one(n) for n in range(1, 22))).status == 400
    assert there.gateway.asked == []


@pytest.mark.parametrize(
    "headers",
    [{"Content-Type": "text/plain"}, {"Content-Type": "application/x-www-form-urlencoded"}, {"Origin": "https://evil.example"},
     {"Sec-Fetch-Site": "cross-site"}],
)  # fmt: skip
def test_another_sites_page_cannot_send_taps(there: Courier, site: str, headers: dict[str, str]) -> None:
    assert post(site, one(), headers=headers).status == 403
    assert there.gateway.asked == []


def test_a_flood_is_slowed_down_and_told_when_to_come_again(there: Courier, site: str) -> None:
    answers = [post(site, *(one(n * 20 + i) for i in range(1, 21))) for n in range(15)]
    assert [a.status for a in answers[:10]] == [200] * 10
    assert answers[-1].status == 429 and answers[-1].headers["retry-after"] == "60"
    assert post(site, one(), phone=78).status == 200


def test_the_tap_page_is_the_same_for_every_tag_and_nothing_of_it_is_kept_outside(site: str) -> None:
    plain, tagged = send(site + "/t"), send(f"{site}/t?{TEXT}")
    assert plain.content == tagged.content and TEXT not in tagged.text
    assert tagged.headers["cache-control"] == "no-store" and "geolocation=(self)" in tagged.headers["permissions-policy"]
    assert "unsafe" not in tagged.headers["content-security-policy"] and "<script>" not in tagged.text


def test_the_worker_covers_the_tap_page_and_names_files_that_exist(site: str) -> None:
    worker = send(site + "/t/sw.js")
    assert worker.headers["service-worker-allowed"] == "/t" and worker.headers["cache-control"] == "no-cache"
    files = json.loads(worker.text.partition("const FILES = ")[2].partition(";\n")[0])
    assert files[0] == "/t" and [send(site + file).status for file in files] == [200] * 5
