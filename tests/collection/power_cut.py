#!/usr/bin/env python3
# tests/collection/power_cut.py — cuts the power at random moments of a recorded run and judges what the disk holds.
"""Records crash_program with power_recorder, then builds many disks that a power cut may have left and checks each.

  power_cut.py PROGRAM RECORDER [--level each_commit] [--points 300] [--steps 100] [--lanes 3] [--seed 1]
  power_cut.py ... --phase creating   cuts in this phase only (power_phases.py)
  power_cut.py ... --load 9000        inserts and erases so many records first, whose pages compact() gives back
  power_cut.py ... --recoveries 10    lets the store recover after each cut, and cuts that short too, so many times
  power_cut.py ... --self-test        takes syncs out of the record and expects the judge to complain
  power_cut.py ... --trace FILE --only POINT [--keep FOLDER]     does one point of an earlier run again

Half of the points lie anywhere. The others are dealt out to the phases, each of which must get its share: a run that
never gets into one of them proves nothing about it and fails. power_disk.py says what a disk may hold.

Threads make each run another; so the trace of a run in which something failed is kept, and the command that repeats it
is printed.
"""
import argparse
import collections
import concurrent.futures
import os
import pathlib
import random
import shutil
import subprocess
import sys

import crash_runs
from power_disk import MANNERS, Directory, Disk, File, Survivor, check_recorder, loaded, read_trace
from power_phases import PHASES, phases_of, thread_phases



def victims(records):
    """The syncs that the self-test takes out, by name: true for the ones that never were."""
    doing = thread_phases(records)
    found = {part: lambda _, path, node, part=part: part in path and isinstance(node, File)
             for part in ("/log/", "/forward/", ".rows", ".graph", "/keys", "/IDENTITY")}
    for phase in ("sealing", "merging"):
        found[phase] = lambda record, path, _, phase=phase: "/segments/" in path and doing[record.number] == phase
    found["directories"] = lambda _record, _path, node: isinstance(node, Directory)
    return found


def record(arguments, command, root, trace):
    """Runs a command under the recorder, as far as it changes what lies under `root`."""
    environment = dict(os.environ, LD_PRELOAD=arguments.recorder, KITH_RECORD_DIRECTORY=root, KITH_RECORD_TRACE=trace)
    done = subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                          timeout=crash_runs.PATIENCE)
    if done.returncode != 0:
        raise RuntimeError(f"{command[1]} ended with {done.returncode}: {done.stderr.strip()}")


def record_run(arguments, plan, folder):
    """Runs the program; returns the directory it wrote to and the trace."""
    root = os.path.join(folder, "run")
    trace = os.path.join(folder, "trace")
    if arguments.trace:
        with open(arguments.trace + ".root", encoding="utf-8") as file:
            return file.read(), read_trace(arguments.trace)
    os.mkdir(root)
    record(arguments, plan.command("write", root, steps=arguments.steps), root, trace)
    records = read_trace(trace)
    check_recorder(root, records, folder)
    return root, records


