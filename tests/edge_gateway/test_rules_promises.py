"""What no rule of a home may do, whatever comes: raise or end by what cannot be, end by a restart, tell a thing twice."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_gateway.rules import Finding, Severity
from tests.edge_gateway.watched_home import MINUTE, WatchedHome, at

EXAMPLES = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
STATES = ("motion.hall", "motion.bedroom", "contact.front", "contact.fridge", "bed", "chair", "presence", "light", "away")
NUMBERS = ("temperature", "temperature.bedroom", "temperature.kitchen", "movements", "humidity")
EVENTS = ("leak", "medication", "meal", "cancel")
NAMES = st.sampled_from(STATES + NUMBERS + EVENTS)

IMPOSSIBLE = st.one_of(
    # Flag fail, whatever the value says.
    st.tuples(NAMES, st.sampled_from([0.0, 1.0, 2.0, -100.0, 27.0, 35.0, 5.0, 1e12]), st.just(4)),
    # Numbers no room and no body has; the gateway flags some of them, the rules know the rest.
    st.tuples(st.sampled_from(NUMBERS[:3]), st.sampled_from([-100.0, -127.0, 85.0, 84.9, 56.0, -26.0, 1e300]), st.none()),
)
MISSING = st.tuples(NAMES, st.none(), st.none())


def story(home: WatchedHome) -> None:
    """An evening and a night in which nearly everything goes wrong; ends at three."""
    for now in range(at("18:00"), at("2:00", 21), 20 * MINUTE):
        home.tell("temperature", 15.0, now)
        home.tell("temperature.kitchen", 31.0, now)
        home.look(now + 1)
    home.tell("contact.front", 0.0, at("21:00"), received_ns=home.now_ns)
    home.tell("contact.front", 1.0, at("2:00", 21))
    home.tell("bed", 0.0, at("18:00"), received_ns=home.now_ns)
    home.tell("bed", 1.0, at("22:00"), received_ns=home.now_ns)
    home.tell("bed", 0.0, at("2:01", 21))
    home.tell("leak", 1.0, at("2:02", 21))
    for minute in range(5, 56, 5):
        home.tell("humidity", 50.0, at("2:00", 21) + minute * MINUTE)
        home.look(at("2:00", 21) + minute * MINUTE)


def everything() -> WatchedHome:
    home = WatchedHome("prewarn_s = 0", "meals = ['19:00-20:00']", "medication = ['22:00-23:00']")
    home.tell("humidity", 50.0, at("17:00"))
    story(home)
    assert keys(home) >= {"cold", "heat", "door-night", "bed-exit", "leak", "medication"}
    return home


def keys(home: WatchedHome) -> set[str]:
    return {alert.key.partition("/")[0] for alert in home.book.open_alerts()}


@EXAMPLES
@given(st.lists(st.one_of(IMPOSSIBLE, MISSING), max_size=30), st.integers(1, 90))
def test_what_cannot_be_and_what_is_missing_ends_nothing(told: list[tuple[str, float | None, int | None]], gap: int) -> None:
    home = everything()
    before = keys(home)
    for name, value, flag in told:
        home.tell(name, value, home.now_ns + gap * MINUTE, flag=flag)
        home.look(home.now_ns + 1)
    home.until(home.now_ns + 24 * 60 * MINUTE, 30 * MINUTE)
    assert before <= keys(home)


@EXAMPLES
@given(st.lists(IMPOSSIBLE, max_size=40), st.integers(1, 90), st.integers(0, 23))
def test_what_cannot_be_raises_nothing(told: list[tuple[str, float | None, int | None]], gap: int, hour: int) -> None:
    home = WatchedHome("prewarn_s = 0", "limit_h = 72")
    home.tell("humidity", 50.0, at(f"{hour}:00"))
    for name, value, flag in told:
        home.tell(name, value, home.now_ns + gap * MINUTE, flag=flag)
        home.look(home.now_ns + 1)
    assert home.said == []


@EXAMPLES
@given(st.integers(0, 40), st.booleans())
def test_a_restart_or_a_second_copy_at_any_moment_changes_no_outcome(moment: int, twice: bool) -> None:
    plain, other = everything(), WatchedHome("prewarn_s = 0", "meals = ['19:00-20:00']", "medication = ['22:00-23:00']")
    tell, count = other.tell, 0

    def disturbed(name: str, value: float | None, at_ns: int, received_ns: int = 0, flag: int | None = None) -> None:
        nonlocal count
        count += 1
        tell(name, value, at_ns, received_ns, flag)
        if twice:
            tell(name, value, at_ns, received_ns, flag)
        if count == moment:
            other.restart()

    other.tell = disturbed  # type: ignore[method-assign]
    other.tell("humidity", 50.0, at("17:00"))
    story(other)
    assert keys(other) == keys(plain)
    severities = {alert.key: alert.severity for alert in plain.book.open_alerts()}
    assert {alert.key: alert.severity for alert in other.book.open_alerts()} == severities


def test_every_alert_says_where_since_when_and_what_to_do_in_both_languages_with_its_evidence_and_times() -> None:
    home = everything()
    home.tell("smoke", 1.0, home.now_ns)
    home.tell("gas", 1.0, home.now_ns)
    found = {v.key: v for v in home.said if isinstance(v, Finding)}
    assert len(found) >= 8
    for finding in found.values():
        assert finding.text_zh.startswith("3-201"), finding.text_zh
        assert finding.text_en.startswith("3-201"), finding.text_en
        assert "请" in finding.text_zh
        assert "11月2" in finding.text_zh
        assert "Nov" in finding.text_en
        assert 1 <= len(finding.evidence) <= 3
        assert all(said.startswith("2026-11-2") for said in finding.evidence), finding.evidence
        assert not (finding.returns and finding.severity is Severity.URGENT and finding.rule in ("smoke", "gas"))


def test_a_condition_that_goes_on_is_one_alert_and_writes_nothing_new_for_hours() -> None:
    home = everything()
    counts = {alert.key: alert.count for alert in home.book.open_alerts()}
    home.book.take()
    home.until(home.now_ns + 2 * 60 * MINUTE)
    assert {alert.key: alert.count for alert in home.book.open_alerts() if alert.key in counts} == counts
