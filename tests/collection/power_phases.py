#!/usr/bin/env python3
# tests/collection/power_phases.py — what the storage unit was at, at each moment of a recorded run.
"""The phases are read off the files that change, so that the product needs no marks; acts are what the program said.

  creating       from the first change until the new collection has its name for good
  sealing        a folder below segments/ is written, until it has its name for good
  commit         LMDB's pages are written, until the meta page is
  new log        a log file is made, until it has its name for good
  dropping       log files or segments that nothing needs any more are removed
  opening, checkpoint, compact, reopen, closing      acts
"""
import os
import posixpath

ACTS = {"checkpoint", "compact", "reopen", "link"}
PHASES = ["creating", "sealing", "commit", "new log", "dropping", "opening", "checkpoint", "compact", "reopen"]


class Phases:
    """Follows a trace; `now` is the set of phases between the records so far and the next."""

    def __init__(self):
        self.now = set()
        self.paths = {}     # descriptor -> path
        self.aside = {}     # directory whose sync ends a phase -> that phase
        self.folders = set()  # segment folders that are being written
        self.lanes = {}     # lane -> act
        self.synced_writes = set()  # descriptors whose writes are on the disk when they return

    def take(self, record):
        getattr(self, f"take_{record.kind}", lambda _: None)(record)
        dropping = record.kind in "ud" and ("/log/" in self.path(record) or "/segments/" in self.path(record))
        self.set("dropping", dropping and not self.path(record).endswith(".tmp"))

    def set(self, phase, on):
        (self.now.add if on else self.now.discard)(phase)

    @staticmethod
    def path(record):
        return record.payload.decode()

    def take_o(self, record):
        path = self.path(record)
        self.paths[record.descriptor] = path
        self.synced_writes.discard(record.descriptor)
        if record.argument & (os.O_SYNC | os.O_DSYNC):
            self.synced_writes.add(record.descriptor)
        if record.argument & os.O_CREAT and "/log/" in path and path.endswith(".tmp"):
            self.now.add("new log")

    def take_m(self, record):
        path = self.path(record)
        if ".new-" in posixpath.basename(path):
            self.now.add("creating")
        elif posixpath.basename(posixpath.dirname(path)) == "segments":
            self.folders.add(path)
            self.now.add("sealing")

    def take_r(self, record):
        source, target = (path.decode() for path in record.payload.split(b"\0"))
        if ".new-" in posixpath.basename(source):
            self.aside[posixpath.dirname(target)] = "creating"
        elif source in self.folders:
            self.folders.discard(source)
            if not self.folders:
                self.aside[posixpath.dirname(target)] = "sealing"
        elif "/log/" in target:
            self.aside[posixpath.dirname(target)] = "new log"

    def take_w(self, record):
        if self.paths[record.descriptor].endswith("/data.mdb"):
            self.set("commit", record.descriptor not in self.synced_writes)  # the meta page comes last

    def take_s(self, record):
        phase = self.aside.pop(self.paths[record.descriptor], None)
        if phase is not None:
            self.now.discard(phase)

    def take_k(self, record):
        for line in self.path(record).splitlines():
            word, *rest = line.split()
            if word in ("opening", "opened"):
                self.set("opening", word == "opening")
            elif word in ("closing", "closed"):
                self.set("closing", word == "closing")
            elif word == "begin":
                self.lanes[rest[0]] = rest[2]
            elif word in ("done", "failed"):
                self.lanes.pop(rest[0], None)
        for act in ACTS:
            self.set(act, act in self.lanes.values())


def phases_of(records):
    """For each position the phases between the record before it and the record there; one more than records."""
    phases = Phases()
    found = [frozenset()]
    for record in records:
        phases.take(record)
        found.append(frozenset(phases.now))
    return found
