"""Faults of an SQLite store under load: kill -9, and a disk without room.

    unshare -nm sh -c 'ip link set lo up; exec python3 bench/store_faults.py KAHAO'

KAHAO is the binary. The full disk is a tmpfs of 1 MB that root mounts in its own mount namespace; without the right to do
so that part is left out, and said.
"""

import argparse
import collections
import shutil
import signal
import subprocess
import time

from replicas import Load, check, post_number, post_picture
from stack import Stack, ask, keys, wait_for


def usage(binary, database, name):
    total = collections.Counter()
    for line in keys(binary, database, "usage", "--name", name):
        total.update({outcome: calls for outcome, calls in line.items() if isinstance(calls, int)})
    return total


def start(service):
    service.start()
    wait_for(service.name, lambda: ask(service.port, "/health/ready", method="GET")[0] == 200, 60)


def kill_under_load(stack, binary):
    database = f"sqlite://{stack.folder}/killed.db"
    key = keys(binary, database, "create", "--name", "till", "--quota", "1000000")[0]
    service = stack.kahao(binary, "killed", database)
    start(service)
    times = 3
    last_second, gone = 0, []
    with Load(2, lambda: post_picture(service.port, key)) as load:
        for _ in range(times):
            time.sleep(3)
            service.stop(signal.SIGKILL)
            killed_at = time.monotonic()
            last_second += sum(status == 200 and killed_at - 1.2 <= at <= killed_at for at, status in list(load.answers))
            start(service)
        time.sleep(1)
    time.sleep(2.5)
    statuses = load.statuses()
    counted = usage(binary, database, "till")["no_card"]
    left = keys(binary, database, "list")[0]["remaining_calls"]
    gone = 1_000_000 - left - statuses[200]
    check(
        set(statuses) <= {0, 200}, f"{times} times kill -9 under load: {statuses[200]} answers, {statuses[0]} refused connections"
    )
    check(statuses[200] - counted <= last_second, f"{counted} counted; {last_second} came in the last seconds before the kills")
    check(0 <= gone <= 32 * times + 2 * times, f"{gone} calls more than answered are off the quota; a lease is 32")
    service.stop()


def full_disk(stack, binary):
    disk = stack.folder / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True).returncode:
        print("-- not run: a full disk: no right to mount a tmpfs")
        return
    database = f"sqlite://{disk}/full.db"
    plain = keys(binary, database, "create", "--name", "plain")[0]
    prepaid = keys(binary, database, "create", "--name", "prepaid", "--quota", "20")[0]
    service = stack.kahao(binary, "full", database)
    start(service)
    try:
        post_number(service.port, plain)
        with Load(2, lambda: post_number(service.port, plain)) as load:
            filler = disk / "filler"
            with filler.open("wb", buffering=0) as file:
                try:
                    while True:
                        file.write(b"\0" * 4096)
                except OSError:
                    pass
            # The log of SQLite has some room of its own, which the usage of each second fills.
            said = b"usage could not be written yet"
            wait_for("a write that fails", lambda: said in service.log.read_bytes(), 60)
            answers = collections.Counter()
            for _ in range(10):
                status, headers, _ = post_picture(service.port, prepaid)
                answers[status, headers.get("Retry-After")] += 1
            room = shutil.disk_usage(disk).free
            time.sleep(3)
            filler.unlink()
            began = time.monotonic()
            wait_for("an answer", lambda: post_picture(service.port, prepaid)[0] == 200, 10)
            back_s = time.monotonic() - began
        time.sleep(2.5)
        statuses, counted = load.statuses(), usage(binary, database, "plain")["looked_up"]
        check(not service.is_dead() and set(statuses) == {200}, f"{room} bytes of room, a key without a quota: {dict(statuses)}")
        check(set(answers) == {(503, "1")}, f"a key with a quota: {dict(answers)}")
        check(back_s < 3, f"answered {back_s:.1f} s after there was room again")
        check(counted >= statuses[200], f"usage of the time is not lost: {statuses[200]} answers, {counted} counted")
    finally:
        service.stop()
        subprocess.run(["umount", disk], check=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("kahao")
    binary = parser.parse_args().kahao
    with Stack() as stack:
        kill_under_load(stack, binary)
        full_disk(stack, binary)


if __name__ == "__main__":
    main()
