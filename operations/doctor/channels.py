"""Checks of the ways to people: every address can be used, and answers can come back."""

from edge_gateway.duty import file as duty_file
from edge_gateway.duty.chain import everybody
from edge_gateway.errors import Misconfigured
from edge_gateway.notify import notifier_for
from edge_gateway.settings import Person, Settings, secret
from operations.doctor.result import Result, fail, ok, warn

_SHORTEST = 20  # characters of the secret in a provider's address


def channels(settings: Settings) -> Result:
    """No address has a mistake; each person has two ways. Nothing is sent."""
    try:
        people = [person for person in everybody(settings.alerts.people, duty_file.load(settings.duty_file)) if person.urls]
    except Misconfigured as error:
        return fail(error.detail, error.hint)
    if problems := list(mistakes(people)):
        return fail("; ".join(problems), "mend the address: docs/channels.md")
    if alone := [person.id for person in people if len(person.urls) == 1]:
        return warn(f"only one channel: {', '.join(alone)}", "give everybody a second channel of another kind")
    return ok(f"{sum(len(person.urls) for person in people)} addresses; `kanhu channels try` sends a test")


def answers(settings: Settings) -> Result:
    """Messages can carry a link, and what providers hand in finds its way."""
    for provider in settings.console.inbound:
        try:
            if len(secret(provider.secret_file).strip()) < _SHORTEST:
                return fail(
                    f"the secret of {provider.name} is short", f"put {_SHORTEST} letters and digits or more into its file"
                )
        except Misconfigured as error:
            return fail(error.detail, error.hint)
    if not any(person.urls for person in settings.alerts.people):
        return ok("nobody is told of alerts, so nobody answers")
    if not settings.console.public_url:
        return warn("messages carry no link to accept with", "set [console] public_url to what people's telephones can open")
    if settings.alerts.replies and all(provider.kind == "grafana" for provider in settings.console.inbound):
        return warn("messages ask for an answer that nobody hands in", "add [[console.inbound]], or set alerts.replies = false")
    return ok(f"a link in every message, {len(settings.console.inbound)} providers may call")


def mistakes(people: list[Person]) -> list[str]:
    """What is wrong with addresses, without showing them."""
    found = []
    for person in people:
        for number, url in enumerate(person.urls, start=1):
            notifier = notifier_for(url)
            problem = "nobody can send to such an address" if notifier is None else notifier.problem(url)
            if problem:
                found.append(f"channel {number} of {person.id}: {problem}")
    return found
