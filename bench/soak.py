"""Memory of a long-running service: post pictures, four at a time, and print VmRSS and the answers by code.

python3 bench/soak.py target/release/kahao PICTURE_FOLDER... --count 1000

Starts `kahao serve` on a free port with a database of its own; uses the key of its first start. The folders hold pictures
of any format and size, for example by `kahao-synth draw`. Needs Linux (/proc) and nothing but the standard library.
"""

import argparse
import base64
import collections
import concurrent.futures
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
REPORT_AFTER = (100, 500, 1000)
AT_ONCE = 4


def pictures_in(folders: list[Path]) -> list[Path]:
    found = sorted(p for folder in folders for p in folder.rglob("*") if p.suffix.lower() in ENDINGS)
    if not found:
        sys.exit("soak: there is no picture in the folders named")
    # Large and small ones in turn, as callers send them: not all of one folder first.
    return sorted(found, key=lambda path: (path.stem, path.suffix, str(path)))


def start(binary: Path, folder: str) -> tuple[subprocess.Popen, str, str]:
    """The process, its URL and the AppCode of its greeting."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("KAHAO_")}
    command = [str(binary.resolve()), "serve", "--listen", "127.0.0.1:0", "--log-format", "json"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(command, cwd=folder, env=clean, text=True, **pipes)
    address = appcode = None
    for line in process.stderr:
        entry = json.loads(line)
        if entry.get("message") == "listening":
            address = entry["address"]
            break
    for line in process.stdout:
        if match := re.match(r"\s*AppCode\s+(\S+)", line):
            appcode = match[1]
            break
    if not address or not appcode:
        process.kill()
        sys.exit("soak: the service did not start or greeted without an AppCode")
    for pipe in (process.stderr, process.stdout):
        # A full pipe would stop the service.
        threading.Thread(target=lambda pipe=pipe: collections.deque(pipe, maxlen=0), daemon=True).start()
    return process, f"http://{address}/api/bank_card_ocr/v1", appcode


def memory_mb(pid: int, field: str = "VmRSS") -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) / 1024
    raise ValueError(f"/proc tells no {field}")


# No proxy of the machine between here and 127.0.0.1.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def post(url: str, appcode: str, picture: Path) -> str:
    """The answer's HTTP status, or why there is none."""
    body = json.dumps({"image_base64": base64.b64encode(picture.read_bytes()).decode()}).encode()
    headers = {"Authorization": f"APPCODE {appcode}", "Content-Type": "application/json"}
    try:
        with OPENER.open(urllib.request.Request(url, body, headers), timeout=120) as answer:
            return str(json.load(answer)["code"])
    except urllib.error.HTTPError as error:
        return str(error.code)
    except OSError as error:
        return type(error).__name__


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", type=Path, help="the kahao binary")
    parser.add_argument("folders", type=Path, nargs="+", help="folders with pictures")
    parser.add_argument("--count", type=int, default=1000, help="requests (default: %(default)s)")
    parser.add_argument("--max-mb", type=float, default=300, help="fail above this VmRSS (default: %(default)s)")
    args = parser.parse_args()

    pictures = pictures_in(args.folders)
    codes = collections.Counter()
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        process, url, appcode = start(args.binary, folder)
        try:
            print(f"{len(pictures)} pictures, {args.count} requests, {AT_ONCE} at a time")
            print(f"VmRSS at start {memory_mb(process.pid):.0f} MB", flush=True)
            began = time.monotonic()
            with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
                jobs = (pictures[i % len(pictures)] for i in range(args.count))
                for done, code in enumerate(pool.map(lambda p: post(url, appcode, p), jobs), 1):
                    codes[code] += 1
                    if done in REPORT_AFTER or done == args.count:
                        now = memory_mb(process.pid)
                        worst = max(worst, now)
                        print(f"VmRSS after {done} {now:.0f} MB", flush=True)
            seconds = time.monotonic() - began
            print(f"peak (VmHWM) {memory_mb(process.pid, 'VmHWM'):.0f} MB, {args.count / seconds:.1f} requests/s")
            print("answers " + ", ".join(f"{code}: {count}" for code, count in sorted(codes.items())))
        finally:
            process.terminate()
            process.wait(30)
    if worst > args.max_mb:
        sys.exit(f"soak: VmRSS rose to {worst:.0f} MB, more than {args.max_mb:.0f} MB")


if __name__ == "__main__":
    main()
