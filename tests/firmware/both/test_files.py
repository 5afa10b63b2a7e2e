"""Files are whole or not there."""

import os

from app import files
from scaffold import folder, raises


def test_what_is_written_is_read():
    path = folder() + "/a"
    files.write(path, b"one ", b"two")
    assert files.read(path) == b"one two"
    files.write(path, b"")
    assert files.read(path) == b""


def test_a_file_that_is_missing_short_or_changed_reads_as_none():
    root = folder()
    assert files.read(root + "/missing") is None
    path = root + "/a"
    files.write(path, b"some content")
    with open(path, "rb") as file:
        whole = file.read()
    for damaged in (b"", b"abc", whole[:-1], whole[1:], b"X" + whole[1:], whole + b"."):
        with open(path, "wb") as file:
            file.write(damaged)
        assert files.read(path) is None, damaged


def test_a_write_that_fails_leaves_the_old_content_and_nothing_else():
    root = folder()
    path = root + "/a"
    files.write(path, b"old")
    os.mkdir(path + "~")  # so that the temporary file cannot be made
    raises(OSError, files.write, path, b"new")
    assert files.read(path) == b"old"


def test_what_a_cut_off_write_left_behind_is_swept_away():
    root = folder()
    files.write(root + "/a", b"kept")
    with open(root + "/a~", "wb") as file:
        file.write(b"half of somethi")
    files.sweep(root)
    assert [name for name, _ in files.listing(root)] == ["a"]
    assert files.read(root + "/a") == b"kept"


def test_a_listing_tells_files_and_their_sizes_but_no_folders():
    root = folder()
    os.mkdir(root + "/folder")
    files.write(root + "/a", b"12345")
    files.empty(root + "/b")
    assert sorted(files.listing(root)) == [("a", 9), ("b", 0)]


def test_folders_are_made_down_to_the_last():
    root = folder()
    files.makedirs(root + "/x/y")
    files.makedirs(root + "/x/y")
    assert files.exists(root + "/x/y")
    assert not files.exists(root + "/z")


def test_removing_what_is_not_there_is_no_error():
    files.remove(folder() + "/nothing")
