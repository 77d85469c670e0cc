#!/usr/bin/env python3
# tests/collection/kill_loop.py — kills a writer at random moments, again and again, and judges what it left.
"""Lets crash_program write to one store, kills it with SIGKILL, checks the store, and goes on from where it stands.

  kill_loop.py PROGRAM [--kills 200] [--seed 1] [--lanes 3] [--level each_commit] [--longest 0.01]
  kill_loop.py PROGRAM --builds 10     kills while graphs are linked, lists trained and large segments written
  kill_loop.py PROGRAM --runs 10       lets it be, on a store a run: writers, sealing, merges and snapshots get on
  kill_loop.py PROGRAM --signals 20    asks it to end by SIGTERM or SIGINT: it must close, and lose nothing at any level

It is killed within LONGEST seconds of its first step. Every other kill then falls wherever it is; the rest wait for a
certain act to begin, each in turn.
"""
import argparse
import collections
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import time

import crash_runs

ENDLESS = 1_000_000_000  # steps
ACTS = ["insert", "upsert", "erase", "checkpoint", "compact", "reopen", "update", "refused"]
BUILDS = [(b" link\n", 0.06), (b" checkpoint\n", 0.25)]  # seconds from its beginning to the kill
LEVELS = ["each_commit", "interval", "on_checkpoint"]


class Running:
    """A writer that runs, and what it has said."""

    def __init__(self, plan, folder, **more):
        self.process = subprocess.Popen(plan.command("write", folder, steps=ENDLESS, **more), stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)
        self.output = b""

    def listen(self, seconds, wanted=None):
        """Reads for so long, or until `wanted` was said."""
        patience = time.monotonic() + seconds
        while wanted is None or wanted not in self.output:
            rest = patience - time.monotonic()
            if rest <= 0 or not select.select([self.process.stdout], [], [], rest)[0]:
                return
            piece = os.read(self.process.stdout.fileno(), 1 << 16)
            if not piece:
                return
            self.output += piece

    def end(self, number):
        """Sends a signal; returns what was said in all."""
        self.process.send_signal(number)
        rest, errors = self.process.communicate(timeout=crash_runs.PATIENCE)
        expected = -signal.SIGKILL if number == signal.SIGKILL else 0
        if self.process.returncode != expected:
            raise RuntimeError(f"the writer ended with {self.process.returncode}, not {expected}: {errors.decode()}")
        return crash_runs.whole_lines(self.output + rest)


def kill_once(plan, folder, positions, rng, longest, wanted):
    """Runs the writer after `positions` and kills it, soon after it begins the act `wanted` unless that is None."""
    writer = Running(plan, folder, **{"from": positions})
    writer.listen(5, b"begin")
    writer.listen(rng.uniform(0, longest))
    if wanted is not None:
        writer.output, said = b"", writer.output
        writer.listen(1, f" {wanted}\n".encode())
        writer.output = said + writer.output
        time.sleep(rng.choice([0, rng.uniform(0, 0.0005)]))
    return writer.end(signal.SIGKILL)


def complain(arguments, folder, story, what):
    print(f"FAILED {what}")
    place = crash_runs.keep(folder, f"kill_loop-{arguments.level}-{arguments.seed}")
    with open(os.path.join(place, "events"), "w", encoding="utf-8") as file:
        file.write(story)
    print(f"  the store and the events of the run are kept in {place}; again: {crash_runs.own_command()}")
    return 1


