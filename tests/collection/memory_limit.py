#!/usr/bin/env python3
# tests/collection/memory_limit.py — lets an index larger than a memory cgroup be searched in it, through a cache.
"""The kernel counts what a process and its files take, and how often they came up against the limit of their group.

  memory_limit.py PROGRAM [--cache 8] [--besides 16]

PROGRAM writes an index of some 40 MB outside of any group. In a group with a limit of CACHE + BESIDES MiB it is then
searched through a cache of CACHE MiB: the answers are those without a limit, and the limit is never met. Mapped as a
whole it is met, which shows that this test would notice. Exits with 77 where no such group can be made.
"""
import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

SKIPPED = 77
MIB = 1 << 20


class Group:
    """A memory cgroup of version 1 or 2, below the root."""

    def __init__(self, limit):
        self.version_1 = pathlib.Path("/sys/fs/cgroup/memory/memory.limit_in_bytes").exists()
        root = pathlib.Path("/sys/fs/cgroup/memory" if self.version_1 else "/sys/fs/cgroup")
        self.path = root / f"kith-test-{os.getpid()}"
        if not self.version_1 and "memory" not in (root / "cgroup.subtree_control").read_text().split():
            raise OSError("the root group gives no control over memory")
        self.path.mkdir()
        try:
            self._write("memory.limit_in_bytes" if self.version_1 else "memory.max", limit)
        except OSError:
            self.path.rmdir()
            raise

    def _write(self, name, value):
        (self.path / name).write_text(str(value))

    def enter(self):
        """Moves the calling process into the group."""
        self._write("cgroup.procs", os.getpid())

    def met(self):
        """How often its processes came up against the limit."""
        if self.version_1:
            return int((self.path / "memory.failcnt").read_text())
        events = dict(line.split() for line in (self.path / "memory.events").read_text().splitlines())
        return int(events["max"])

    def close(self):
        self.path.rmdir()


def ask(program, folder, cache_bytes, limit=None):
    """The checksum of the answers, and how often the limit was met."""
    group = Group(limit) if limit is not None else None
    try:
        done = subprocess.run([program, "ask", folder, str(cache_bytes)], stdout=subprocess.PIPE, check=True,
                              preexec_fn=group.enter if group else None)
        return done.stdout.decode().strip(), group.met() if group else 0
    finally:
        if group:
            group.close()


def forget(folder):
    """Drops the files of a folder from the system's cache, so that who reads them next is charged for it."""
    for path in pathlib.Path(folder).iterdir():
        with open(path, "rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--cache", type=int, default=8, help="MiB of cache")
    parser.add_argument("--besides", type=int, default=16, help="MiB for all else that the process takes")
    arguments = parser.parse_args()
    limit = (arguments.cache + arguments.besides) * MIB
    try:
        Group(limit).close()
    except OSError as error:
        print(f"skipped: no memory cgroup can be made here: {error}")
        return SKIPPED
    with tempfile.TemporaryDirectory(prefix="kith-memory-") as folder:
        kind = subprocess.run(["stat", "-f", "-c", "%T", folder], stdout=subprocess.PIPE, check=True)
        if kind.stdout.decode().strip() in ("tmpfs", "ramfs"):
            print(f"skipped: {folder} is in memory itself")
            return SKIPPED
        subprocess.run([arguments.program, "make", folder], check=True)
        size = sum(path.stat().st_size for path in pathlib.Path(folder).iterdir())
        expected, _ = ask(arguments.program, folder, 0)
        forget(folder)
        cached, met = ask(arguments.program, folder, arguments.cache * MIB, limit)
        forget(folder)
        mapped, met_mapped = ask(arguments.program, folder, 0, limit)
    print(f"{size / MIB:.0f} MiB of index in a group of {limit / MIB:.0f} MiB: the limit was met {met} times through a "
          f"cache of {arguments.cache} MiB, {met_mapped} times without")
    if cached != expected or mapped != expected:
        print(f"the answers differ: {expected} without a limit, {cached} through the cache, {mapped} mapped")
        return 1
    if met > 0:
        print("what the cache kept, and the files it was read from, took more than its limit")
        return 1
    if met_mapped == 0:
        print("the limit is so wide that this shows nothing")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
