"""Who lives behind a pseudonym: shown only when somebody asks, and written down before it is shown."""

from collections.abc import Sequence

from dashboards.console.homes.frame import Visit
from dashboards.console.html import Html, tag


def names_link(of: Visit, there: str) -> Html:
    """The page once more, with the name."""
    return tag("a", of.say("show_names"), href=there, class_="act names")


async def names(of: Visit, site: str, people: Sequence[str], why: str) -> Html:
    """Name, telephone, address. A page that draws itself anew does not ask again: it keeps what a person was shown."""
    if of.look:
        return tag("section", id="person", data_keep=True)
    found = await of.console.reach.names(of.session, people, site, why)
    entries = [(person, entry) for person, entry in found.items() if any(entry.values())]
    if not entries:
        return tag("p", of.say("no_names"), class_="facts", id="person", data_keep=True)
    rows: list[Html] = []
    for _, entry in entries:
        for key in ("name", "phone", "address"):
            value = entry.get(key, "")
            if value:
                shown = tag("a", value, href=f"tel:{''.join(value.split())}", class_="call") if key == "phone" else value
                rows += [tag("dt", of.say(key)), tag("dd", shown)]
    return tag("section", tag("dl", *rows), class_="card person", id="person", data_keep=True)
