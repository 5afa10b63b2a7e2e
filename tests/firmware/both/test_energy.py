"""The energy account: what each state costs, and that the sum is exact."""

from app.energy import AWAKE_UA, BOOT_UC, CONNECT_UA, ONLINE_UA, WORK_MS, Account, milliampere_hours
from app.sensors.base import Sensor
from app.sensors.ezo import EzoPh
from app.sensors.schedule import collect
from fakes import I2C, Script, Time
from scaffold import run


def test_a_start_and_a_radio_window_cost_what_was_published():
    account = Account()
    account.boot()
    account.radio(774, 0, tls=False)
    assert account.by_state()["boot"] == BOOT_UC == 23_600
    assert 107_000 < account.by_state()["radio"] < 110_000  # 108.6 mC
    assert account.by_state()["work"] == AWAKE_UA * WORK_MS // 1000


def test_tls_costs_a_handshake_more():
    account = Account()
    account.radio(1000, 500, tls=True)
    assert account.millicoulombs() == CONNECT_UA // 1000 + ONLINE_UA // 2000 + 100
    assert account.told() == "290 mC: radio 190, tls 100"


def test_a_sensor_is_charged_from_power_up_to_power_down():
    class Probe(Sensor):
        NAMES = ("x",)
        WARM_UP_MS, STABILISE_MS, MEASURE_MS, IDLE_UA, MEASURE_UA = 1000, 2000, 500, 3000, 7000
        name = "x"

        def result(self):
            return (1.0,)

    account, time = Account(), Time()
    run(collect([Probe()], time.now, time.wait, account.spent))
    assert account.by_state() == {"x": 3 * 3000 + 7 * 500}
    assert account.parts["x.stabilise"] == 3000 * 2000


def test_an_ezo_circuit_as_its_data_sheet_says():
    account, time = Account(), Time()
    run(collect([EzoPh(I2C(x63=Script({b"R": b"\x017.0\x00"})))], time.now, time.wait, account.spent))
    assert account.by_state() == {"ph": 14_500 * (850 + 900) // 1000}


def test_a_hanging_sensor_is_charged_for_its_whole_time():
    account, time = Account(), Time()
    run(collect([EzoPh(I2C(x63=Script({b"R": b"\xfe"})))], time.now, time.wait, account.spent))
    assert 14_500 * 8 <= account.by_state()["ph"] <= 14_500 * 9


def test_milliampere_hours():
    assert milliampere_hours(3600) == 1.0