def choose_points(arguments, phases):
    """(position, point) pairs in order of position: the cut comes before the record at that position."""
    places = {phase: [at for at, now in enumerate(phases) if phase in now] for phase in PHASES}
    if arguments.phase is not None:
        places = {arguments.phase: places[arguments.phase]}
    reached = [phase for phase in places if places[phase]]
    chosen = []
    for point in range(arguments.points):
        rng = random.Random(f"position {arguments.seed} {point}")
        if point % 2 == 0 and arguments.phase is None:
            position = rng.randrange(len(phases))
        else:
            position = rng.choice(places[reached[point // 2 % len(reached)]])
        chosen.append((position, point))
    return sorted(chosen)


class Outcome:
    def __init__(self):
        self.manners = collections.Counter()
        self.phases = collections.Counter()
        self.syncs = 0          # of the log, that had covered something when the power went
        self.behind = 0         # lost something that had been acknowledged
        self.failures = []


def recover_and_cut(arguments, plan, image, rng, folder):
    """Lets the store recover and cuts the power meanwhile, again and again; returns the last disk."""
    for number in range(arguments.recoveries):
        before = loaded(pathlib.Path(image))
        trace = f"{folder}-trace"
        record(arguments, plan.command("recover", image), image, trace)
        records = read_trace(trace)
        disk = Disk(image, top=before)
        for one in records[:rng.randrange(len(records) + 1)]:
            disk.apply(one)
        shutil.rmtree(image)
        image = f"{folder}-{number}"
        Survivor(disk, rng, rng.choice(MANNERS)).write(image)
    return image


def judge_point(arguments, plan, image, story, rng):
    """(complaint, positions) of one disk."""
    if arguments.recoveries == 0:
        return plan.judge(image, story, loss="power")
    shutil.copytree(image, f"{image}-first")
    complaint, first = plan.judge(f"{image}-first", story, loss="power")
    shutil.rmtree(f"{image}-first")
    if complaint:
        return complaint, first
    image = recover_and_cut(arguments, plan, image, rng, f"{image}-again")
    complaint, last = plan.judge(image, story, loss="power")
    shutil.rmtree(image)
    if complaint:
        return f"after {arguments.recoveries} recoveries that were cut short: {complaint}", last
    return "" if first == last else f"recoveries that were cut short took it from {first} to {last}", last


def cut_power(arguments, plan, folder, root, records, ignores=None):
    """Builds the disk of every point and has it judged."""
    outcome = Outcome()
    disk = Disk(root, ignores)
    phases = phases_of(records)
    position = 0

    def judged(point, manner, image, story, now):
        complaint, positions = judge_point(arguments, plan, image, story, random.Random(f"again {arguments.seed} {point}"))
        if complaint:
            moment = ", ".join(sorted(now)) or "writing"
            outcome.failures.append((point, f"point {point}, {manner}, during {moment}: {complaint}"))
        else:
            outcome.behind += crash_runs.is_behind(positions, story)
        shutil.rmtree(image, ignore_errors=True)

    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as judges:
        waiting = []
        for cut, point in choose_points(arguments, phases):
            while position < cut:
                disk.apply(records[position])
                position += 1
            if arguments.only is not None and point != arguments.only:
                continue
            rng = random.Random(f"disk {arguments.seed} {point}")
            manner = rng.choice(MANNERS)
            image = os.path.join(folder, str(point))
            Survivor(disk, rng, manner).write(image)
            if arguments.keep and arguments.only is not None:
                shutil.copytree(image, arguments.keep)  # before the judge changes it
                pathlib.Path(arguments.keep, "events").write_text(disk.story(), encoding="utf-8")
            outcome.manners[manner] += 1
            outcome.phases.update(phases[cut])
            outcome.syncs += disk.synced > 0
            waiting.append(judges.submit(judged, point, manner, image, disk.story(), phases[cut]))
            while len(waiting) > 4:
                waiting.pop(0).result()
        for one in waiting:
            one.result()
    return outcome


def self_test(arguments, plan, folder, root, records):
    """Every kind of sync is needed: were one of them not made, the judge would find out."""
    unnoticed = []
    for victim, ignores in victims(records).items():
        failures = cut_power(arguments, plan, folder, root, records, ignores).failures
        print(f"without syncs of {victim}: {len(failures)} of {arguments.points} disks are refused")
        if not failures:
            unnoticed.append(victim)
    return 1 if unnoticed else 0


def missing_phases(arguments, outcome):
    """The phases that got too few points, with how many; none where one phase alone was asked for."""
    if arguments.phase is not None or arguments.only is not None:
        return []
    wanted = arguments.points // (4 * len(PHASES))
    expected = [phase for phase in PHASES if arguments.load or phase != "exchanging"]  # of some megabytes
    return [f"{phase} {outcome.phases[phase]}" for phase in expected if outcome.phases[phase] < wanted]


def run(arguments, folder):
    plan = crash_runs.Plan(arguments.program, seed=arguments.seed, level=arguments.level, lanes=arguments.lanes)
    if arguments.load:
        plan.values.update(load=arguments.load // arguments.lanes, capacity=4096)
    root, records = record_run(arguments, plan, folder)
    if arguments.self_test:
        return self_test(arguments, plan, folder, root, records)
    outcome = cut_power(arguments, plan, folder, root, records)
    print(f"{arguments.level}, seed {arguments.seed}: {len(records)} changes recorded,"
          f" {sum(outcome.manners.values())} power cuts, {len(outcome.failures)} failures")
    for title, counts in (("by manner", outcome.manners), ("during", outcome.phases)):
        print(f"  {title}:", ", ".join(f"{name} {count}" for name, count in sorted(counts.items())))
    print(f"  after a sync of the log: {outcome.syncs}; acknowledged and gone, as the level allows: {outcome.behind}")
    if outcome.failures:
        trace = arguments.trace or crash_runs.keep(os.path.join(folder, "trace"),
                                                   f"power_cut-{arguments.level}-{arguments.seed}.trace")
        pathlib.Path(trace + ".root").write_text(root, encoding="utf-8")
        for point, failure in outcome.failures:
            print("  FAILED", failure)
        print(f"  again: {crash_runs.own_command()} --trace {trace} --only {outcome.failures[0][0]}")
    missing = missing_phases(arguments, outcome)
    if missing:
        print("  too few points during:", ", ".join(missing))
    if arguments.level != "each_commit" and arguments.points >= 100 and not (outcome.behind and outcome.syncs):
        print("  no disk lost what the level may lose: the run proves nothing about it")
        return 1
    return 1 if outcome.failures or missing else 0


def main():
    parser = argparse.ArgumentParser(description="power cuts in a recorded run")
    parser.add_argument("program")
    parser.add_argument("recorder")
    parser.add_argument("--level", default="each_commit", choices=["each_commit", "interval", "on_checkpoint"])
    parser.add_argument("--points", type=int, default=300)
    parser.add_argument("--steps", type=int, default=100, help="of each lane")
    parser.add_argument("--lanes", type=int, default=3)
    parser.add_argument("--load", type=int, default=0, help="records that are inserted first, and erased again")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--phase", choices=PHASES, help="cut in this phase only")
    parser.add_argument("--recoveries", type=int, default=0, help="so many recoveries that are cut short, each cut")
    parser.add_argument("--trace", help="of an earlier run, instead of a new one")
    parser.add_argument("--only", type=int, help="build and judge this point alone")
    parser.add_argument("--keep", metavar="FOLDER", help="with --only: keep the disk there as it was built")
    parser.add_argument("--self-test", action="store_true", help="prove that missing syncs are noticed")
    arguments = parser.parse_args()
    folder = crash_runs.scratch_folder()
    try:
        return run(arguments, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
