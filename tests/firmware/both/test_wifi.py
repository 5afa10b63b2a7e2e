"""Wi-Fi by a fake of the ESP32's interface."""

from app import addresses
from app.wifi import Failed, Wifi
from scaffold import run

HOME, SHED = {"ssid": "home", "password": "12345678"}, {"ssid": "shed", "password": "87654321"}


class Wlan:
    """An interface in reach of some networks. `looks` are the questions until it is connected."""

    def __init__(self, in_reach=("home",), wrong=(), looks=2):
        self.in_reach, self.wrong, self.looks = in_reach, wrong, looks
        self.log = []
        self.on = False
        self.hung = False
        self.channel = 0
        self.address = ("0.0.0.0",) * 4
        self.wanted = None
        self.left = 0

    def active(self, on=None):
        if on is not None:
            self.log.append("on" if on else "off")
            self.on = on
            self.hung = self.hung and on
            self.wanted = None
        return self.on

    def config(self, what=None, **settings):
        if "channel" in settings:
            self.channel = settings["channel"]
        return 6 if what == "channel" else None

    def connect(self, ssid, key):
        self.log.append("join " + ssid)
        if self.hung:
            raise OSError("Wifi Internal Error")
        self.wanted, self.left = ssid, self.looks

    def disconnect(self):
        self.wanted = None

    def isconnected(self):
        if self.wanted in self.in_reach and self.wanted not in self.wrong:
            self.left -= 1
            if self.left <= 0:
                if self.address[0] == "0.0.0.0":
                    self.address = ("192.168.4.23", "255.255.255.0", "192.168.4.1", "192.168.4.2")
                return True
        return False

    def status(self, what=None):
        if what == "rssi":
            return -61
        if self.wanted is None:
            return 1000
        return 201 if self.wanted not in self.in_reach else 202 if self.wanted in self.wrong else 1001

    def ifconfig(self, address=None):
        if address is None:
            return self.address
        self.log.append(address if address == "dhcp" else "static " + address[0])
        self.address = ("0.0.0.0",) * 4 if address == "dhcp" else tuple(address)
        return None


class Network:
    STA_IF = 0

    def __init__(self, wlan):
        self.wlan = wlan

    def WLAN(self, interface):
        return self.wlan


class Region:
    def __init__(self):
        self.bytes = None

    def load(self):
        return self.bytes

    def store(self, content):
        self.bytes = content


def failure(wifi):
    try:
        run(wifi.connect())
    except Failed as error:
        return error.reason
    raise AssertionError("connected")


def test_the_first_network_that_takes_us_is_joined_and_tried_first_the_next_time():
    wlan = Wlan(in_reach=("shed",))
    wifi = Wifi([HOME, SHED], None, Network(wlan))
    run(wifi.connect())
    assert wlan.log == ["on", "join home", "join shed"] and wifi.connected()
    wlan.disconnect()
    run(wifi.connect())
    assert wlan.log[3:] == ["join shed"]
    assert wifi.rssi() == -61


def test_who_is_connected_does_nothing():
    wlan = Wlan()
    wifi = Wifi([HOME], None, Network(wlan))
    run(wifi.connect())
    run(wifi.connect())
    assert wlan.log == ["on", "join home"]


def test_a_failure_says_why_for_each_network():
    wifi = Wifi([HOME, SHED], None, Network(Wlan(in_reach=("home",), wrong=("home",))))
    assert failure(wifi) == "home: wrong password; shed: no access point found"
    assert wifi.rssi() is None and wifi.counters["failures"] == 1


def test_a_driver_that_hangs_is_switched_off_and_on():
    wlan = Wlan()
    wifi = Wifi([HOME], None, Network(wlan))
    run(wifi.connect())
    wlan.disconnect()
    wlan.hung = True
    assert "Wifi Internal Error" in failure(wifi)
    run(wifi.reopen())
    run(wifi.connect())
    assert wifi.connected() and wifi.counters["reopened"] == 1


def test_after_a_sleep_channel_and_addresses_are_known_already():
    region = Region()
    wifi = Wifi([HOME, SHED], region, Network(Wlan(in_reach=("shed",))))
    run(wifi.connect())
    addresses.remember("broker.test", "10.1.2.3")
    wifi.keep("broker.test")
    addresses.forget("broker.test")
    wlan = Wlan(in_reach=("shed",))
    woken = Wifi([HOME, SHED], region, Network(wlan))
    run(woken.connect(fast=True))
    woken.recall("broker.test")
    assert wlan.log == ["on", "static 192.168.4.23", "join shed"] and wlan.channel == 6
    assert woken.counters["fast"] == 1 and addresses.known("broker.test") == "10.1.2.3"
    addresses.forget("broker.test")


def test_what_was_kept_is_forgotten_when_it_does_not_do():
    region = Region()
    wifi = Wifi([HOME], region, Network(Wlan()))
    run(wifi.connect())
    wifi.keep("b")
    wlan = Wlan(in_reach=("shed",))  # the access point of home is gone
    woken = Wifi([HOME, SHED], region, Network(wlan))
    run(woken.connect(fast=True))
    assert wlan.log == ["on", "static 192.168.4.23", "join home", "dhcp", "join home", "join shed"]
    assert region.bytes == b""


def test_an_address_is_asked_for_anew_after_a_day_of_use():
    region = Region()
    wifi = Wifi([HOME], region, Network(Wlan()))
    run(wifi.connect())
    wifi.keep("b")
    fast = 0
    for _ in range(26):
        wifi = Wifi([HOME], region, Network(Wlan()))
        run(wifi.connect(fast=True))
        wifi.keep("b")
        fast += wifi.counters["fast"]
    assert fast == 25


def test_other_settings_use_nothing_that_was_kept():
    region = Region()
    wifi = Wifi([HOME], region, Network(Wlan()))
    run(wifi.connect())
    wifi.keep("b")
    wlan = Wlan()
    run(Wifi([{"ssid": "home", "password": "changed!"}], region, Network(wlan)).connect(fast=True))
    assert wlan.log == ["on", "join home"]
