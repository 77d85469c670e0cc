#!/usr/bin/env python3
# tests/collection/power_cut.py — cuts the power at random moments of a recorded run and judges what the disk holds.
"""Records crash_program with power_recorder, then builds many disks that a power cut may have left and checks each.

  power_cut.py PROGRAM RECORDER [--points 300] [--steps 300] [--seed 1] [--only POINT] [--keep FOLDER]
  power_cut.py PROGRAM RECORDER --self-test   takes syncs out of the record and expects the judge to complain

What was synced is on every disk. Of the rest a disk keeps, as its manner says:
  none      nothing
  all       everything
  prefix    what came before some moment, the last write torn between two sectors
  subset    any pieces of 512 or 4096 bytes of the writes, any entries of the directories
  holes     as subset, but files have their later length, and what was lost reads as zeros
  garbage   as holes, but reads as garbage where the file was shorter before
A directory entry (made, renamed, removed) is synced by a sync of its directory only, never by that of the file.

Each disk goes to the judge (crash_program check), with the last step that was acknowledged before the cut.
The points of a seed are the same every time, as far as the threads of the program are: --only POINT builds one again.
"""
import argparse
import collections
import concurrent.futures
import os
import pathlib
import posixpath
import random
import shutil
import struct
import subprocess
import sys
import tempfile

HEAD = struct.Struct("<QIiQQQ")
SECTOR = 512
MANNERS = ["none", "all", "prefix", "prefix", "subset", "subset", "holes", "garbage"]
# What LMDB keeps in lock.mdb is shared memory, which no program writes and no disk needs.
SHARED_MEMORY = {"lock.mdb"}


class Record:
    def __init__(self, number, kind, descriptor, argument, payload):
        self.number = number
        self.kind = kind
        self.descriptor = descriptor
        self.argument = argument
        self.payload = payload


def read_trace(path):
    data = memoryview(pathlib.Path(path).read_bytes())
    records = []
    at = 0
    while at < len(data):
        number, kind, descriptor, a, _, count = HEAD.unpack_from(data, at)
        at += HEAD.size
        records.append(Record(number, chr(kind), descriptor, a, bytes(data[at:at + count])))
        at += count
    return records


class File:
    """`durable` is on the disk; `pending` is what came since, in order: (number, offset or None, bytes or length)."""

    def __init__(self):
        self.durable = bytearray()
        self.pending = []

    def sync(self, before):
        """Takes over the changes numbered below `before`."""
        covered = [change for change in self.pending if change[0] < before]
        self.pending = self.pending[len(covered):]
        for _, offset, value in covered:
            change_bytes(self.durable, offset, value)


class Directory:
    """`durable` and `current` map names to nodes; `pending` is (number, changes), with None for a removed name."""

    def __init__(self):
        self.durable = {}
        self.current = {}
        self.pending = []

    def change(self, number, changes):
        self.pending.append((number, changes))
        change_entries(self.current, changes)

    def sync(self, before):
        covered = [change for change in self.pending if change[0] < before]
        self.pending = self.pending[len(covered):]
        for _, changes in covered:
            change_entries(self.durable, changes)


def change_entries(entries, changes):
    for name, node in changes.items():
        if node is None:
            entries.pop(name, None)
        else:
            entries[name] = node


def change_bytes(content, offset, value):
    if offset is None:  # a new length
        if value < len(content):
            del content[value:]
        else:
            content.extend(bytes(value - len(content)))
        return
    if offset > len(content):
        content.extend(bytes(offset - len(content)))
    content[offset:offset + len(value)] = value


