"""Clients and conditions that a service must survive: slow and silent clients, clients that hang up, half-open and thousands of
idle connections, too few file descriptors. After each it must be ready, answer a picture within five seconds and have panicked
nowhere.

python3 bench/faults.py target/release/kahao PICTURE

Runs where only loopback exists; needs Linux and nothing but the standard library. As root for half-open connections.
"""

import argparse
import contextlib
import resource
import socket
import struct
import sys
import threading
import time
from pathlib import Path

import service

# linux/tcp.h: a socket in repair mode is closed without a word to the other side.
TCP_REPAIR = 19


def silent(served: service.Service, count: int) -> list[socket.socket]:
    return [served.connect() for _ in range(count)]


def close_all(sockets: list[socket.socket]):
    for client in sockets:
        client.close()


def wait_closed(sockets: list[socket.socket], seconds: float) -> tuple[int, list[bytes]]:
    """How many the service closes within that time, and what each was told first."""
    closed, told, until = 0, [], time.monotonic() + seconds
    for client in sockets:
        client.settimeout(max(0.05, until - time.monotonic()))
        data = b""
        try:
            while piece := client.recv(65536):
                data += piece
            closed += 1
        except ConnectionResetError:
            closed += 1  # something was sent after the service had closed it
        except OSError:
            pass
        told.append(data)
    return closed, told


def drip(sockets: list[socket.socket], piece: bytes, seconds: float):
    """Sends so little to each, once a second."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for client in sockets:
            with contextlib.suppress(OSError):
                client.send(piece)
        time.sleep(1)


def recover(served: service.Service, picture: bytes) -> tuple[str, float]:
    """What a picture is answered, once those who left are cleared away, and how long that took."""
    began = time.monotonic()
    while (answer := served.post(picture, "image/jpeg")) == "429" and time.monotonic() < began + 5:
        time.sleep(0.1)
    return answer, time.monotonic() - began


def slow_heads(served, picture, _):
    clients = silent(served, 200)
    for client in clients:
        client.send(b"GET /health/live HTTP/1.1\r\nX-Slow: ")
    threading.Thread(target=drip, args=(clients, b"a", 6), daemon=True).start()
    meanwhile = served.post(picture, "image/jpeg")
    closed, _ = wait_closed(clients, 20)
    return meanwhile == "200" and closed == 200, f"{closed} of 200 closed, a picture meanwhile: {meanwhile}"


def slow_bodies(served, picture, _):
    clients = silent(served, 100)
    for client in clients:
        client.send(served.head(1_000_000))
    threading.Thread(target=drip, args=(clients, b"0123456789", 14), daemon=True).start()
    time.sleep(1)
    meanwhile = served.post(picture, "image/jpeg")
    closed, told = wait_closed(clients, 30)
    refused = sum(answer.startswith(b"HTTP/1.1 400 ") for answer in told)
    return meanwhile == "200" and refused == 100, f"{refused} of 100 answered 400, a picture meanwhile: {meanwhile}"


def hang_up_in_the_body(served, picture, _):
    for at in range(200):
        client = served.connect()
        client.send(served.head(len(picture)) + picture[: len(picture) // 2])
        if at % 2:
            # A reset instead of an end.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
    return True, "200 clients"


def hang_up_before_the_answer(served, picture, _):
    before = served.metric("kahao_stage_duration_seconds_count")
    for at in range(200):
        client = served.connect()
        client.sendall(served.head(len(picture)) + picture)
        # At once, while it waits, and while it is read.
        time.sleep(0.01 * (at % 4))
        if at % 2:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
    time.sleep(3)
    read = served.metric("kahao_stage_duration_seconds_count") - before
    left = served.metric("kahao_queue_depth") + served.metric("kahao_pictures_in_progress")
    return left == 0, f"200 clients, {read:.0f} stages done for them, nothing left in the queue: {left == 0}"


def answers_not_taken(served, _picture, __):
    client = served.connect()
    client.settimeout(20)
    request = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n" * 1000
    began = time.monotonic()
    try:
        for _ in range(5000):
            client.sendall(request)
    except TimeoutError:
        return False, "still open after 20 s"
    except OSError as error:
        return True, f"cut off after {time.monotonic() - began:.1f} s ({type(error).__name__})"
    return False, "it took everything"


def half_open(served, _picture, __):
    clients = silent(served, 200)
    before = served.metric("kahao_connections")
    for client in clients:
        try:
            client.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
        except OSError as error:
            close_all(clients)
            return None, f"not run: {error}"
        client.close()
    time.sleep(5)
    after = served.metric("kahao_connections")
    return after <= 2, f"{before:.0f} connections before, {after:.0f} once the idle timeout is over"


def thousands_idle(served, picture, _):
    clients = silent(served, 5000)
    # The system has connected them all; a busy service takes them over a little later.
    until = time.monotonic() + 5
    while (files := served.descriptors()) <= 4000 and time.monotonic() < until:
        time.sleep(0.05)
    began = time.monotonic()
    answer = served.post(picture, "image/jpeg")
    waited = time.monotonic() - began
    closed, _ = wait_closed(clients, 30)
    fine = answer == "200" and closed == 5000 and files > 4000
    return fine, f"5000 clients, {files} files open, a picture behind them {answer} after {waited:.1f} s, {closed} closed"


def few_files(served, picture, kept):
    clients = silent(served, 500)
    time.sleep(1)
    kept.send(b"GET /health/ready HTTP/1.1\r\nHost: x\r\n\r\n")
    during = kept.recv(65536)[:12]
    files = served.descriptors()
    close_all(clients)
    time.sleep(2)
    answer = served.post(picture, "image/jpeg")
    fine = during == b"HTTP/1.1 200" and answer == "200"
    return fine, f"{len(clients)} clients, {files} files open, ready on an open connection: {during.decode()}, then {answer}"


SHORT = ("--idle-timeout-s", "3", "--write-timeout-s", "3")
FAULTS = [
    (slow_heads, SHORT, None),
    (slow_bodies, SHORT, None),
    (hang_up_in_the_body, SHORT, None),
    (hang_up_before_the_answer, SHORT, None),
    (answers_not_taken, SHORT, None),
    (half_open, SHORT, None),
    (thousands_idle, ("--idle-timeout-s", "10"), None),
    (few_files, (), 128),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", type=Path, help="the kahao binary")
    parser.add_argument("picture", type=Path, help="a JPEG of a card")
    parser.add_argument("--only", help="the fault to try, as the output names it")
    args = parser.parse_args()
    picture = args.picture.read_bytes()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    service.alone()
    failed = 0
    for fault, flags, limit_files in FAULTS:
        if args.only and args.only != fault.__name__.replace("_", " "):
            continue
        with service.running(args.binary, *flags, limit_files=limit_files) as served:
            kept = served.connect()
            fine, said = fault(served, picture, kept)
            after, seconds = recover(served, picture)
            recovered = after == "200" and served.is_ready() and served.metric("kahao_panics_total") == 0
            kept.close()
        word = "skip" if fine is None else "ok" if fine and recovered else "FAIL"
        failed += word == "FAIL"
        print(f"{word:4} {fault.__name__.replace('_', ' ')}: {said}; afterwards {after} within {seconds:.1f} s", flush=True)
    if failed:
        sys.exit(f"faults: {failed} failed")


if __name__ == "__main__":
    main()
