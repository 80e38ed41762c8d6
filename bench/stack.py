"""Throw-away PostgreSQL, Redis, nginx and kahao on loopback, in a folder of their own, for tests.

    python3 bench/stack.py COMMAND...   run COMMAND with KAHAO_TEST_POSTGRES and KAHAO_TEST_REDIS set

What is not installed is left out, and the tests that need it say so. PostgreSQL does not run as root, so root starts it as
`nobody`.
"""

import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

OCR = "/api/bank_card_ocr/v1"
MASTER_KEY = "00" * 32


def find(program):
    """Where a server program is; Debian keeps those of PostgreSQL out of the way."""
    beside = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"))
    return shutil.which(program) or shutil.which(program, path="/usr/sbin") or (str(beside[-1]) if beside else None)


def free_port():
    """Below those that outgoing connections get, so that a server finds its port free when it starts again."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as listener:
            if listener.connect_ex(("127.0.0.1", port)):
                return port


def wait_for(what, is_there, seconds=30):
    end = time.monotonic() + seconds
    while not is_there():
        if time.monotonic() > end:
            sys.exit(f"{what} did not come within {seconds} s")
        time.sleep(0.05)


def accepts(port):
    with socket.socket() as client:
        client.settimeout(1)
        return client.connect_ex(("127.0.0.1", port)) == 0


class Server:
    """A process that listens on a port of its own, and can be stopped and started again."""

    def __init__(self, stack, name, command, port, env=None):
        self.stack, self.name, self.command, self.port, self.env = stack, name, command, port, env
        self.process = None
        self.log = stack.folder / f"{name}.log"

    def spawn(self):
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, env=self.env)
        return self

    def start(self):
        self.spawn()
        wait_for(self.name, lambda: accepts(self.port) or self.is_dead())
        if self.is_dead():
            sys.exit(f"{self.name} did not start:\n{self.log.read_text()[-2000:]}")
        return self

    def is_dead(self):
        return self.process is None or self.process.poll() is not None

    def stop(self, how=signal.SIGTERM):
        if not self.is_dead():
            self.process.send_signal(how)
            self.process.wait(60)


class Stack:
    """Servers that end, and leave nothing, when the block ends."""

    def __enter__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="kahao-stack-"))
        self.folder.chmod(0o711)
        self.ca = self.folder / "ca.pem"
        self.servers = []
        return self

    def __exit__(self, *_):
        for server in reversed(self.servers):
            server.stop(signal.SIGKILL if server.name.startswith("kahao") else signal.SIGINT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def add(self, name, command, port, env=None):
        server = Server(self, name, [str(word) for word in command], port, env)
        self.servers.append(server)
        return server

    def certificate(self, owner=None):
        """Files of a certificate for localhost and of its key, from an authority of this stack's own."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        folder.chmod(0o711)
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]

        def request(*arguments):
            command = ["openssl", "req", "-x509", *curve, *map(str, arguments)]
            subprocess.run(command, check=True, capture_output=True)

        issuer = self.folder / "ca.key"
        if not self.ca.exists():
            request("-subj", "/CN=kahao-stack", "-keyout", issuer, "-out", self.ca)
        files = folder / "server.pem", folder / "server.key"
        names = ["-addext", "basicConstraints=critical,CA:FALSE", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
        request("-subj", "/CN=localhost", *names, "-CA", self.ca, "-CAkey", issuer, "-out", files[0], "-keyout", files[1])
        if owner:
            for file in files:
                shutil.chown(file, owner)
        return files

    def postgres(self):
        data, port = self.folder / "postgres", free_port()
        data.mkdir(mode=0o700)
        password = self.folder / "password"
        password.write_text("test")
        user = []
        if os.getuid() == 0:
            shutil.chown(data, "nobody")
            user = ["setpriv", "--reuid=nobody", "--clear-groups"]
        init = [find("initdb"), "-D", data, "-U", "kahao", "-A", "scram-sha-256", f"--pwfile={password}", "--no-sync"]
        subprocess.run([*user, *init], check=True, stdout=subprocess.DEVNULL, cwd="/")
        # Over TLS alone, as one would in earnest.
        (data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 scram-sha-256\n")
        certificate, key = self.certificate("nobody" if user else None)
        settings = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "ssl=on"]
        settings += [f"ssl_cert_file={certificate}", f"ssl_key_file={key}"]
        options = [word for setting in settings for word in ("-c", setting)]
        server = self.add("postgres", [*user, find("postgres"), "-D", data, "-p", port, *options], port)
        server.url = f"postgres://kahao:test@localhost:{port}/postgres?sslmode=verify-full&sslrootcert={self.ca}"
        return server.start()

    def redis(self):
        port, tls_port = free_port(), free_port()
        certificate, key = self.certificate()
        command = [find("redis-server"), "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", self.folder]
        command += ["--tls-port", tls_port, "--tls-cert-file", certificate, "--tls-key-file", key]
        command += ["--tls-ca-cert-file", self.ca, "--tls-auth-clients", "no"]
        server = self.add("redis", command, port)
        server.url = f"redis://127.0.0.1:{port}"
        # For a kahao of this stack, which trusts the stack's authority.
        server.tls_url = f"rediss://localhost:{tls_port}"
        return server.start()

    def nginx(self, replicas):
        port = free_port()
        upstream = "".join(f"server 127.0.0.1:{replica.port} max_fails=1 fail_timeout=1s; " for replica in replicas)
        config = self.folder / "nginx.conf"
        config.write_text(f"""
            daemon off; pid {self.folder}/nginx.pid; error_log stderr; user {"root" if os.getuid() == 0 else "nobody"};
            events {{ }}
            http {{
                access_log off; client_max_body_size 32m; client_body_temp_path {self.folder}/body;
                proxy_temp_path {self.folder}/proxy; fastcgi_temp_path {self.folder}/f; uwsgi_temp_path {self.folder}/u;
                scgi_temp_path {self.folder}/s;
                upstream kahao {{ {upstream} }}
                server {{
                    listen 127.0.0.1:{port};
                    location / {{
                        proxy_pass http://kahao;
                        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
                        proxy_next_upstream error timeout non_idempotent;
                    }}
                }}
            }}""")
        return self.add("nginx", [find("nginx"), "-c", config, "-e", "stderr"], port).start()

    def kahao(self, binary, name, database, *options):
        port = free_port()
        command = [binary, "serve", "--listen", f"127.0.0.1:{port}", "--database", database, "--drain-s", 0, *options]
        return self.add(f"kahao-{name}", command, port, {**environment(), "SSL_CERT_FILE": str(self.ca)})


def environment():
    """Nothing of kahao's but the master key."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("KAHAO_")}
    return {**clean, "KAHAO_MASTER_KEY": MASTER_KEY}


def keys(binary, database, *arguments):
    """What `kahao keys` prints, as objects."""
    command = [binary, "keys", *arguments, "--database", database, "--json"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment())
    return [json.loads(line) for line in done.stdout.splitlines()]


def ask(port, path=OCR, body=b"", headers=None, source="127.0.0.1", method="POST"):
    """Status, headers and answer; status 0 when there is none."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=30, source_address=(source, 0))
    try:
        client.request(method, path, body, headers or {})
        response = client.getresponse()
        text = response.read()
        is_json = response.headers.get_content_type() == "application/json"
        return response.status, response.headers, json.loads(text) if is_json else text.decode()
    except (OSError, http.client.HTTPException):
        return 0, {}, {}
    finally:
        client.close()


def main():
    with Stack() as stack:
        env = dict(os.environ)
        for name, variable in [("postgres", "KAHAO_TEST_POSTGRES"), ("redis", "KAHAO_TEST_REDIS")]:
            if find(f"{name}-server" if name == "redis" else name):
                env[variable] = getattr(stack, name)().url
            else:
                print(f"-- not there: {name}")
        sys.exit(subprocess.run(sys.argv[1:], env=env).returncode)


if __name__ == "__main__":
    main()