def kill_growing(arguments, plan, folder, rng):
    """One store, killed again and again."""
    moments = collections.Counter()
    positions = ",".join(["0"] * arguments.lanes)
    for kill in range(arguments.kills):
        wanted = ACTS[kill // 2 % len(ACTS)] if kill % 2 == 1 else None
        story = kill_once(plan, folder, positions, rng, arguments.longest, wanted)
        under_way = crash_runs.act_under_way(story)
        moments[under_way] += 1
        before = positions
        complaint, positions = plan.judge(folder, story, **{"from": before})
        if complaint:
            return complain(arguments, folder, story, f"kill {kill + 1}, during {under_way}, after {before}: {complaint}")
    print(f"{arguments.level}, seed {arguments.seed}: {arguments.kills} kills, nothing lost; the lanes stand at {positions}")
    print("  during:", ", ".join(f"{name} {count}" for name, count in sorted(moments.items())))
    return 0


def kill_builds(arguments, plan, folder, rng):
    """A store for each kill, of some thousand records that are being linked."""
    moments = collections.Counter()
    plan.values.update(load=3000 // arguments.lanes, capacity=4096, log_kib=1 << 20)
    for number in range(arguments.builds):
        store = os.path.join(folder, str(number))
        os.mkdir(store)
        writer = Running(plan, store)
        act, longest = BUILDS[number % 2]
        writer.listen(60, act)
        writer.listen(rng.uniform(0, longest))
        story = writer.end(signal.SIGKILL)
        moments[crash_runs.act_under_way(story)] += 1
        complaint, _ = plan.judge(store, story)
        if complaint:
            return complain(arguments, store, story, f"build {number + 1}: {complaint}")
        shutil.rmtree(store)
    print(f"seed {arguments.seed}: {arguments.builds} kills while indexes were built, nothing lost")
    print("  during:", ", ".join(f"{name} {count}" for name, count in sorted(moments.items())))
    if not moments["link"] or not moments["checkpoint"]:
        print("  no kill fell into both: the run proves nothing")
        return 1
    return 0


def leave_alone(arguments, plan, folder, _):
    """Runs that end by themselves, each of another seed."""
    for number in range(arguments.runs):
        plan.values["seed"] = arguments.seed + number
        store = os.path.join(folder, str(number))
        os.mkdir(store)
        code, story, complaint = plan.run("write", store, steps=200)
        if code == 0:
            complaint, _ = plan.judge(store, story)
        if complaint:
            return complain(arguments, store, story, f"seed {plan.values['seed']}, exit code {code}: {complaint}")
        shutil.rmtree(store)
    print(f"seeds {arguments.seed} to {plan.values['seed']}: {arguments.runs} runs, nothing lost")
    return 0


def end_in_order(arguments, plan, folder, rng):
    """Each level; a close syncs, so that even a power cut afterwards takes nothing away."""
    for number in range(arguments.signals):
        plan.values["level"] = LEVELS[number % len(LEVELS)]
        store = os.path.join(folder, str(number))
        os.mkdir(store)
        writer = Running(plan, store)
        writer.listen(5, b"begin")
        writer.listen(rng.uniform(0, arguments.longest))
        story = writer.end(rng.choice([signal.SIGTERM, signal.SIGINT]))
        complaint, positions = plan.judge(store, story, loss="power")
        if not complaint and not story.endswith("closed\n"):
            complaint = "it did not close"
        if not complaint and crash_runs.is_behind(positions, story):
            complaint = f"it stands at {positions}"
        if complaint:
            return complain(arguments, store, story, f"signal {number + 1}: {complaint}")
        shutil.rmtree(store)
    print(f"seed {arguments.seed}: {arguments.signals} signals, each time closed in order")
    return 0


def main():
    parser = argparse.ArgumentParser(description="a writer that is killed")
    parser.add_argument("program")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--builds", type=int, default=0, help="instead: so many kills while indexes are built")
    parser.add_argument("--runs", type=int, default=0, help="instead: so many runs that nothing ends")
    parser.add_argument("--signals", type=int, default=0, help="instead: so many signals that ask it to end")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lanes", type=int, default=3)
    parser.add_argument("--level", default="each_commit", choices=LEVELS)
    parser.add_argument("--longest", type=float, default=0.01, help="seconds from the first step to the kill")
    arguments = parser.parse_args()
    folder = crash_runs.scratch_folder()
    plan = crash_runs.Plan(arguments.program, seed=arguments.seed, level=arguments.level, lanes=arguments.lanes)
    rng = random.Random(arguments.seed)
    others = [(arguments.runs, leave_alone), (arguments.builds, kill_builds), (arguments.signals, end_in_order)]
    act = next((act for wanted, act in others if wanted), kill_growing)
    try:
        return act(arguments, plan, folder, rng)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
