"""Memory and open files of a long-running service: post pictures, four at a time, and print both with the answers by code.

python3 bench/soak.py target/release/kahao PICTURE_FOLDER... --count 20000

The folders hold pictures of any format and size (`kahao-synth draw`, bench/mixed.py). Fails when resident memory rises to
more than 5 % above its most in the first 2,000 requests, or more files are open at the end than ever in them. Runs where only
loopback exists; needs Linux and nothing but the standard library. The service gets the allocator's settings that the image and
the systemd unit give it, unless others are set here.
"""

import argparse
import base64
import collections
import concurrent.futures
import json
import os
import sys
import time
from pathlib import Path

import service

AT_ONCE = 4
SETTLED_AFTER = 2000
MAY_GROW = 1.05


def body(picture: Path) -> bytes:
    return json.dumps({"image_base64": base64.b64encode(picture.read_bytes()).decode()}).encode()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", type=Path, help="the kahao binary")
    parser.add_argument("folders", type=Path, nargs="+", help="folders with pictures")
    parser.add_argument("--count", type=int, default=20000, help="requests (default: %(default)s)")
    args = parser.parse_args()

    pictures = service.pictures_in(args.folders)
    bodies = [body(picture) for picture in pictures]
    codes = collections.Counter()
    settled = 0.0
    worst = 0.0
    open_files = 0
    os.environ.setdefault("MALLOC_MMAP_THRESHOLD_", "1000000")
    os.environ.setdefault("MALLOC_TRIM_THRESHOLD_", "4000000")
    os.environ.setdefault("MALLOC_ARENA_MAX", "2")
    service.alone()
    with service.running(args.binary) as served:
        formats = collections.Counter(p.suffix.lower().lstrip(".") for p in pictures)
        print(f"{len(pictures)} pictures {dict(formats)}, {args.count} requests, {AT_ONCE} at a time")
        print(f"VmRSS at start {served.memory_mb():.0f} MB", flush=True)
        began = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            for first in range(0, args.count, 500):
                jobs = (bodies[i % len(bodies)] for i in range(first, min(first + 500, args.count)))
                # Each block ends before the next begins, so that memory is looked at in the same state each time.
                codes.update(pool.map(served.post, jobs))
                # Connections that a client has closed are let go a moment later.
                time.sleep(1)
                done, now, files = sum(codes.values()), served.memory_mb(), served.descriptors()
                if done <= SETTLED_AFTER:
                    settled, open_files = max(settled, now), max(open_files, files)
                worst = max(worst, now)
                if done % 2000 == 0 or done == args.count:
                    print(f"after {done}: VmRSS {now:.0f} MB, {files} files open", flush=True)
        seconds = time.monotonic() - began
        peak = served.memory_mb("VmHWM")
        print(f"peak (VmHWM) {peak:.0f} MB, {args.count / seconds:.1f} requests/s, {seconds:.0f} s")
        print("answers " + ", ".join(f"{code}: {count}" for code, count in sorted(codes.items())))
        print(f"VmRSS at most {settled:.0f} MB in the first {SETTLED_AFTER}, {worst:.0f} MB in all")
    if set(codes) != {"200"}:
        sys.exit("soak: not every request was answered")
    if args.count > SETTLED_AFTER and worst > settled * MAY_GROW:
        sys.exit(f"soak: VmRSS grew from {settled:.0f} to {worst:.0f} MB")
    if files > open_files:
        sys.exit(f"soak: {files} files are open at the end, at most {open_files} were in the first {SETTLED_AFTER}")


if __name__ == "__main__":
    main()
