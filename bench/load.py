"""A service under less and more load than it can bear: codes, times of the answered and of the refused, throughput.

python3 bench/load.py target/release/kahao PICTURE_FOLDER... --oha PATH
python3 bench/load.py target/debug/kahao PICTURE_FOLDER... --quick

With `oha` (cargo install oha) it measures: one client alone, as many as there are workers (that is the capacity), then
requests at a steady rate of 0.8, 1, 2 and 10 times the capacity, whatever becomes of them. It fails where below the capacity
something is refused, or above it a refusal is not a 429 within 50 ms, answered requests take three times the lone client's
99th percentile, or fewer are answered than at capacity. --quick needs no oha and looks at the codes alone: ten times as many
clients as workers for ten seconds. Runs where only loopback exists; the load comes from the same machine and takes its share
of it.
"""

import argparse
import base64
import collections
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import service

RATES = (0.8, 1, 2, 10)
REFUSED_WITHIN_MS = 50
SLOWER_AT_MOST = 3
THROUGHPUT_AT_LEAST = 0.9


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


class Run:
    """What became of the requests of one run: milliseconds by code, and seconds in all."""

    def __init__(self, rows: list[tuple[str, float]], seconds: float):
        self.codes = collections.Counter(code for code, _ in rows)
        self.answered = [ms for code, ms in rows if code == "200"]
        self.refused = [ms for code, ms in rows if code == "429"]
        self.rate = len(self.answered) / seconds

    def line(self) -> str:
        codes = ", ".join(f"{code}: {count}" for code, count in sorted(self.codes.items()))
        text = f"{codes}; {self.rate:.1f} answered/s; answered ms p50 {percentile(self.answered, 0.5):.0f}"
        text += f" p99 {percentile(self.answered, 0.99):.0f}"
        if self.refused:
            text += f"; refused ms p50 {percentile(self.refused, 0.5):.1f} p99 {percentile(self.refused, 0.99):.1f}"
        return text


def measure(oha: str, served: service.Service, bodies: Path, seconds: float, *flags: str) -> Run:
    command = [oha, "--no-tui", "--output-format", "csv", "-z", f"{seconds}s", "-w", "-m", "POST"]
    command += ["-H", f"Authorization: APPCODE {served.appcode}", "-T", "application/json", "-Z", str(bodies)]
    output = subprocess.run([*command, *flags, served.address + service.PATH], capture_output=True, text=True)
    if output.returncode:
        sys.exit(f"load: oha failed: {output.stderr}")
    rows = list(csv.DictReader(output.stdout.splitlines()))
    return Run([(row["status"], float(row["request-duration"]) * 1000) for row in rows], seconds)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", type=Path, help="the kahao binary")
    parser.add_argument("folders", type=Path, nargs="+", help="folders with pictures")
    parser.add_argument("--oha", default="oha", help="the load generator (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=30, help="of each run (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="ten seconds, codes alone, without oha")
    args = parser.parse_args()

    pictures = service.pictures_in(args.folders)
    bodies = [json.dumps({"image_base64": base64.b64encode(p.read_bytes()).decode()}) for p in pictures]
    workers = len(os.sched_getaffinity(0))
    faults = []

    def expect(holds: bool, fault: str):
        if not holds:
            faults.append(fault)
            print(f"   FAULT: {fault}", flush=True)

    service.alone()
    with service.running(args.binary, "--workers", str(workers)) as served, tempfile.TemporaryDirectory() as folder:
        if args.quick:
            run = Run(served.ask([body.encode() for body in bodies], 10 * workers, 10), 10)
            print(f"{10 * workers} clients for {workers} workers: {run.line()}")
            expect(set(run.codes) <= {"200", "429"}, f"only 200 and 429 are expected, not {dict(run.codes)}")
            expect(run.answered and run.refused, "some are answered and some refused")
        else:
            file = Path(folder) / "bodies"
            file.write_text("\n".join(bodies) + "\n")
            print(f"{len(bodies)} pictures, {workers} workers, {args.seconds:g} s each", flush=True)
            measure(args.oha, served, file, 3, "-c", "1")
            lone = measure(args.oha, served, file, args.seconds, "-c", "1")
            print(f"one client: {lone.line()}", flush=True)
            capacity = measure(args.oha, served, file, args.seconds, "-c", str(workers))
            print(f"{workers} clients: {capacity.line()}", flush=True)
            expect(set(capacity.codes) == {"200"}, "at capacity every request is answered")
            limit = SLOWER_AT_MOST * percentile(lone.answered, 0.99)
            for times in RATES:
                rate = times * capacity.rate
                run = measure(args.oha, served, file, args.seconds, "-c", "256", "-q", f"{rate:.0f}")
                print(f"{times} x capacity, {rate:.0f}/s: {run.line()}", flush=True)
                p99 = percentile(run.answered, 0.99)
                expect(p99 < limit, f"p99 of answered {p99:.0f} ms, {SLOWER_AT_MOST} x alone is {limit:.0f} ms")
                if times < 1:
                    expect(set(run.codes) == {"200"}, "below capacity every request is answered")
                else:
                    expect(set(run.codes) <= {"200", "429"}, f"only 200 and 429, not {dict(run.codes)}")
                    slow = percentile(run.refused, 0.99) if run.refused else 0
                    expect(slow < REFUSED_WITHIN_MS, f"p99 of refused {slow:.0f} ms")
                    least = THROUGHPUT_AT_LEAST * capacity.rate
                    expect(run.rate >= least, f"{run.rate:.1f} answered/s, at least {least:.1f} expected")
        time.sleep(1)
        expect(served.post(bodies[0].encode()) == "200", "afterwards it answers as before")
        expect(served.metric("kahao_panics_total") == 0, "nothing panicked")
        print(f"refused by a full queue {served.metric('kahao_refusals_total'):.0f}, VmRSS {served.memory_mb():.0f} MB")
    if faults:
        sys.exit(f"load: {len(faults)} expectations failed")


if __name__ == "__main__":
    main()
