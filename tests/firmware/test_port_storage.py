"""`esp32` on a simulated board: NVS, OTA partitions with rollback."""

from firmware.sim.board import Board
from tests.firmware.bench import Make, done, make, said

__all__ = ["make"]


def test_nvs_keeps_numbers_and_blobs_and_says_what_is_missing(make: Make) -> None:
    board = make("""
from esp32 import NVS
nvs = NVS("kanhu")
nvs.set_i32("a", -5)
nvs.set_blob("b", bytes(range(5)))
nvs.set_blob("empty", b"")
room = bytearray(8)
print("a:", nvs.get_i32("a"))
print("b:", nvs.get_blob("b", room), room)
print("empty:", nvs.get_blob("empty", room))
for key, ask in (("none", nvs.get_i32), ("b", nvs.get_i32), ("none", nvs.erase_key), ("a_key_far_too_long", nvs.get_i32)):
    try:
        ask(key)
    except OSError as error:
        print("error:", error.errno)
try:
    nvs.get_blob("b", bytearray(2))
except OSError as error:
    print("error:", error.errno)
nvs.erase_key("a")
try:
    nvs.get_i32("a")
except OSError:
    print("erased: yes")
nvs.commit()
print("other:", end=" ")
try:
    NVS("other").get_blob("b", room)
except OSError:
    print("empty")
""")
    done(board)
    assert said(board, "a") == ["-5"]
    assert said(board, "b") == [f"5 {bytearray(bytes([0, 1, 2, 3, 4, 0, 0, 0]))!r}"]
    assert said(board, "empty") == ["0"]
    assert said(board, "error") == [str(-0x1102)] * 3 + [str(-0x1109), str(-0x110C)]
    assert said(board, "erased") == ["yes"]
    assert said(board, "other") == ["empty"]


def test_nvs_is_full_when_three_of_its_four_pages_are(make: Make) -> None:
    board = make("""
from esp32 import NVS
nvs = NVS("kanhu")
count = 0
try:
    while True:
        nvs.set_blob("k%d" % count, bytes(3500))
        nvs.commit()
        count += 1
except OSError as error:
    print("full:", count, error.errno)
print("done: yes")
""")
    done(board)
    assert said(board, "full") == ["3 -4357"]


def test_nvs_counts_what_it_costs_the_flash(make: Make) -> None:
    board = make("""
from esp32 import NVS
nvs = NVS("kanhu")
for n in range(1260):
    nvs.set_i32("seq", n)
    nvs.commit()
""")
    done(board)
    assert board.nvs.entries == 1260
    assert board.nvs.erases == 10


OTA = """
import esp32, machine
from esp32 import Partition
running = Partition(Partition.RUNNING)
print("running:", running.info()[4], machine.reset_cause())
"""


def install(then: str) -> str:
    """Write an image into the other slot once, choose it, then go on."""
    return (
        OTA
        + f"""
if running.info()[4] == "ota_0":
    other = running.get_next_update()
    if other.info()[4] != "ota_1" or other.ioctl(5, 0) != 4096:
        raise ValueError(other.info())
    try:
        other.set_boot()
    except OSError as error:
        print("refused:", error.errno)
    other.writeblocks(0, b"\\xe9" + bytes(4095))
    other.writeblocks(1, b"more", 100)
    back = bytearray(4)
    other.readblocks(1, back, 100)
    print("read:", back)
    if not {then == "stay"!s}:
        other.set_boot()
        machine.reset()
elif "{then}" == "valid":
    Partition.mark_app_valid_cancel_rollback()
    print("valid: yes")
    if machine.reset_cause() == 2:
        machine.soft_reset()
else:
    machine.reset()
"""
    )


def test_a_new_image_that_marks_itself_valid_stays(make: Make) -> None:
    board = done(make(install("valid")))
    assert said(board, "refused") == [str(-0x1503)]
    assert said(board, "read") == ["bytearray(b'more')"]
    assert said(board, "running") == ["ota_0 1", "ota_1 2", "ota_1 5"]


def test_a_new_image_that_does_not_is_rolled_back(make: Make) -> None:
    board = make(install("hope"))
    board.wait_for(lambda: len(board.partitions.history) >= 2)
    assert board.partitions.history[:2] == ["trying ota_1", "rolled back to ota_0"]


def test_an_image_without_ota_support_says_so(make: Make) -> None:
    def old(board: Board) -> None:
        board.partitions.supported = False

    board = make("from esp32 import Partition\nPartition.mark_app_valid_cancel_rollback()", old)
    board.wait_for(lambda: board.halted)
    assert "OSError: -261" in board.log
