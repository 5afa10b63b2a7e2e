"""The build guides are true: their settings are good ones, and every setting, wire and command that exists is explained."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from app import settings
from app.main import app_of

GUIDES = Path(__file__).resolve().parents[2] / "docs" / "firmware"
MODELS = ["elder_home", "rider_reader", "meal_counter", "river_probe"]


def guide(model: str) -> str:
    file = GUIDES / f"{model}.md"
    if not file.exists():
        pytest.skip(f"{file.name} is not written yet")
    return file.read_text(encoding="utf-8")


def examples(text: str) -> list[dict[str, Any]]:
    found = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL)]
    return [document for document in found if isinstance(document, dict) and "model" in document]


@pytest.mark.parametrize("model", MODELS)
def test_the_settings_of_a_guide_are_good_ones(model: str) -> None:
    documents = examples(guide(model))
    assert documents
    for document in documents:
        settings.checked(document, app_of(document))


@pytest.mark.parametrize("model", MODELS)
def test_every_setting_of_an_app_is_in_its_guide(model: str) -> None:
    text, app = guide(model), app_of({"model": model})
    assert app.DEFAULTS.keys() <= app.CHECKS.keys()
    assert [name for name in app.CHECKS if f"`{name}`" not in text] == []


@pytest.mark.parametrize("model", MODELS)
def test_every_wire_of_an_app_is_in_its_guide(model: str) -> None:
    text = guide(model)
    assert [wire for wire in app_of({"model": model}).PINS if f'"{wire}"' not in text and f"`{wire}`" not in text] == []


def test_every_setting_of_every_device_is_explained() -> None:
    text = (GUIDES / "runtime.md").read_text(encoding="utf-8")
    known = [name for name in settings.device() if name != "broker"]
    known += [f"broker.{name}" for name in settings.broker()] + [f"pins.{name}" for name in settings.PINS]
    assert [name for name in known if f"`{name}`" not in text] == []
