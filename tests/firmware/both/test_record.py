"""Records lie packed as what differs from the one before, and come back as they were."""

from app import record
from scaffold import IS_MICROPYTHON

BODIES = (
    b'"n":"temperature","v":21.5},{"n":"humidity","v":45}]',
    b'"n":"temperature","v":21.5},{"n":"humidity","v":45}]',
    b'"n":"temperature","v":21.6},{"n":"humidity","v":46}]',
    b"",
    b"]",
    b"]]",
    b"]]]",
    '"n":"activity","vs":"在做饭"}]'.encode(),
    bytes(range(256)) * 3,
    b"x",
)
STAMPS = (
    (0, 0, "none", -1),
    (60000, 1780000060000, "ntp", 50),
    (120001, 1780000120001, "ntp", 53),
    (119000, 1780000119000, "rtc", 0),
    (86400000 * 400, 1780000000000 + 86400000 * 400, "gnss", 1),
    (5, 0, "none", 2147483648),
    (6, 1, "ntp", -1),
    (1 << 45, 1 << 44, "ntp", 1 << 33),
    (0, 0, "none", 0),
    (1, 4102444800000, "gnss", 999),
)


def some():
    return [(n % 3, 1 + n * n * 1000003, STAMPS[n], BODIES[n]) for n in range(len(BODIES))]


def test_what_is_packed_comes_back_the_same():
    packed, first, last, count = record.pack_all(some())
    assert list(record.unpack(packed)) == some()
    assert (first, last, count) == (1, some()[-1][1], len(some()))


def test_runs_may_be_put_one_behind_the_other():
    a, b = record.pack_all(some()[:4])[0], record.pack_all(some()[4:])[0]
    assert list(record.unpack(bytes(a) + bytes(b))) == some()


def test_any_record_may_stand_for_itself():
    for one in some():
        assert list(record.unpack(record.pack(one))) == [one]


def test_nothing_is_nothing():
    assert record.pack_all(())[3] == 0
    assert list(record.unpack(b"")) == []


def test_the_usual_reading_takes_half_of_what_it_says():
    a = (2, 17, (60000, 1780000060000, "ntp", 50), BODIES[0])
    b = (2, 18, (120003, 1780000120003, "ntp", 53), BODIES[2])
    assert len(record.pack(b, a)) <= 36, len(record.pack(b, a))
    assert len(b[3]) == 52


def test_both_interpreters_write_the_same():
    # A file written by one version of the firmware is read by the next.
    packed = record.pack_all(some()[:3])[0]
    assert bytes(packed[:16]).hex() == "1001000001000034226e223a2274656d", IS_MICROPYTHON
