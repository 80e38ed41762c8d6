"""Two replicas of kahao behind nginx, with one PostgreSQL and one Redis: what holds over both, and what happens when one of
them goes away.

    python3 bench/replicas.py KAHAO [--away SECONDS]

KAHAO is the binary. Everything listens on loopback; run it where nothing else exists: `unshare -n`, with `ip link set lo up`.
"""

import argparse
import collections
import hashlib
import hmac
import json
import signal
import struct
import sys
import threading
import time
import zlib

from stack import OCR, Stack, ask, keys, wait_for

BIN = "/api/bank_card_bin/v1"
BIN_BODY = json.dumps({"number": "622202"})


def picture():
    """A grey PNG of 40 x 30 px: no card, and an answer all the same."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 40, 30, 8, 0, 0, 0, 0)
    rows = zlib.compress((b"\0" + b"\x80" * 40) * 30)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


PICTURE = picture()


def check(holds, what):
    print(f"-- {'holds' if holds else 'FAILS'}: {what}", flush=True)
    if not holds:
        sys.exit(1)


def with_appcode(key, kind):
    return {"Authorization": f"APPCODE {key['appcode']}", "Content-Type": kind}


def post_picture(port, key, **more):
    return ask(port, OCR, PICTURE, with_appcode(key, "image/png"), **more)


def post_number(port, key, **more):
    return ask(port, BIN, BIN_BODY, with_appcode(key, "application/json"), **more)


def signed(key, nonce):
    """The headers of a number signed with HMAC-SHA256."""
    timestamp = str(int(time.time() * 1000))
    body = hashlib.sha256(BIN_BODY.encode()).hexdigest()
    text = "\n".join(["POST", BIN, timestamp, nonce, body])
    return {
        "Content-Type": "application/json",
        "x-ca-key": key["app_key"],
        "x-ca-timestamp": timestamp,
        "x-ca-nonce": nonce,
        "x-ca-signature-method": "HmacSHA256",
        "x-ca-signature": hmac.new(key["app_secret"].encode(), text.encode(), hashlib.sha256).hexdigest(),
    }


class Load:
    """Threads that ask without a pause, and note when each got which status."""

    def __init__(self, threads, question):
        self.question, self.answers, self.is_over = question, [], threading.Event()
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(threads)]

    def run(self):
        while not self.is_over.is_set():
            status = self.question()[0]
            self.answers.append((time.monotonic(), status))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        for thread in self.threads:
            thread.join()

    def statuses(self, since=0.0):
        return collections.Counter(status for at, status in list(self.answers) if at >= since)


def metric(port, name):
    page = ask(port, "/metrics", method="GET")[2]
    return next(float(line.split()[1]) for line in page.splitlines() if line.startswith(f"{name} "))


class Replicas:
    """The whole of it."""

    def __init__(self, stack, binary, away_s):
        self.binary, self.away_s = binary, away_s
        self.postgres, self.redis = stack.postgres(), stack.redis()
        self.database = self.postgres.url
        options = ["--redis", self.redis.tls_url, "--trusted-proxy", "127.0.0.1/32"]
        # Both at once, on an empty database.
        self.both = [stack.kahao(binary, name, self.database, *options).spawn() for name in ("a", "b")]
        for replica in self.both:
            wait_for(replica.name, lambda port=replica.port: ask(port, "/health/ready", method="GET")[0] == 200, 60)
        self.plain = self.create("plain")
        self.ports = [replica.port for replica in self.both]
        self.nginx = stack.nginx(self.both)

    def create(self, name, *settings):
        return keys(self.binary, self.database, "create", "--name", name, *settings)[0]

    def usage(self, name):
        total = collections.Counter()
        for line in keys(self.binary, self.database, "usage", "--name", name):
            total.update({outcome: n for outcome, n in line.items() if isinstance(n, int)})
        return total

    def nonces(self):
        key = self.create("signer", "--require-hmac")
        headers = signed(key, "nonce-of-both-1")
        first, second = (ask(port, BIN, BIN_BODY, headers) for port in self.ports)
        check(first[0] == 200 and second[0] == 401, f"a nonce used at one replica is refused at the other: {second[2]['msg']}")

    def rate(self):
        key = self.create("rated", "--rate", "20", "--burst", "10")
        seconds = 4
        began = time.monotonic()
        with Load(4, lambda: post_number(self.nginx.port, key)) as load:
            time.sleep(seconds)
        took = time.monotonic() - began
        statuses = load.statuses()
        most = 10 + 20 * took + 1
        check(set(statuses) == {200, 429}, f"only 200 and 429: {dict(statuses)}")
        check(
            0.8 * 20 * seconds < statuses[200] <= most,
            f"20/s with a burst of 10 over both for {took:.1f} s: {statuses[200]} passed, at most {most:.0f} may",
        )

    def quota(self):
        quota = 200
        key = self.create("prepaid", "--quota", str(quota))
        with Load(4, lambda: post_picture(self.nginx.port, key)) as load:
            wait_for("the end of the quota", lambda: load.statuses()[403] >= 40, 120)
        statuses = load.statuses()
        check(set(statuses) == {200, 403}, f"only 200 and 403: {dict(statuses)}")
        check(statuses[200] == quota, f"a quota of {quota} over both: {statuses[200]} answers")
        credit = ask(self.nginx.port, f"{OCR}/credit", b"", with_appcode(key, "image/png"))[2]["credit"]
        check(credit == 0, f"credit is {credit}")
        # Written every second; the database may be busy with the load of a moment ago.
        wait_for("the usage of the quota", lambda: self.usage("prepaid")["no_card"] == quota)
        time.sleep(1)
        usage = self.usage("prepaid")
        check(usage["no_card"] == quota, f"usage: {usage['no_card']} answers, {usage['refused']} refused")

    def forwarded(self):
        key = self.create("networked", "--network", "127.0.0.2/32")
        inside = post_number(self.nginx.port, key, source="127.0.0.2")[0]
        liar = {**with_appcode(key, "application/json"), "X-Forwarded-For": "127.0.0.2"}
        outside = ask(self.nginx.port, BIN, BIN_BODY, liar, source="127.0.0.3")[0]
        check((inside, outside) == (200, 403), f"nginx is believed about its caller: {inside}; its caller is not: {outside}")

    def disable(self):
        key = self.create("leaver")
        known = {post_number(port, key)[0] for port in self.ports}
        keys(self.binary, self.database, "disable", "--name", "leaver")
        time.sleep(1.1)
        after = {post_number(port, key)[0] for port in self.ports}
        check((known, after) == ({200}, {403}), "a disabled key is refused by both after 1.1 s")

    def redis_away(self):
        key = self.create("rated on", "--rate", "5", "--burst", "5")
        with Load(2, lambda: post_number(self.nginx.port, self.plain)) as load:
            self.redis.stop(signal.SIGKILL)
            time.sleep(1.5)
            down = [metric(port, "kahao_redis_up") for port in self.ports]
            each = [collections.Counter(post_number(port, key)[0] for _ in range(8)) for port in self.ports]
            self.redis.start()
            began = time.monotonic()
            wait_for("Redis", lambda: all(metric(port, "kahao_redis_up") == 1 for port in self.ports), 10)
            back_s = time.monotonic() - began
        check(set(load.statuses()) == {200}, f"Redis killed under load: {dict(load.statuses())}")
        check(down == [0, 0], "kahao_redis_up is 0 at both")
        check(
            all(one[429] > 0 and one[200] >= 5 for one in each), f"each replica limits for itself: {[dict(one) for one in each]}"
        )
        check(back_s < 3, f"shared again {back_s:.1f} s after Redis is back")
        headers = signed(self.create("signer 2"), "nonce-of-both-2")
        after = [ask(port, BIN, BIN_BODY, headers)[0] for port in self.ports]
        check(after == [200, 401], f"and nonces are shared: {after}")

    def postgres_away(self):
        stranger = self.create("not seen before")
        prepaid = self.create("prepaid too", "--quota", "1000000")
        for port in self.ports:
            post_number(port, self.plain)
        before = self.usage("plain")["looked_up"]
        with Load(2, lambda: post_number(self.nginx.port, self.plain)) as known:
            began = time.monotonic()
            self.postgres.stop(signal.SIGINT)
            time.sleep(1.5)
            slowest, refusals = 0.0, collections.Counter()
            while time.monotonic() < began + self.away_s:
                asked = time.monotonic()
                for key in (stranger, prepaid):
                    status, headers, _ = post_picture(self.nginx.port, key)
                    refusals[status, headers.get("Retry-After")] += 1
                slowest = max(slowest, (time.monotonic() - asked) / 2)
                time.sleep(0.2)
            ready = ask(self.ports[0], "/health/ready", method="GET")
            self.postgres.start()
            again = time.monotonic()
            wait_for("PostgreSQL", lambda: all(post_picture(port, stranger)[0] == 200 for port in self.ports), 20)
            back_s = time.monotonic() - again
            time.sleep(1)
        statuses = known.statuses()
        check(set(statuses) == {200}, f"PostgreSQL away for {self.away_s} s, a known key: {dict(statuses)}")
        check(set(refusals) == {(503, "1")}, f"others: {dict(refusals)}, at most {slowest:.2f} s each")
        check(ready[0] == 200 and ready[2]["data"]["database"] == "away", "ready, and says that the database is away")
        check(back_s < 5, f"answered again {back_s:.1f} s after PostgreSQL is back")
        time.sleep(4)
        counted = self.usage("plain")["looked_up"] - before
        check(counted >= statuses[200], f"usage of the time is not lost: {statuses[200]} answers, {counted} counted")

    def killed(self):
        victim, key = self.both[1], self.create("under load", "--quota", "1000000")
        with Load(4, lambda: post_picture(self.nginx.port, key)) as load:
            time.sleep(3)
            victim.stop(signal.SIGKILL)
            killed_at = time.monotonic()
            time.sleep(1.5)
            victim.start()
            wait_for(victim.name, lambda: post_picture(victim.port, key)[0] == 200, 30)
            time.sleep(2)
        time.sleep(4)
        statuses = load.statuses()
        last_s = sum(status == 200 and killed_at - 1.2 <= at <= killed_at for at, status in load.answers)
        usage = self.usage("under load")["no_card"]
        # The probe after the restart may be counted beside the load's answers, and a picture twice that nginx sent again.
        lost = statuses[200] - usage
        check(set(statuses) <= {200, 502}, f"kill -9 of a replica under load: {dict(statuses)}")
        check(lost <= last_s, f"{statuses[200]} answers, {usage} counted: {max(lost, 0)} lost, {last_s} came in the last second")
        left = keys(self.binary, self.database, "list")
        left = next(line["remaining_calls"] for line in left if line["name"] == "under load")
        gone = 1_000_000 - left - statuses[200]
        check(-1 <= gone <= 40, f"of the quota {1_000_000 - left} calls are gone, {gone} more than answered; a lease is 32")
        names = {line["name"] for line in keys(self.binary, self.database, "list")}
        check({"plain", "rated", "under load"} <= names, f"{len(names)} keys, all there")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("kahao")
    parser.add_argument("--away", type=float, default=5, help="seconds without PostgreSQL")
    arguments = parser.parse_args()
    with Stack() as stack:
        replicas = Replicas(stack, arguments.kahao, arguments.away)
        try:
            replicas.nonces()
            replicas.rate()
            replicas.quota()
            replicas.forwarded()
            replicas.disable()
            replicas.redis_away()
            replicas.postgres_away()
            replicas.killed()
            for replica in replicas.both:
                log = replica.log.read_text()
                check(
                    "test@" not in log and "request failed" not in log, f"{replica.name}: no password and no failure in its log"
                )
        except SystemExit:
            for replica in replicas.both:
                print(replica.log.read_text()[-3000:], file=sys.stderr)
            raise


if __name__ == "__main__":
    main()
