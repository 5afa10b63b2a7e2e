"""Writes a registry as the TOML text that `edge_gateway.registry.parse` reads."""

import json
from collections.abc import Iterable, Mapping

from edge_gateway.registry import Device, Site


def registry_text(sites: Iterable[Site], devices: Iterable[Device], notes: Mapping[tuple[str, str], str] | None = None) -> str:
    """TOML of these sites and devices, in this order; `notes` by (site, device) are for people only."""
    notes = notes or {}
    lines: list[str] = []
    for site in sites:
        lines += [f"[sites.{site.id}]", f"name = {_text(site.name)}", f"zone = {_text(site.zone)}", ""]
    for device in devices:
        lines += ["[[devices]]", f"site = {_text(device.site)}", f"id = {_text(device.id)}"]
        if device.place:
            lines.append(f"place = {_text(device.place)}")
        if device.model:
            lines.append(f"model = {_text(device.model)}")
        lines += [f"cadence_s = {device.cadence_s}", f"silence_s = {device.silence_s}"]
        if device.measures:
            lines.append(f"measures = [{', '.join(map(_text, sorted(device.measures)))}]")
        if device.holder:
            lines.append(f"holder = {_text(device.holder)}")
        if device.lat is not None and device.lon is not None:
            lines += [f"lat = {device.lat}", f"lon = {device.lon}"]
        if note := notes.get(device.key):
            lines.append(f"note = {_text(note)}")
        lines.append("")
    return "\n".join(lines)


def _text(value: str) -> str:
    # A JSON string is a TOML basic string, once DEL is escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
