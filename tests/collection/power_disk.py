#!/usr/bin/env python3
# tests/collection/power_disk.py — what a disk may hold after the power went, from what power_recorder.c wrote down.
"""A Disk takes a trace record by record; a Survivor decides what of the changes that no sync covers is still there.

What was synced is on every disk. Of the rest a disk keeps, as its manner says:
  none      nothing
  all       everything
  prefix    what came before some moment, the last write torn between two sectors
  torn      as prefix, and the sector behind the tear reads as garbage where the file was shorter before
  subset    any pieces of 512 or 4096 bytes of the writes, any entries of the directories
  holes     as subset, but files have their later length, and what was lost reads as zeros
  garbage   as holes, but reads as garbage where the file was shorter before
A directory entry (made, renamed, removed) is synced by a sync of its directory only, never by that of the file.
"""
import os
import pathlib
import posixpath
import random
import struct

HEAD = struct.Struct("<QIiQQQ")
SECTOR = 512
MANNERS = ["none", "all", "prefix", "prefix", "torn", "subset", "subset", "holes", "garbage"]
# What LMDB keeps in lock.mdb is shared memory, which no program writes and no disk needs.
SHARED_MEMORY = {"lock.mdb"}


class Record:
    def __init__(self, number, kind, descriptor, argument, thread, payload):
        self.number = number
        self.kind = kind
        self.descriptor = descriptor
        self.argument = argument
        self.thread = thread
        self.payload = payload


def read_trace(path):
    data = memoryview(pathlib.Path(path).read_bytes())
    records = []
    at = 0
    while at < len(data):
        number, kind, descriptor, a, thread, count = HEAD.unpack_from(data, at)
        at += HEAD.size
        records.append(Record(number, chr(kind), descriptor, a, thread, bytes(data[at:at + count])))
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

    def __init__(self, root, ignores=None, top=None):
        self.root = root
        self.ignores = ignores      # of the self-test: takes a sync's record, path and node, true if it never was
        self.top = top or Directory()
        self.open = {}              # descriptor -> node
        self.paths = {}             # descriptor -> path it was opened by
        self.write_through = set()  # descriptors opened with O_SYNC or O_DSYNC
        self.events = []            # (number, line) of what the program said
        self.synced = 0             # so many of the first lines were said before a sync of the log began

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
            node, path = self.open[record.descriptor], self.paths[record.descriptor]
            if self.ignores is None or not self.ignores(record, path, node):
                node.sync(record.argument)
            if "/log/" in path:
                covered = sum(number < record.argument for number, _ in self.events)
                self.synced = max(self.synced, covered)
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
            self.events.extend((number, line) for line in record.payload.decode().splitlines())

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

    def story(self):
        """The events so far, as the judge reads them."""
        return "".join(line + "\n" for _, line in self.events) + f"synced {self.synced}\n"

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


def loaded(path):
    """The node that a folder or file is, all of it durable."""
    if path.is_dir():
        node = Directory()
        node.durable = {child.name: loaded(child) for child in path.iterdir()}
        node.current = dict(node.durable)
    else:
        node = File()
        node.durable = bytearray(path.read_bytes())
    return node


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
        if self.manner in ("prefix", "torn"):
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
            elif self.manner in ("prefix", "torn"):
                if number < self.last:
                    change_bytes(content, offset, value)
                elif number == self.last:
                    self.tear(content, offset, value)
            else:
                self.change_pieces(content, number, offset, value)
        return content

    def tear(self, content, offset, value):
        end = self.rng.randrange(offset, offset + len(value) + 1) // SECTOR * SECTOR
        if end > offset:
            change_bytes(content, offset, value[:end - offset])
        rest = min(SECTOR, offset + len(value) - max(end, offset))
        if self.manner == "torn" and rest > 0 and len(content) <= max(end, offset):
            change_bytes(content, max(end, offset), self.rng.randbytes(rest))

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
