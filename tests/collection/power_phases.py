#!/usr/bin/env python3
# tests/collection/power_phases.py — what the storage unit was at, at each moment of a recorded run.
"""The phases are read off the files that change and the threads that change them, so that the product needs no marks.

  creating       from the first change until the new collection has its name for good
  new log        a log file is made, until it has its name for good
  sealing        a thread that has ended a log file writes segments, until the state record names them
  merging        a thread that has not writes a segment, copies its rows, until the state record names it
  commit         LMDB's pages are written, until the meta page is
  exchanging     LMDB's file is copied without its free pages, until the copy has the name for good
  dropping log   log files that no state record needs are removed
  dropping part  folders of segments that were merged are removed
  opening, checkpoint, compact, reopen      acts: what the program said it does
"""
import os
import posixpath

ACTS = {"checkpoint", "compact", "reopen"}
PHASES = ["creating", "new log", "sealing", "merging", "commit", "exchanging", "dropping log", "dropping part", "opening",
          "checkpoint", "compact", "reopen"]


class Work:
    """What one thread is at."""

    def __init__(self):
        self.ended_log = False  # since its last commit
        self.phase = None
        self.commits = 0        # of the rows of a merge, then of its state record


class Phases:
    """Follows a trace; `now` is the set of phases between the records so far and the next."""

    def __init__(self):
        self.now = set()
        self.paths = {}             # descriptor -> path
        self.aside = {}             # directory whose sync ends a phase -> that phase
        self.synced_writes = set()  # descriptors whose writes are on the disk when they return
        self.lanes = {}             # lane -> act
        self.threads = {}           # thread -> Work

    def take(self, record):
        self.now -= {"sealing", "merging", "dropping log", "dropping part"}
        work = self.threads.setdefault(record.thread, Work())
        getattr(self, f"take_{record.kind}", lambda *_: None)(record, work)
        self.now.update(one.phase for one in self.threads.values() if one.phase is not None)

    def set(self, phase, on):
        (self.now.add if on else self.now.discard)(phase)

    @staticmethod
    def path(record):
        return record.payload.decode()

    def take_o(self, record, _):
        path = self.path(record)
        self.paths[record.descriptor] = path
        self.synced_writes.discard(record.descriptor)
        if record.argument & (os.O_SYNC | os.O_DSYNC):
            self.synced_writes.add(record.descriptor)
        if record.argument & os.O_CREAT and "/log/" in path and path.endswith(".tmp"):
            self.now.add("new log")

    def take_m(self, record, work):
        path = self.path(record)
        if ".new-" in posixpath.basename(path):
            self.now.add("creating")
        elif posixpath.basename(posixpath.dirname(path)) == "segments":
            work.phase = "sealing" if work.ended_log else "merging"
            work.commits = 0
        elif path.endswith(".compact.tmp"):
            self.now.add("exchanging")

    def take_r(self, record, work):
        source, target = (path.decode() for path in record.payload.split(b"\0"))
        if ".new-" in posixpath.basename(source):
            self.aside[posixpath.dirname(target)] = "creating"
        elif "/log/" in target:
            self.aside[posixpath.dirname(target)] = "new log"
            work.ended_log = True
        elif target.endswith("/data.mdb"):
            self.aside[posixpath.dirname(target)] = "exchanging"

    def take_w(self, record, work):
        path = self.paths[record.descriptor]
        if not path.endswith("/data.mdb") or ".compact.tmp/" in path:
            return
        whole = record.descriptor in self.synced_writes  # the meta page, which comes last
        self.set("commit", not whole)
        if whole:
            work.ended_log = False
            work.commits += 1
            if work.commits == 2 or work.phase == "sealing":
                work.phase = None

    def take_s(self, record, _):
        phase = self.aside.pop(self.paths[record.descriptor], None)
        if phase is not None:
            self.now.discard(phase)

    def take_u(self, record, work):
        path = self.path(record)
        if "/log/" in path and not path.endswith(".tmp"):
            self.now.add("dropping log")
        if "/segments/" in path:
            self.now.add("dropping part")
            work.phase = None

    take_d = take_u

    def take_k(self, record, work):
        for line in self.path(record).splitlines():
            word, *rest = line.split()
            if word in ("opening", "opened"):
                self.set("opening", word == "opening")
                work.ended_log = False
            elif word == "begin":
                self.lanes[rest[0]] = rest[2]
            elif word in ("done", "failed"):
                self.lanes.pop(rest[0], None)
        for act in ACTS:
            self.set(act, act in self.lanes.values())


def thread_phases(records):
    """For each record's number what the thread that made it was at: sealing, merging or None."""
    phases = Phases()
    found = {}
    for record in records:
        phases.take(record)
        found[record.number] = phases.threads[record.thread].phase
    return found


def phases_of(records):
    """For each position the phases between the record before it and the record there; one more than records."""
    phases = Phases()
    found = [frozenset()]
    for record in records:
        phases.take(record)
        found.append(frozenset(phases.now))
    return found
