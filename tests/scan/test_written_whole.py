"""Files and directories are written whole or not at all, and what killed writers leave is swept by the next one."""

import errno
import os
import signal
import subprocess
import sys

import pytest

from sbitune.data.errors import SpaceError
from sbitune.data.storage.directories import whole_directory
from sbitune.data.storage.files import replacing, write_text

WRITER = """
import sys, time
from sbitune.data.storage.directories import whole_directory
from sbitune.data.storage.files import replacing
with {what}(sys.argv[1]) as temporary:
    ({write})
    print("half", flush=True)
    time.sleep(600)
"""
KINDS = {
    "file": ("replacing", "temporary.write_text('half')"),
    "directory": ("whole_directory", "(temporary / 'a').write_text('half')"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_strays_of_killed_writers_are_swept_and_others_left(tmp_path, kind):
    place = tmp_path / "a[1].txt"
    what, write = KINDS[kind]
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER.format(what=what, write=write), str(place)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "half\n"

    def write_again():
        if kind == "file":
            write_text(place, "whole")
        else:
            with whole_directory(place) as temporary:
                (temporary / "a").write_text("whole")
            (place / "a").unlink()

    write_text(tmp_path / ".tmp-abc-b.txt", "of another file")
    write_again()
    assert len(list(tmp_path.glob(".tmp-*1].txt"))) == 1  # it is being written
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    write_again()
    assert sorted(p.name for p in tmp_path.iterdir()) == [".tmp-abc-b.txt", "a[1].txt"]


def test_a_lack_of_space_names_the_file(tmp_path):
    with (
        pytest.raises(SpaceError, match=r"x.txt: cannot be written: no space left on device"),
        replacing(tmp_path / "x.txt"),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(PermissionError), replacing(tmp_path / "x.txt"):
        raise PermissionError(errno.EACCES, "no")
    assert list(tmp_path.iterdir()) == []
