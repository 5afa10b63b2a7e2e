"""Silence is a device that should have spoken, counted only while the gateway listened; one cause is one alert."""

from collections.abc import Iterable

from edge_gateway import rules
from edge_gateway.registry import Device, Registry, Site
from edge_gateway.rules import Finding, Returned, Severity, View
from edge_gateway.rules.watch import Watch

SECOND = 1_000_000_000
NOON = 1_795_233_600 * SECOND  # 2026-11-21 12:00 in Shanghai
Key = tuple[str, str]


def device(name: str, site: str = "wutong", cadence_s: float = 60.0, silence_s: float = 180.0, **more: str) -> Device:
    return Device(site, name, more.get("place", f"home-{name}"), more.get("model", ""), cadence_s, silence_s)


def registry(*devices: Device) -> Registry:
    return Registry({d.site: Site(d.site, d.site) for d in devices}, {d.key: d for d in devices})


def look(
    known: Registry,
    at_s: float,
    heard: dict[Key, float],
    listening_s: float | None = 0.0,
    opened: Iterable[str] = (),
    wall_ns: int | None = None,
    expected: dict[Key, float] | None = None,
) -> tuple[list[Finding], list[Returned]]:
    """What the rule says at monotonic second `at_s`; the wall clock says noon then."""
    view = View(
        now_ns=NOON if wall_ns is None else wall_ns,
        registry=known,
        monotonic_ns=round(at_s * SECOND),
        heard={key: round(s * SECOND) for key, s in heard.items()},
        expected={key: round(s * SECOND) for key, s in (expected or {}).items()},
        listening_since_ns=None if listening_s is None else round(listening_s * SECOND),
        open=set(opened),
    )
    verdicts = rules.look(view)
    return [v for v in verdicts if isinstance(v, Finding)], [v for v in verdicts if isinstance(v, Returned)]


ONE = registry(device("a"))
A = ("wutong", "a")
A_SILENT = "silence/wutong/a"


def test_a_device_is_silent_only_after_its_own_limit() -> None:
    assert look(ONE, 1180, {A: 1000}) == ([], [])
    ((finding,), _) = look(ONE, 1181, {A: 1000})
    assert (finding.key, finding.device, finding.place) == (A_SILENT, "a", "home-a")
    assert finding.occurred_ns == NOON - 181 * SECOND
    assert finding.returns


def test_the_text_says_where_since_when_how_often_and_what_to_do() -> None:
    ((finding,), _) = look(ONE, 1600, {A: 1000})
    assert finding.text_zh == "home-a (a): 设备失联, 11月21日 11:50 以后没有消息 (平时每 60 秒一次)。请检查电源、电池和网络。"
    assert finding.text_en == (
        "home-a (a): device silent since 21 Nov 11:50 (normally every 60 s). Check power, battery and network."
    )


def test_a_device_that_carries_an_sos_button_is_a_warning_to_staff() -> None:
    ((finding,), _) = look(registry(device("a", model="elder_home")), 1600, {A: 1000})
    assert finding.severity is Severity.WARNING
    assert "紧急按钮" in finding.text_zh
    ((finding,), _) = look(ONE, 1600, {A: 1000})
    assert finding.severity is Severity.NOTICE


def test_a_device_without_a_limit_is_never_silent() -> None:
    assert look(registry(device("a", silence_s=0.0)), 10**6, {A: 0}) == ([], [])


def test_a_deep_sleeper_is_not_dead() -> None:
    assert look(registry(device("a", cadence_s=3600, silence_s=10_800)), 10_000, {A: 1000}) == ([], [])


def test_a_device_that_never_spoke_counts_from_when_the_gateway_began_to_listen() -> None:
    assert look(ONE, 1180, {}, listening_s=1000) == ([], [])
    ((finding,), _) = look(ONE, 1181, {}, listening_s=1000)
    assert "没有收到过消息" in finding.text_zh
    assert "not heard" in finding.text_en


def test_a_device_registered_a_minute_ago_is_not_accused_of_yesterday() -> None:
    assert look(ONE, 90_060, {}, expected={A: 90_000}) == ([], [])
    assert len(look(ONE, 90_181, {}, expected={A: 90_000})[0]) == 1


