#!/usr/bin/env python3
# tests/collection/crash_runs.py — what the scripts that stop crash_program have in common.
"""A Plan is what all runs of one store share; story is what a run said; judge asks whether the store is as it may be."""
import os
import shlex
import shutil
import subprocess
import sys
import tempfile

PATIENCE = 120  # seconds until a judge or a run counts as stuck


def scratch_folder():
    """A folder in memory, where syncs cost nothing: what the kernel took survives a killed process on any disk."""
    return tempfile.mkdtemp(prefix="kith-crash-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)


def faults(library, folder, calls, **more):
    """The environment in which call_faults.c counts `calls` below `folder`: FIRST, LAST, ACTION, LIST as it knows them."""
    named = {f"KITH_FAULT_{name}": str(value) for name, value in more.items()}
    return {"LD_PRELOAD": library, "KITH_FAULT_DIRECTORY": folder, "KITH_FAULT_CALLS": calls, **named}


class Plan:
    """Names and values of crash_program that its writer and its judge must agree on."""

    def __init__(self, program, **values):
        self.program = program
        self.values = values

    def command(self, verb, folder, **more):
        return [self.program, verb, folder] + [f"{name}={value}" for name, value in {**self.values, **more}.items()]

    def run(self, verb, folder, environment=None, **more):
        """(exit code, what it said, its complaint); the code is that of subprocess, negative after a signal."""
        done = subprocess.run(self.command(verb, folder, **more), env={**os.environ, **(environment or {})},
                              capture_output=True, timeout=PATIENCE, check=False)
        return done.returncode, whole_lines(done.stdout), done.stderr.decode().strip()

    def judge(self, folder, story, **more):
        """(complaint, positions): the complaint is empty where the store is in a state that it may be in."""
        try:
            done = subprocess.run(self.command("check", folder, **more), input=story, capture_output=True, text=True,
                                  timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            return "the judge did not end", None
        if done.returncode != 0:
            return f"exit code {done.returncode}: {done.stderr.strip()}", None
        return "", done.stdout.strip()


def is_behind(positions, story):
    """Whether the store lacks a step that was acknowledged."""
    done = {}
    for line in story.splitlines():
        word, *rest = line.split()
        if word == "done":
            done[int(rest[0])] = int(rest[1])
    return any(position < done.get(lane, 0) for lane, position in enumerate(map(int, positions.split(","))))


def act_under_way(story):
    """What the run was at when it stopped saying anything: one act, for several lanes the one begun last."""
    acts = {}
    last = "opening"
    for line in story.splitlines():
        word, *rest = line.split()
        if word == "begin":
            acts[rest[0]] = rest[2]
        elif word in ("done", "failed", "skipped"):
            acts.pop(rest[0], None)
        elif word != "fault":
            last = word
    return list(acts.values())[-1] if acts else {"opened": "between steps"}.get(last, last)


def whole_lines(output):
    """What was said, without half a line at the end."""
    text = output.decode()
    return text[:text.rfind("\n") + 1]


def keep(path, name):
    """Saves a file or folder for whoever looks into a failure, and returns where."""
    folder = os.environ.get("KITH_CRASH_KEEP") or tempfile.gettempdir()
    os.makedirs(folder, exist_ok=True)
    target = os.path.join(folder, name)
    if os.path.isdir(path):
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(path, target)
    else:
        shutil.copyfile(path, target)
    return target


def own_command():
    """How this script was called, for a message that says how to do it again."""
    return shlex.join([os.path.basename(sys.executable), *sys.argv])
