"""check.py PICTURE NUMBER: runs every client here whose tools the machine has, against a running service.

Each must make the signatures of signature-vectors.json, and read the picture with each kind of credentials. Ends with 1
when one does not; those that could not be run are named at the end. KAHAO_URL and the rest come from the environment.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent


def commands(built):
    """Each client: the tools it needs, how it is built, and how it is run."""
    return {
        "curl": (["curl", "openssl"], [], ["sh", "kahao.sh"]),
        "Python": (["python3"], [], [sys.executable, "kahao.py"]),
        "Node": (["node"], [], ["node", "kahao.mjs"]),
        "PHP": (["php"], [], ["php", "kahao.php"]),
        "Java": (["javac", "java"], ["javac", "-d", built, "Kahao.java"], ["java", "-cp", built, "Kahao"]),
        "C#": (
            ["mcs", "mono"],
            ["mcs", "-r:System.Net.Http.dll", f"-out:{built}/kahao.exe", "Kahao.cs"],
            ["mono", f"{built}/kahao.exe"],
        ),
        "Go": (["go"], ["go", "build", "-o", f"{built}/kahao-go", "kahao.go"], [f"{built}/kahao-go"]),
    }


def run(command):
    return subprocess.run(command, cwd=HERE, check=True, capture_output=True, text=True).stdout.splitlines()


def check(command, picture, number):
    """What is wrong with a client; nothing is."""
    for vector in json.loads((HERE / "signature-vectors.json").read_text()):
        names = ["app_key", "app_secret", "timestamp", "method", "path", "nonce", "body"]
        made = run([*command, "--sign", *(vector[name] for name in names)])
        if made != [vector["md5"], vector["hmac"]]:
            return f"signs {vector['about']!r} as {made}"
    answers = [json.loads(line) for line in run([*command, picture])]
    ways = ["AppCode", "md5", "HMAC"]
    if len(answers) != len(ways):
        return f"gives {len(answers)} answers instead of {len(ways)}"
    for way, answer in zip(ways, answers, strict=True):
        if [card["number"] for card in answer["data"].get("content", [])] != [number]:
            return f"does not read the card with {way}: {answer['msg']}"
    return None


def main():
    picture, number = str(Path(sys.argv[1]).resolve()), sys.argv[2]
    failed, not_run = [], []
    with tempfile.TemporaryDirectory() as built:
        for name, (tools, build, command) in commands(built).items():
            missing = [tool for tool in tools if shutil.which(tool) is None]
            if missing:
                not_run.append(f"{name} (no {' and no '.join(missing)})")
                continue
            try:
                if build:
                    run(build)
                fault = check(command, picture, number)
            except subprocess.CalledProcessError as error:
                fault = f"ends with {error.returncode}: {error.stderr.strip()}"
            if fault:
                failed.append(name)
            print(f"{name}: {fault or 'signs and reads'}", flush=True)
    if not_run:
        print(f"not run: {', '.join(not_run)}")
    return 1 if failed else 0


sys.exit(main())
