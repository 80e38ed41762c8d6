"""A service of a script's own, for load, soak and faults: started on a free port with a database of its own, where only
loopback exists, so that nothing of it can be reached from outside and nothing outside from it.
"""

import collections
import contextlib
import ctypes
import fcntl
import json
import os
import re
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
PATH = "/api/bank_card_ocr/v1"
# No proxy of the machine between here and 127.0.0.1.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def alone():
    """Moves this process into a network namespace of its own, with loopback and nothing else. Needs Linux."""
    user, network = 0x10000000, 0x40000000  # CLONE_NEWUSER, CLONE_NEWNET of sched.h
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(network) != 0 and libc.unshare(user | network) != 0:
        sys.exit(f"cannot make a network namespace: {os.strerror(ctypes.get_errno())}")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        # SIOCSIFFLAGS with IFF_UP | IFF_RUNNING, as `ip link set lo up` does.
        fcntl.ioctl(probe, 0x8914, struct.pack("16sh22x", b"lo", 0x41))


def pictures_in(folders: list[Path]) -> list[Path]:
    found = sorted(p for folder in folders for p in folder.rglob("*") if p.suffix.lower() in ENDINGS)
    if not found:
        sys.exit("there is no picture in the folders named")
    # Large and small ones in turn, as callers send them: not all of one folder first.
    return sorted(found, key=lambda path: (path.stem, path.suffix, str(path)))


class Service:
    """`kahao serve`, with the key of its first start."""

    def __init__(self, process: subprocess.Popen, port: int, appcode: str):
        self.process, self.port, self.appcode = process, port, appcode
        self.address = f"http://127.0.0.1:{port}"

    def memory_mb(self, field: str = "VmRSS") -> float:
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) / 1024
        raise ValueError(f"/proc tells no {field}")

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def metric(self, name: str) -> float:
        """The sum of a metric's values, over all labels."""
        with OPENER.open(self.address + "/metrics", timeout=30) as page:
            lines = page.read().decode().splitlines()
        values = [line.rsplit(" ", 1) for line in lines if re.match(re.escape(name) + r"(\{| )", line)]
        return sum(float(value) for _, value in values)

    def connect(self, timeout: float = 30) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout)

    def head(self, length: int, kind: str = "image/jpeg") -> bytes:
        """The head of a request with a body of that length."""
        return (
            f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: APPCODE {self.appcode}\r\n"
            f"Content-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
        ).encode()

    def post(self, body: bytes, kind: str = "application/json") -> str:
        """The answer's HTTP status, or why there is none."""
        headers = {"Authorization": f"APPCODE {self.appcode}", "Content-Type": kind}
        try:
            with OPENER.open(urllib.request.Request(self.address + PATH, body, headers), timeout=120) as answer:
                return str(json.load(answer)["code"])
        except urllib.error.HTTPError as error:
            return str(error.code)
        except OSError as error:
            return type(error).__name__

    def ask(self, bodies: list[bytes], clients: int, seconds: float) -> list[tuple[str, float]]:
        """Code and milliseconds of each answer to clients that post the bodies in turn for so long."""
        rows, until = [], time.monotonic() + seconds

        def client(first: int):
            at = first
            while time.monotonic() < until:
                began = time.monotonic()
                code = self.post(bodies[at % len(bodies)])
                rows.append((code, (time.monotonic() - began) * 1000))
                at += 1

        threads = [threading.Thread(target=client, args=(first,)) for first in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return rows

    def is_ready(self) -> bool:
        with contextlib.suppress(OSError), OPENER.open(self.address + "/health/ready", timeout=30) as answer:
            return answer.status == 200
        return False


@contextlib.contextmanager
def running(binary: Path, *flags: str, limit_files: int | None = None):
    """A service that ends with the block, by SIGTERM and in good order."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("KAHAO_")}
    command = [str(binary.resolve()), "serve", "--listen", "127.0.0.1:0", "--log-format", "json", "--drain-s", "0"]
    if limit_files:
        command = ["sh", "-c", f'ulimit -n {limit_files} && exec "$@"', "sh", *command]
    with tempfile.TemporaryDirectory() as folder:
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = subprocess.Popen([*command, *flags], cwd=folder, env=clean, text=True, **pipes)
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
            sys.exit("the service did not start or greeted without an AppCode")
        for pipe in (process.stderr, process.stdout):
            # A full pipe would stop the service.
            threading.Thread(target=lambda pipe=pipe: collections.deque(pipe, maxlen=0), daemon=True).start()
        try:
            yield Service(process, int(address.rsplit(":", 1)[1]), appcode)
            if process.poll() is not None:
                sys.exit(f"the service ended with status {process.returncode}")
        finally:
            process.terminate()
            status = process.wait(60)
    if status != 0:
        sys.exit(f"the service ended with status {status}")