class Disk:
    """The files under one directory, as a trace changes them."""

    def __init__(self, root, deaf_to=None):
        self.root = root
        self.deaf_to = deaf_to      # of the self-test: no sync of this folder's files, or of any directory, counts
        self.top = Directory()
        self.open = {}              # descriptor -> node
        self.paths = {}             # descriptor -> path it was opened by
        self.write_through = set()  # descriptors opened with O_SYNC or O_DSYNC
        self.acknowledged = -1
        self.under_way = "start"

    def place(self, path):
        """The directory that holds `path`, and the name in it."""
        parts = posixpath.relpath(path, self.root).split("/")
        directory = self.top
        for part in parts[:-1]:
            directory = directory.current[part]
        return directory, parts[-1]

    def node(self, path):
        if posixpath.relpath(path, self.root) == ".":
            return self.top
        directory, name = self.place(path)
        return directory.current.get(name)

    def apply(self, record):
        number = record.number
        if record.kind == "o":
            self.opened(record)
        elif record.kind == "c":
            self.open.pop(record.descriptor, None)
        elif record.kind == "w":
            file = self.open[record.descriptor]
            if record.descriptor in self.write_through:
                # Overlaps of written-through and other writes would need their order; LMDB makes none.
                change_bytes(file.durable, record.argument, record.payload)
            else:
                file.pending.append((number, record.argument, record.payload))
        elif record.kind == "t":
            self.open[record.descriptor].pending.append((number, None, record.argument))
        elif record.kind == "s":
            if not self.ignores(record.descriptor):
                self.open[record.descriptor].sync(record.argument)
        elif record.kind == "m":
            directory, name = self.place(record.payload.decode())
            directory.change(number, {name: Directory()})
        elif record.kind in "ud":
            directory, name = self.place(record.payload.decode())
            directory.change(number, {name: None})
        elif record.kind == "r":
            source, target = (self.place(path.decode()) for path in record.payload.split(b"\0"))
            node = source[0].current[source[1]]
            if source[0] is target[0]:
                source[0].change(number, {source[1]: None, target[1]: node})
            else:
                target[0].change(number, {target[1]: node})
                source[0].change(number, {source[1]: None})
        elif record.kind == "k":
            for line in record.payload.decode().splitlines():
                word, *rest = line.split()
                if word == "done":
                    self.acknowledged = int(rest[0])
                self.under_way = rest[1] if word == "begin" else "between"

    def opened(self, record):
        path = record.payload.decode()
        node = self.node(path)
        if node is None:
            if not record.argument & os.O_CREAT:
                raise RuntimeError(f"{path} was opened, and nothing recorded made it")
            node = File()
            directory, name = self.place(path)
            directory.change(record.number, {name: node})
        elif record.argument & os.O_TRUNC:
            node.pending.append((record.number, None, 0))
        self.open[record.descriptor] = node
        self.paths[record.descriptor] = path
        self.write_through.discard(record.descriptor)
        if record.argument & (os.O_SYNC | os.O_DSYNC):
            self.write_through.add(record.descriptor)

    def ignores(self, descriptor):
        if isinstance(self.open[descriptor], Directory):
            return self.deaf_to == "directories"
        return f"/{self.deaf_to}/" in self.paths[descriptor]

    def nodes(self):
        """Every node that any surviving entry may lead to."""
        met = []
        seen = set()
        waiting = [self.top]
        while waiting:
            node = waiting.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            met.append(node)
            if isinstance(node, Directory):
                waiting.extend(node.durable.values())
                for _, changes in node.pending:
                    waiting.extend(child for child in changes.values() if child is not None)
        return met


