#!/usr/bin/env python3
# tests/collection/fault_sweep.py — makes each system call of a run fail in turn, once and from then on.
"""Counts the calls of a run of crash_program by kind, then lets the nth of them fail, for every n, with each error that
such a call may have. The run must end by itself: it goes on, or says what is wrong and stops. Then the store is judged
without any fault: everything that was acknowledged is there, and nothing that was refused.

  fault_sweep.py PROGRAM FAULTS [--steps 100] [--seed 1] [--most 100]    MOST calls of a kind, spread evenly; 0: all
  fault_sweep.py ... --only KIND,ERROR,NUMBER,once|ever                 one run again

After a failed sync of the log nothing more may be acknowledged before the collection was opened again. A write that was
interrupted or took half of its bytes must not be noticed.
"""
import argparse
import collections
import concurrent.futures
import errno
import os
import shutil
import sys

import crash_runs

ERRORS = {
    "open": ["EIO", "EMFILE", "ENOSPC"],
    "write": ["EIO", "ENOSPC", "EINTR", "short"],
    "sync": ["EIO", "ENOSPC"],
    "truncate": ["EIO", "EINTR"],
    "rename": ["EIO", "ENOSPC"],
    "remove": ["EIO"],
    "mkdir": ["EIO", "ENOSPC"],
    "map": ["ENOMEM"],
    "read": ["EIO"],
    "lock": ["EIO"],
}
HARMLESS = ["EINTR", "short"]
WRITES = {"insert", "upsert", "update", "erase"}
FINISHED, GAVE_UP = 0, 3  # exit codes of crash_program


def count_calls(plan, library, folder, steps):
    """How many calls of each kind a run makes."""
    store = os.path.join(folder, "count")
    calls = os.path.join(folder, "calls")
    os.mkdir(store)
    code, _, errors = plan.run("write", store, crash_runs.faults(library, store, ",".join(ERRORS), LIST=calls),
                               steps=steps, endure=1)
    if code != FINISHED:
        raise RuntimeError(f"the writer ended with {code}: {errors}")
    with open(calls, encoding="utf-8") as file:
        return collections.Counter(line.split()[0] for line in file)


def choose(counts, most):
    """(kind, error, number, how often) of each run."""
    chosen = []
    for kind, errors in ERRORS.items():
        numbers = list(range(1, counts[kind] + 1))
        if most and len(numbers) > most:
            numbers = [numbers[at * len(numbers) // most] for at in range(most)]
        for error in errors:
            # What is harmless is so for all calls at once; interrupted for ever a call never ends.
            often = {"short": ["ever"], "EINTR": ["once"]}.get(error, ["once", "ever"])
            chosen.extend((kind, error, number, how) for number in numbers for how in often)
    return chosen


def is_log(path):
    return "/log/" in path and path.endswith(".log")


def broken_promise(story, error):
    """What the run should not have said; empty where it is as it should be."""
    sync_failed = False
    faults = []
    acts = {}  # (lane, step) -> act, where it began after a sync of the log had failed
    for line in story.splitlines():
        word, *rest = line.split()
        if word == "fault":
            faults.append(rest[1])
            sync_failed = sync_failed or (rest[0] == "sync" and is_log(rest[1]))
        elif word == "opened":
            sync_failed = False
            acts.clear()
        elif word == "begin" and sync_failed:
            acts[tuple(rest[:2])] = rest[2]
        elif word == "done" and acts.get(tuple(rest), "") in WRITES:
            return f"a sync of the log had failed, and {line.split()[1:]} was acknowledged"
        elif word == "failed" and error in HARMLESS and not any("/forward/" in path for path in faults):
            return f"{error} was noticed: {line}"
    return ""


def fail_at(arguments, plan, folder, fault):
    """(complaint, how the run ended)."""
    kind, error, number, often = fault
    name = ",".join(map(str, fault))
    store = os.path.join(folder, name)
    os.mkdir(store)
    action = "short" if error == "short" else getattr(errno, error)
    environment = crash_runs.faults(arguments.faults, store, kind, FIRST=number, ACTION=action,
                                    LAST=number if often == "once" else 1 << 30)
    code, story, errors = plan.run("write", store, environment, steps=arguments.steps, endure=1)
    ending = {FINISHED: "finished", GAVE_UP: "gave up"}.get(code, "")
    if code == FINISHED and "fault" not in story:
        ending = "not reached"  # the threads of this run made fewer calls
    complaint = "" if ending else f"it ended with {code}: {errors}"
    complaint = complaint or broken_promise(story, error)
    if not complaint:
        complaint, _ = plan.judge(store, story)
    if complaint:
        place = crash_runs.keep(store, f"fault_sweep-{name}")
        with open(os.path.join(place, "events"), "w", encoding="utf-8") as file:
            file.write(story)
        complaint += f" (what is left of it is kept in {place})"
    shutil.rmtree(store)
    return complaint, ending


def run(arguments, folder):
    plan = crash_runs.Plan(arguments.program, seed=arguments.seed, level=arguments.level, lanes=1)
    counts = count_calls(plan, arguments.faults, folder, arguments.steps)
    chosen = choose(counts, arguments.most)
    if arguments.only:
        kind, error, number, often = arguments.only.split(",")
        chosen = [(kind, error, int(number), often)]
    endings = collections.Counter()
    failures = 0
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as runs:
        for fault, (complaint, ending) in zip(chosen, runs.map(lambda one: fail_at(arguments, plan, folder, one), chosen)):
            endings[ending or "crashed"] += 1
            if complaint:
                failures += 1
                name = ",".join(map(str, fault))
                print(f"FAILED {name}: {complaint}")
                print(f"  again: {crash_runs.own_command()} --only {name}")
    print(f"{arguments.level}, seed {arguments.seed}: {len(chosen)} runs with a fault, {failures} failures")
    print("  calls:", ", ".join(f"{kind} {counts[kind]}" for kind in ERRORS))
    print("  ended:", ", ".join(f"{name} {count}" for name, count in sorted(endings.items())))
    return 1 if failures else 0


def main():
    parser = argparse.ArgumentParser(description="a writer whose system calls fail")
    parser.add_argument("program")
    parser.add_argument("faults")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--level", default="each_commit")
    parser.add_argument("--most", type=int, default=100, help="calls of a kind; 0: all")
    parser.add_argument("--only", metavar="KIND,ERROR,NUMBER,OFTEN")
    arguments = parser.parse_args()
    folder = crash_runs.scratch_folder()
    try:
        return run(arguments, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