def test_a_gateway_that_does_not_listen_accuses_nobody() -> None:
    assert look(ONE, 9000, {A: 1000}, listening_s=None) == ([], [])


def test_after_an_outage_of_the_broker_every_device_has_its_whole_time_again() -> None:
    assert look(ONE, 9170, {A: 1000}, listening_s=9000) == ([], [])
    ((finding,), _) = look(ONE, 9181, {A: 1000}, listening_s=9000)
    assert "11月21日 09:43" in finding.text_zh  # but the words tell when it really was heard last


def test_a_jump_of_the_wall_clock_raises_nothing_and_ends_nothing() -> None:
    for year_ns in (0, NOON + 10 * 365 * 86_400 * SECOND):
        assert look(ONE, 1100, {A: 1000}, wall_ns=year_ns) == ([], [])
        assert look(ONE, 1600, {A: 1000}, wall_ns=year_ns, opened=[A_SILENT]) == ([], [])


def test_while_its_alert_is_open_nothing_is_said_again() -> None:
    assert look(ONE, 5000, {A: 1000}, opened=[A_SILENT]) == ([], [])


def test_it_returns_when_it_is_heard_again() -> None:
    _, (returned,) = look(ONE, 5000, {A: 4990}, opened=[A_SILENT])
    assert (returned.key, returned.reason, returned.at_ns) == (A_SILENT, "heard_again", NOON - 10 * SECOND)


def test_a_restart_of_the_gateway_does_not_end_a_silence() -> None:
    assert look(ONE, 10, {}, listening_s=5, opened=[A_SILENT, "silence/wutong"]) == ([], [])


def test_a_device_that_was_taken_out_of_the_registry_is_not_expected_any_more() -> None:
    _, (returned,) = look(registry(device("b")), 10, {}, listening_s=5, opened=[A_SILENT])
    assert returned.reason == "not_expected"


def test_alerts_of_other_rules_are_left_alone() -> None:
    assert look(ONE, 5000, {A: 4990}, opened=["sos/wutong/a"]) == ([], [])


# one cause, one alert

HOMES = registry(*(device(f"h{n:02}") for n in range(30)))


def heard_at(known: Registry, stopped_s: float) -> dict[Key, float]:
    """Every device spoke once a cadence, each at its own second, until all stopped."""
    return {key: stopped_s - d.cadence_s * n / len(known.devices) for n, (key, d) in enumerate(known.devices.items())}


def every_tick(known: Registry, heard: dict[Key, float], start_s: int, end_s: int, opened: set[str]) -> list[Finding]:
    """All findings over time; what was found is open from then on."""
    raised: list[Finding] = []
    for at_s in range(start_s, end_s, 5):
        findings, returned = look(known, at_s, heard, opened=opened)
        assert returned == []
        raised += findings
        opened |= {finding.key for finding in findings}
    return raised


def test_thirty_homes_behind_one_dead_gateway_are_one_alert() -> None:
    (finding,) = every_tick(HOMES, heard_at(HOMES, 1000), 1000, 5000, set())
    assert finding.key == "silence/wutong"
    assert "30 台设备一起失联 (共 30 台)" in finding.text_zh
    assert "30 of 30 devices fell silent together" in finding.text_en
    assert finding.text_en.endswith("home-h10, home-h11 and 18 more.")


def test_slow_devices_of_a_dead_site_join_its_alert() -> None:
    slow = [device(f"s{n}", cadence_s=3600, silence_s=10_800) for n in range(20)]
    known = registry(*(device(f"f{n}") for n in range(10)), *slow)
    (finding,) = every_tick(known, heard_at(known, 10_000), 10_000, 30_000, set())
    assert finding.key == "silence/wutong"


def test_a_device_long_dead_does_not_hide_in_the_dead_site() -> None:
    heard = heard_at(HOMES, 10_000) | {("wutong", "h07"): 100.0}
    raised = every_tick(HOMES, heard, 300, 20_000, set())
    assert [finding.key for finding in raised] == ["silence/wutong/h07", "silence/wutong"]