class Survivor:
    """Decides what of the unsynced changes is on the disk, and writes that disk to a folder."""

    def __init__(self, disk, rng, manner):
        self.rng = rng
        self.manner = manner
        self.piece = rng.choice([SECTOR, 4096])
        self.likely = rng.choice([0.1, 0.5, 0.9])
        numbers = sorted(number for node in disk.nodes() for number, *_ in node.pending)
        self.last = rng.choice(numbers) if numbers else 0  # of a prefix: this one is torn
        self.disk = disk

    def keeps(self, number):
        if self.manner == "prefix":
            return number < self.last
        return {"none": False, "all": True}.get(self.manner, self.rng.random() < self.likely)

    def entries(self, directory):
        entries = dict(directory.durable)
        for number, changes in directory.pending:
            if self.keeps(number):
                change_entries(entries, changes)
        return entries

    def content(self, file):
        content = bytearray(file.durable)
        if self.manner in ("holes", "garbage"):
            longest = max([len(content)] + [offset + len(value) for _, offset, value in file.pending
                                            if offset is not None])
            lost = longest - len(content)
            content.extend(self.rng.randbytes(lost) if self.manner == "garbage" else bytes(lost))
        for number, offset, value in file.pending:
            if offset is None or self.manner in ("none", "all"):
                if self.keeps(number):
                    change_bytes(content, offset, value)
            elif self.manner == "prefix":
                if number == self.last:
                    end = self.rng.randrange(offset, offset + len(value) + 1) // SECTOR * SECTOR
                    value = value[:max(0, end - offset)]
                if number <= self.last and value:
                    change_bytes(content, offset, value)
            else:
                self.change_pieces(content, number, offset, value)
        return content

    def change_pieces(self, content, number, offset, value):
        begin = offset
        while begin < offset + len(value):
            end = min((begin // self.piece + 1) * self.piece, offset + len(value))
            if self.keeps(number):
                change_bytes(content, begin, value[begin - offset:end - offset])
            begin = end

    def write(self, folder, directory=None):
        os.mkdir(folder)
        for name, node in self.entries(directory or self.disk.top).items():
            path = os.path.join(folder, name)
            if isinstance(node, Directory):
                self.write(path, node)
            else:
                pathlib.Path(path).write_bytes(self.content(node))


def scratch_folder():
    """Syncs cost nothing in memory, and here no real disk is needed."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def record_run(arguments, folder):
    """Runs the program under the recorder; returns the directory it wrote to and the trace."""
    root = os.path.join(folder, "run")
    os.mkdir(root)
    trace = os.path.join(folder, "trace")
    environment = dict(os.environ, LD_PRELOAD=arguments.recorder, KITH_RECORD_DIRECTORY=root, KITH_RECORD_TRACE=trace)
    subprocess.run([arguments.program, "write", root, str(arguments.seed), "0", str(arguments.steps)],
                   env=environment, stdout=subprocess.DEVNULL, check=True)
    return root, read_trace(trace)


def check_recorder(root, records, folder):
    """Raises when the trace, applied whole, is not what the directory really holds: then it would prove nothing."""
    disk = Disk(root)
    for record in records:
        disk.apply(record)
    rebuilt = os.path.join(folder, "rebuilt")
    Survivor(disk, random.Random(0), "all").write(rebuilt)
    found, expected = ({str(path.relative_to(top)): path.read_bytes() if path.is_file() else None
                        for path in pathlib.Path(top).rglob("*") if path.name not in SHARED_MEMORY}
                       for top in (rebuilt, root))
    wrong = sorted(name for name in found.keys() | expected.keys() if found.get(name, 0) != expected.get(name, 0))
    if wrong:
        raise RuntimeError("the recorder missed something: the trace gives other bytes for " + ", ".join(wrong))


def judge(arguments, folder, acknowledged):
    """Complaint of the judge about one disk; empty when it has none."""
    command = [arguments.program, "check", folder, str(arguments.seed), str(acknowledged)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    except subprocess.TimeoutExpired:
        return "the judge did not end"
    if done.returncode == 0:
        return ""
    return f"exit code {done.returncode}: {done.stderr.strip()}"


def choose_points(arguments, records):
    """(position, point) pairs in order of position: the cut comes before the record at that position.

    Half of them lie anywhere. The others lie near a change of a directory, where checkpoints and rotations are, for
    those are few among many writes.
    """
    near = [index for index, record in enumerate(records) if record.kind in "rumdt"]
    chosen = []
    for point in range(arguments.points):
        rng = random.Random(f"position {arguments.seed} {point}")
        if point % 2 == 0:
            position = rng.randrange(len(records) + 1)
        else:
            position = min(len(records), max(0, rng.choice(near) + rng.randrange(-2, 6)))
        chosen.append((position, point))
    return sorted(chosen)


def main():
    parser = argparse.ArgumentParser(description="power cuts in a recorded run")
    parser.add_argument("program")
    parser.add_argument("recorder")
    parser.add_argument("--points", type=int, default=300)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="build and judge this point alone")
    parser.add_argument("--keep", metavar="FOLDER", help="with --only: keep the disk there as it was built")
    parser.add_argument("--self-test", action="store_true", help="prove that missing syncs are noticed")
    arguments = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="kith-power-cut-", dir=scratch_folder())
    try:
        return run(arguments, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Outcome:
    def __init__(self):
        self.manners = collections.Counter()
        self.moments = collections.Counter()
        self.failures = []


def cut_power(arguments, folder, root, records, deaf_to=None):
    """Builds the disk of every point and has it judged."""
    outcome = Outcome()
    disk = Disk(root, deaf_to)
    position = 0

    def judged(point, manner, image, acknowledged, moment):
        complaint = judge(arguments, image, acknowledged)
        if complaint:
            outcome.failures.append(f"point {point}, {manner}, during {moment}, acknowledged {acknowledged}: {complaint}")
        shutil.rmtree(image, ignore_errors=True)

    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as judges:
        waiting = []
        for cut, point in choose_points(arguments, records):
            while position < cut:
                disk.apply(records[position])
                position += 1
            if arguments.only is not None and point != arguments.only:
                continue
            rng = random.Random(f"disk {arguments.seed} {point}")
            manner = rng.choice(MANNERS)
            image = os.path.join(folder, str(point))
            survivor = Survivor(disk, rng, manner)
            survivor.write(image)
            if arguments.keep and arguments.only is not None:
                shutil.copytree(image, arguments.keep)  # before the judge changes it
            outcome.manners[manner] += 1
            outcome.moments[disk.under_way] += 1
            waiting.append(judges.submit(judged, point, manner, image, disk.acknowledged, disk.under_way))
            while len(waiting) > 4:
                waiting.pop(0).result()
        for one in waiting:
            one.result()
    return outcome


def self_test(arguments, folder, root, records):
    """Every kind of sync is needed: were one of them not made, the judge would find out."""
    unnoticed = 0
    for victim in ("log", "forward", "segments", "directories"):
        failures = cut_power(arguments, folder, root, records, victim).failures
        print(f"without syncs of {victim}: {len(failures)} of {arguments.points} disks are refused")
        unnoticed += not failures
    return 1 if unnoticed else 0


def run(arguments, folder):
    root, records = record_run(arguments, folder)
    check_recorder(root, records, folder)
    if arguments.self_test:
        return self_test(arguments, folder, root, records)
    outcome = cut_power(arguments, folder, root, records)
    print(f"seed {arguments.seed}: {len(records)} changes recorded, {sum(outcome.manners.values())} power cuts,"
          f" {len(outcome.failures)} failures")
    print("  by manner:", ", ".join(f"{name} {count}" for name, count in sorted(outcome.manners.items())))
    print("  during:", ", ".join(f"{name} {count}" for name, count in sorted(outcome.moments.items())))
    for failure in outcome.failures:
        print("  FAILED", failure)
    return 1 if outcome.failures else 0


if __name__ == "__main__":
    sys.exit(main())
