#!/usr/bin/env python3
# tests/collection/kill_loop.py — kills a writer at random moments, again and again, and judges what it left.
"""Lets crash_program write to one store, kills it with SIGKILL, checks the store, and goes on from where it stands.

  kill_loop.py PROGRAM [--kills 200] [--seed 1] [--longest 0.02]

It is killed within LONGEST seconds of its first step. Every other kill then falls wherever it is, most often into a
checkpoint or an opening, which take the most time; the rest wait for a certain act to begin, each in turn.
"""
import argparse
import collections
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

LAST_STEP = 1_000_000
ACTS = [b"insert", b"upsert", b"erase", b"checkpoint"]


def scratch_folder():
    """What the kernel took survives a killed process on any file system; in memory is the fastest."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def kill_once(arguments, folder, first, rng, wanted):
    """Runs the writer from step `first` and kills it, soon after it begins the act `wanted` unless that is None.

    Returns the step acknowledged last and what was under way.
    """
    writer = subprocess.Popen([arguments.program, "write", folder, str(arguments.seed), str(first), str(LAST_STEP)],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    pipe = writer.stdout.fileno()
    output = os.read(pipe, 65536)
    time.sleep(rng.uniform(0, arguments.longest))
    if wanted is not None:
        output += os.read(pipe, 65536)
        patience = time.monotonic() + 1.0
        while time.monotonic() < patience:
            piece = os.read(pipe, 65536)
            output += piece
            if not piece or wanted in piece:
                break
        time.sleep(rng.choice([0, rng.uniform(0, 0.0005)]))
    writer.send_signal(signal.SIGKILL)
    rest, errors = writer.communicate()
    if writer.returncode != -signal.SIGKILL:
        raise RuntimeError(f"the writer ended by itself ({writer.returncode}): {errors.decode()}")
    acknowledged = first - 1
    under_way = "opening"
    for line in (output + rest).decode().split("\n")[:-1]:
        word, number, *act = line.split()  # "begin 7 insert" or "done 7"
        if word == "done":
            acknowledged = int(number)
        under_way = act[0] if word == "begin" else "between steps"
    return acknowledged, under_way


def main():
    parser = argparse.ArgumentParser(description="a writer that is killed")
    parser.add_argument("program")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--longest", type=float, default=0.02, help="seconds from the first step to the kill")
    arguments = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="kith-kill-loop-", dir=scratch_folder())
    rng = random.Random(arguments.seed)
    moments = collections.Counter()
    step = -1
    try:
        for kill in range(arguments.kills):
            wanted = ACTS[kill // 2 % len(ACTS)] if kill % 2 == 1 else None
            acknowledged, under_way = kill_once(arguments, folder, step + 1, rng, wanted)
            moments[under_way] += 1
            done = subprocess.run([arguments.program, "check", folder, str(arguments.seed), str(acknowledged)],
                                  capture_output=True, text=True, timeout=120)
            if done.returncode != 0:
                print(f"kill {kill + 1} with seed {arguments.seed}, during {under_way}, acknowledged {acknowledged}:"
                      f" exit code {done.returncode}: {done.stderr.strip()}")
                return 1
            step = int(done.stdout)
        print(f"seed {arguments.seed}: {arguments.kills} kills in {step} steps, nothing lost")
        print("  during:", ", ".join(f"{name} {count}" for name, count in sorted(moments.items())))
        return 0
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
