"""The homes of the demo have a past: usual days to look at, and one home that asks whether all is well."""

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from edge_gateway.homes.home import Watched
from edge_gateway.homes.look import open_homes
from edge_gateway.homes.setting import HomeSetting
from edge_gateway.registry import Device, Registry
from edge_gateway.rules import Prewarn, inactivity
from edge_gateway.rules.rule import View
from edge_gateway.settings import Settings
from operations import demo_homes
from simulator.village import home

LIVES, STILL = ("wutong", "home-1"), ("wutong", "home-still")


@pytest.mark.parametrize("hour", [3, 9, 15, 21])
def test_the_demo_begins_with_known_habits_and_one_home_asks_at_any_hour(tmp_path: Path, hour: int) -> None:
    now_s = datetime(2026, 11, 22, hour, 7, tzinfo=ZoneInfo("Asia/Shanghai")).timestamp()
    now_ns = int(now_s * 1e9)
    settings = Settings(data_dir=tmp_path / "var")
    demo_homes.remember(settings, home, [LIVES], STILL, 1, now_s)
    with open_homes(settings.store_file) as look:
        homes, pasts = look.homes("wutong"), {key: look.past(*key) for key in (LIVES, STILL)}
    devices = [Device(site, place, place, "elder_home") for site, place in (LIVES, STILL)]
    registry, asks = Registry(devices={device.key: device for device in devices}), {}
    for key, past in pasts.items():
        assert len(past.days) >= 14
        assert len(past.limits_s) == 24
        watched = Watched(HomeSetting(*key), homes[key[1]], past, now_ns)
        said = list(inactivity.look_home(watched, View(now_ns, registry, now_ns)))
        asks[key] = [isinstance(one, Prewarn) for one in said]
    assert asks == {LIVES: [], STILL: [True]}
