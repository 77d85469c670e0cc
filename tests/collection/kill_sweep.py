#!/usr/bin/env python3
# tests/collection/kill_sweep.py — kills a writer at each system call that changes files, one run a call.
"""Counts the calls of a run of crash_program by kind, then lets it die before the nth of them, for every n, and in the
middle of the nth write; judges what each run left. call_faults.c does the killing, so the product needs no hook.

  kill_sweep.py PROGRAM FAULTS [--steps 100] [--seed 1] [--most 100]    MOST calls of a kind, spread evenly; 0: all
  kill_sweep.py ... --recoveries 10   lets the store recover after each kill, and kills that too, so many times
"""
import argparse
import collections
import concurrent.futures
import os
import random
import shutil
import signal
import sys

import crash_runs

KINDS = ["open", "write", "sync", "truncate", "rename", "remove", "mkdir"]


def count_calls(plan, library, folder, steps):
    """How many calls of each kind a run makes."""
    store = os.path.join(folder, "count")
    calls = os.path.join(folder, "calls")
    os.mkdir(store)
    code, _, errors = plan.run("write", store, crash_runs.faults(library, store, ",".join(KINDS), LIST=calls), steps=steps)
    if code != 0:
        raise RuntimeError(f"the writer ended with {code}: {errors}")
    with open(calls, encoding="utf-8") as file:
        return collections.Counter(line.split()[0] for line in file)


def kills(counts, most):
    """(kind, action, number) of each kill."""
    chosen = []
    for kind in KINDS:
        numbers = list(range(1, counts[kind] + 1))
        if most and len(numbers) > most:
            numbers = [numbers[at * len(numbers) // most] for at in range(most)]
        for action in ("kill", "half") if kind == "write" else ("kill",):
            chosen.extend((kind, action, number) for number in numbers)
    return chosen


def kill_recoveries(arguments, plan, store, rng):
    """Kills openings of the store, one after the other; the last one may go through."""
    for _ in range(arguments.recoveries):
        calls, action, most = rng.choice([(",".join(KINDS), "kill", 40), ("sync", "kill", 8), ("write", "half", 6)])
        environment = crash_runs.faults(arguments.faults, store, calls, FIRST=rng.randrange(1, most), ACTION=action)
        code, _, errors = plan.run("recover", store, environment)
        if code not in (0, -signal.SIGKILL):
            return f"a recovery ended with {code}: {errors}"
    return ""


def kill_at(arguments, plan, folder, kill):
    """(complaint, what was under way) of one run."""
    kind, action, number = kill
    store = os.path.join(folder, f"{kind}-{action}-{number}")
    os.mkdir(store)
    environment = crash_runs.faults(arguments.faults, store, kind, FIRST=number, ACTION=action)
    code, story, errors = plan.run("write", store, environment, steps=arguments.steps)
    if code == 0:
        under_way = "not reached"  # the threads of this run made fewer calls
    elif code != -signal.SIGKILL:
        return f"the writer ended with {code}: {errors}", ""
    else:
        under_way = crash_runs.act_under_way(story)
    complaint = kill_recoveries(arguments, plan, store, random.Random(f"{arguments.seed} {kill}"))
    if not complaint:
        complaint, _ = plan.judge(store, story)
    if complaint:
        place = crash_runs.keep(store, f"kill_sweep-{kind}-{action}-{number}")
        with open(os.path.join(place, "events"), "w", encoding="utf-8") as file:
            file.write(story)
        complaint += f" (what is left of it is kept in {place})"
    shutil.rmtree(store)
    return complaint, under_way


def run(arguments, folder):
    plan = crash_runs.Plan(arguments.program, seed=arguments.seed, level=arguments.level, lanes=1)
    counts = count_calls(plan, arguments.faults, folder, arguments.steps)
    chosen = kills(counts, arguments.most)
    if arguments.only:
        kind, action, number = arguments.only.split(",")
        chosen = [(kind, action, int(number))]
    moments = collections.Counter()
    failures = 0
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as runs:
        for kill, (complaint, moment) in zip(chosen, runs.map(lambda one: kill_at(arguments, plan, folder, one), chosen)):
            moments[moment] += 1
            if complaint:
                failures += 1
                name = ",".join(map(str, kill))
                print(f"FAILED {name} during {moment}: {complaint}")
                print(f"  again: {crash_runs.own_command()} --only {name}")
    print(f"seed {arguments.seed}: {len(chosen)} kills, each followed by {arguments.recoveries} killed recoveries,"
          f" {failures} failures")
    print("  calls:", ", ".join(f"{kind} {counts[kind]}" for kind in KINDS))
    print("  during:", ", ".join(f"{name} {count}" for name, count in sorted(moments.items())))
    return 1 if failures else 0


def main():
    parser = argparse.ArgumentParser(description="a writer that is killed at each call")
    parser.add_argument("program")
    parser.add_argument("faults")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--level", default="each_commit")
    parser.add_argument("--most", type=int, default=100, help="calls of a kind; 0: all")
    parser.add_argument("--recoveries", type=int, default=0, help="so many recoveries are killed, too")
    parser.add_argument("--only", metavar="KIND,ACTION,NUMBER")
    arguments = parser.parse_args()
    folder = crash_runs.scratch_folder()
    try:
        return run(arguments, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
