#!/usr/bin/env python3
"""Runs soak_program for MINUTES, killing it now and then, and fails when anything it takes up keeps growing.

    soak.py SOAK_PROGRAM MINUTES [--seed SEED]

A run lasts 60 seconds or is killed within; the next run checks every item first. Resident memory and open files are
compared within the runs, bytes on the disk over all of them: the second half may take up at most a quarter more than
the first, plus a little. That bound does not fit a run of less than a minute, whose numbers are printed all the same.
"""
import argparse
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

RUN_SECONDS = 60
WARM_SECONDS = 10  # of a run: before them caches and the first segments grow


def read_numbers(line):
    """`at 3 rss 5 files 6 …` as a dictionary."""
    words = line.split()
    return {name: int(value) for name, value in zip(words[::2], words[1::2])}


def run(program, folder, seed, history, seconds, kill_after):
    """One life of the program: (numbers of each second, its lines, whether it was killed)."""
    log = folder / "out"
    with open(log, "wb") as out:
        process = subprocess.Popen([program, folder / "data", str(seed), str(seconds)], stdin=subprocess.PIPE,
                                   stdout=out)
        try:
            process.stdin.write(history.encode())
            process.stdin.close()
        except BrokenPipeError:
            pass
        try:
            process.wait(timeout=kill_after if kill_after else seconds * 10 + 120)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
    text = log.read_text()
    lines = text[:text.rfind("\n") + 1].splitlines()
    for line in lines:
        if line.startswith("wrong:"):
            sys.exit(f"seed {seed}: {line}")
    if process.returncode not in (0, -signal.SIGKILL):
        sys.exit(f"seed {seed}: the program ended with {process.returncode}")
    writes = [line for line in lines if line.startswith(("try ", "ok "))]
    return [read_numbers(line) for line in lines if line.startswith("at ")], writes, process.returncode != 0


def grows(name, values, slack):
    """Whether the second half of `values` is above the first by more than a quarter and the slack."""
    half = len(values) // 2
    if half < 3:
        return False
    before, after = max(values[:half]), sorted(values[half:])[(len(values) - half) // 2]
    if after > before * 1.25 + slack:
        print(f"{name} grows: at most {before} in the first half, {after} in the middle of the second")
        return True
    return False


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("minutes", type=float)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    chance = random.Random(given.seed)
    bad = False
    kills = runs = 0
    writes = []
    disk = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        (folder / "data").mkdir()
        end = time.monotonic() + given.minutes * 60
        while time.monotonic() < end:
            seconds = max(2, min(RUN_SECONDS, int(end - time.monotonic())))
            kill_after = chance.uniform(0.3, seconds) if chance.random() < 0.8 else None
            numbers, lines, killed = run(given.program, folder, given.seed, "\n".join(writes) + "\n", seconds,
                                         kill_after)
            writes += lines
            runs += 1
            kills += killed
            warm = [at for at in numbers if at["at"] >= WARM_SECONDS]
            bad |= grows("resident memory", [at["rss"] for at in warm], 8 << 20)
            bad |= grows("open files", [at["files"] for at in warm], 4)
            disk += [at["disk"] for at in numbers]
        run(given.program, folder, given.seed, "\n".join(writes) + "\n", 1, None)
        bad |= grows("bytes on the disk", disk[WARM_SECONDS:], 8 << 20)
    done = sum(line.startswith("ok") for line in writes)
    print(f"{runs} runs, {kills} kills, {done} acknowledged writes; disk {min(disk)} to {max(disk)} bytes")
    return 1 if bad or done == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