def test_a_device_that_dies_later_does_not_break_up_the_dead_site() -> None:
    heard = heard_at(HOMES, 1000) | {("wutong", "h07"): 4000.0}
    raised = every_tick(HOMES, heard, 4000, 6000, {"silence/wutong"})
    assert [finding.key for finding in raised] == ["silence/wutong/h07"]


def test_less_than_half_are_each_their_own() -> None:
    heard = heard_at(HOMES, 1000)
    for key in list(heard)[:16]:
        heard[key] = 1500.0
    findings, _ = look(HOMES, 1600, heard)
    assert len(findings) == 14
    assert all(finding.key.startswith("silence/wutong/") for finding in findings)


def test_four_devices_are_no_site() -> None:
    known = registry(*(device(f"d{n}") for n in range(4)))
    assert len(look(known, 5000, heard_at(known, 1000))[0]) == 4


def test_deaths_at_different_times_are_no_common_cause() -> None:
    known = registry(*(device(f"d{n}") for n in range(8)))
    heard: dict[Key, float] = {key: 1000.0 * n for n, key in enumerate(known.devices)}
    findings, _ = look(known, 50_000, heard)
    assert len(findings) == 8


def test_sites_are_judged_apart() -> None:
    known = registry(*(device(f"h{n}") for n in range(6)), *(device(f"r{n}", site="river") for n in range(6)))
    heard = heard_at(known, 1000) | {key: 1590.0 for key in known.devices if key[0] == "river"}
    assert [finding.key for finding in look(known, 1600, heard)[0]] == ["silence/wutong"]


def test_a_site_returns_when_most_of_it_is_heard_and_the_rest_is_named() -> None:
    heard = heard_at(HOMES, 1000)
    keys = list(heard)
    back = heard | dict.fromkeys(keys[:14], 1990.0)
    assert look(HOMES, 2000, back, opened=["silence/wutong"]) == ([], [])
    back = heard | dict.fromkeys(keys[:28], 1990.0)
    findings, (returned,) = look(HOMES, 2000, back, opened=["silence/wutong"])
    assert (returned.key, returned.reason, findings) == ("silence/wutong", "heard_again", [])
    assert [finding.key for finding in look(HOMES, 2000, back)[0]] == ["silence/wutong/h28", "silence/wutong/h29"]


def test_a_site_that_comes_back_one_device_after_the_other_names_only_those_that_stay_away() -> None:
    watch = Watch(HOMES)
    watch.listening(0)
    opened: set[str] = set()
    said: list[str] = []
    for at_s in range(0, 4000, 5):
        for n, key in enumerate(HOMES.devices):
            working = at_s < 1000 or (at_s >= 2000 and n < 28)
            if working and at_s % 60 == n * 2 // 5 * 5:
                watch.heard[key] = at_s * SECOND
        for verdict in watch.look(NOON + at_s * SECOND, at_s * SECOND, opened):
            raised = isinstance(verdict, Finding)
            said.append(("+" if raised else "-") + verdict.key)
            opened = opened | {verdict.key} if raised else opened - {verdict.key}
    assert said == ["+silence/wutong", "-silence/wutong", "+silence/wutong/h28", "+silence/wutong/h29"]


def test_a_device_added_while_the_gateway_runs_has_its_whole_time() -> None:
    watch = Watch(registry())
    watch.listening(0)
    watch.expect(ONE, 90_000 * SECOND)
    assert watch.look(NOON, 90_180 * SECOND, ()) == []
    assert [v.key for v in watch.look(NOON, 90_181 * SECOND, ())] == [A_SILENT]


def test_while_the_broker_is_away_nobody_is_accused_and_then_all_have_their_time_again() -> None:
    watch = Watch(ONE)
    watch.listening(0)
    watch.deaf()
    assert watch.look(NOON, 9000 * SECOND, ()) == []
    watch.listening(9000 * SECOND)
    assert watch.look(NOON, 9180 * SECOND, ()) == []
    assert len(watch.look(NOON, 9181 * SECOND, ())) == 1
