"""Inactivity: somebody is at home and shows no sign of life for longer than this person ever does at this hour.

First the home asks. Then people are told, and after half as long again it is urgent. It ends by itself only with new life
beyond doubt, never with a changed limit, a restart or missing data. A home whose sensors say nothing is not quiet, it is deaf:
that is for the rules that watch the devices.
"""

from collections.abc import Iterator
from datetime import tzinfo
from typing import Final

from edge_gateway.homes import away, bands, evidence, learn, model
from edge_gateway.homes.evidence import Quiet
from edge_gateway.homes.home import Home, Sign, Watched
from edge_gateway.rules import words
from edge_gateway.rules.asking import asked
from edge_gateway.rules.rule import Finding, Prewarn, Returned, Rule, Severity, Verdict, View

URGENT_AFTER: Final = 1.5  # times the limit
_SECOND: Final = 1_000_000_000
# Looks come every few seconds. What ended a quiet longer ago than this was not seen to end it: the gateway was away.
_JUST_NOW_NS: Final = 30 * 60 * _SECOND
_DOOR_NS: Final = 48 * 3600 * _SECOND
_SHOWN: Final = 3
_FLOOR_NS: Final = 3600 * _SECOND  # shorter than any limit: most looks end here


def look_home(watched: Watched, view: View) -> Iterator[Verdict]:
    """One home: a question, an alert, its worsening, its end."""
    home, now_ns = watched.home, view.now_ns
    key = f"{RULE.name}/{home.site}/{home.place}"
    is_open = key in view.open
    if is_open and 0 <= now_ns - home.life_ns < _JUST_NOW_NS:
        zone = words.zone(view.registry, home.site)
        yield Returned(key, home.life_ns, "moved_again", f"{words.exact(home.life_ns, zone)} {home.life_name}")
        return
    if home.away is not None:
        if is_open:
            yield Returned(key, home.away.since_ns, f"away_{home.away.kind}")
        return
    # Whoever closed the alert has looked: what is counted from then on is another silence.
    start_ns = max(evidence.start_ns(home), home.timers.get(f"told.{key}", 0) + 1)
    if now_ns - start_ns < _FLOOR_NS:
        return
    quiet = evidence.quiet(watched, now_ns, start_ns)
    limit_s = allowed_s(watched, quiet)
    if quiet.deaf or quiet.seconds < limit_s:
        return
    question = asked(watched, view, key, quiet.start_ns)
    if isinstance(question, Prewarn):
        yield question
    elif question:
        yield _finding(watched, view, key, quiet, limit_s)


def allowed_s(watched: Watched, quiet: Quiet) -> float:
    """How long this quiet may last, seconds; counted from its start."""
    setting, past = watched.setting, watched.past
    limit_s = learn.limit_s(past, setting, quiet.start_ns, watched.zone)
    if setting.model and past.model:
        learned_s = model.limit_s(past.model, bands.minute_of(quiet.start_ns, watched.zone))
        if learned_s is not None:
            limit_s = min(learned_s, max(limit_s, setting.limit_h * 3600.0))
    if quiet.resting:
        rest_s = learn.held_s(past, setting, quiet.resting)
        limit_s = max(limit_s, (quiet.resting_ns - quiet.start_ns) / 1e9 + rest_s)
    return limit_s


def _finding(watched: Watched, view: View, key: str, quiet: Quiet, limit_s: float) -> Finding:
    home = watched.home
    zone = words.zone(view.registry, home.site)
    urgent = quiet.seconds >= URGENT_AFTER * limit_s
    since_zh, since_en = words.zh(quiet.start_ns, zone), words.en(quiet.start_ns, zone)
    usual_zh, usual_en = words.span_zh(limit_s), words.span_en(limit_s)
    if watched.past.limits_s:
        why_zh = f"平时这个时段不超过 {usual_zh}"
        why_en = f"usually never longer than {usual_en} at this hour"
    else:
        why_zh, why_en = (
            f"超过了 {usual_zh} 的上限, 还在学习作息",
            f"longer than {usual_en}, the home's habits are not learned yet",
        )
    text_zh = f"{home.place}: {since_zh} 以后没有动静, {why_zh}。"
    text_en = f"{home.place}: no sign of life since {since_en}, {why_en}. "
    if quiet.resting:
        rested_zh, rested_en = words.zh(quiet.resting_ns, zone), words.en(quiet.resting_ns, zone)
        chair = quiet.resting.startswith("chair")
        text_zh += f"从 {rested_zh} 起一直{'坐在椅子上' if chair else '躺在床上'}。"
        text_en += f"In the {'chair' if chair else 'bed'} since {rested_en}. "
    if door_ns := _door_ns(watched, view.now_ns):
        text_zh += f"大门从 {words.zh(door_ns, zone)} 起没有开过: 如果门磁坏了, 也可能是外出。"
        text_en += (
            f"The front door has not moved since {words.en(door_ns, zone)}: if its contact is broken, somebody may be out. "
        )
    if home.asked is not None and home.asked.asked_ns >= quiet.start_ns:
        text_zh += "家里问过, 没有人按\u201c我没事\u201d。"
        text_en += "The home has asked and nobody answered. "
    if urgent:
        text_zh += "请马上打电话; 没有人接就上门, 带上钥匙。"
        text_en += "Call now; if nobody answers go there, with the key."
    else:
        text_zh += "请打电话; 没有人接就上门看看。"
        text_en += "Call; if nobody answers, go and see."
    return Finding(
        key=key,
        rule=RULE.name,
        severity=Severity.URGENT if urgent else Severity.WARNING,
        site=home.site,
        device="",
        place=home.place,
        occurred_ns=quiet.start_ns,
        text_zh=text_zh,
        text_en=text_en,
        evidence=_evidence(home, quiet, urgent, zone),
        returns=not urgent,
    )


def _door_ns(watched: Watched, now_ns: int) -> int:
    """Since when no outer door moved, where that is so long that its contact may be broken; else 0."""
    doors = [state.since_ns for name, state in watched.home.states.items() if away.is_exit(name, watched.setting)]
    moved_ns = max(doors, default=now_ns)
    return moved_ns if now_ns - moved_ns > _DOOR_NS else 0


def _evidence(home: Home, quiet: Quiet, urgent: bool, zone: tzinfo) -> tuple[str, ...]:
    """The last signs, also those too light to count, and since when it is quiet where something else than life began it."""
    lines = [(sign.time_ns, f"{words.exact(sign.time_ns, zone)} {_told(sign)}") for sign in home.signs[-_SHOWN:]]
    if quiet.start_ns > home.life_ns:
        lines.append((quiet.start_ns, f"{words.exact(quiet.start_ns, zone)} counted from here"))
    if quiet.resting:
        lines.append((quiet.resting_ns, f"{words.exact(quiet.resting_ns, zone)} {quiet.resting}"))
    shown = [line for _, line in sorted(set(lines))][-_SHOWN:]
    if urgent:
        shown = [*shown[1 - _SHOWN :], f"{words.exact(quiet.start_ns, zone)} last life, still nothing: urgent"]
    return tuple(shown)


def _told(sign: Sign) -> str:
    return f"{sign.name} ({sign.device})" + ("" if sign.weight >= 0.5 else " doubtful")


RULE: Final = Rule("inactivity", Severity.WARNING, look_home=look_home)
