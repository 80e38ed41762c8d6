"""How fast kahao reads by the size and the format of pictures, beside the bare decoding of the file and beside RapidOCR and
Tesseract, in one run on the same cores; then pictures a second, memory, cold start and the binary's size. Writes Markdown.

../peers/bin/python bench/speed.py target/release/kahao target/release/kahao-synth

Needs OpenCV (whose JPEG decoder is libjpeg-turbo) for the sizes and the bare decoding; peers that are not installed (see
bench/peers.py) are named and left out. Every picture is drawn, once, at 12 megapixels, or given: other sizes are the same
scenes at that length of the longer side.
One thread reads unless a table says otherwise; `library` is what a picture takes inside the program. The service runs where
only loopback exists.
"""

import argparse
import base64
import importlib.util
import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import cv2
import numpy

import peers
import service

# Longer sides at 4:3, in pixels.
SIDES = {"0.3 MP": 640, "1 MP": 1155, "4 MP": 2309, "12 MP": 4000, "48 MP": 8000}
FORMATS = {"JPEG": "jpg", "PNG": "png", "WebP, lossy": "webp", "BMP": "bmp", "TIFF": "tif"}
# At 48 megapixels the general readers take minutes.
PEERS_UP_TO = 4000


def times(values: list[float]) -> str:
    return f"{peers.rank(values, 0.5):.1f}, {peers.rank(values, 0.95):.1f}"


def draw(synth: Path, count: int, folder: Path) -> list[Path]:
    command = [synth, "draw", "--seed", "20261126", "--count", str(count), "--side", "4000", "--out", folder]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return sorted(folder.glob("*.jpg"))


def resized(originals: list[Path], side: int, ending: str, folder: Path) -> list[Path]:
    folder.mkdir()
    for path in originals:
        picture = cv2.imread(str(path))
        scale = side / max(picture.shape[:2])
        by = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        quality = (
            [cv2.IMWRITE_JPEG_QUALITY, 90] if ending == "jpg" else [cv2.IMWRITE_WEBP_QUALITY, 90] if ending == "webp" else []
        )
        cv2.imwrite(
            str(folder / f"{path.stem}.{ending}"), cv2.resize(picture, None, fx=scale, fy=scale, interpolation=by), quality
        )
    return sorted(folder.glob(f"*.{ending}"))


def evaluated(binary: Path, pictures: list[Path], jobs: int, rounds: int) -> tuple[list[float], float]:
    """Milliseconds that each picture takes inside the program, the best of some rounds; pictures a second of the best one."""
    best, rate = {}, 0.0
    for _ in range(rounds):
        command = [binary, "read", "--json", "--jobs", str(jobs), *pictures]
        begun = time.perf_counter()
        lines = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout.splitlines()
        rate = max(rate, len(pictures) / (time.perf_counter() - begun))
        for answer in map(json.loads, lines):
            best[answer["file"]] = min(best.get(answer["file"], float("inf")), answer["elapsed_ms"])
    return list(best.values()), rate


def best_of(rounds: int, work) -> float:
    """Milliseconds of the quickest of some calls."""
    taken = []
    for _ in range(rounds):
        begun = time.perf_counter()
        work()
        taken.append((time.perf_counter() - begun) * 1000)
    return min(taken)


def decoded(pictures: list[Path], rounds: int) -> list[float]:
    files = [path.read_bytes() for path in pictures]
    arrays = [numpy.frombuffer(file, numpy.uint8) for file in files]
    return [best_of(rounds, lambda a=a: cv2.imdecode(a, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)) for a in arrays]


def peer_readers() -> dict:
    found = {}
    if importlib.util.find_spec("rapidocr_onnxruntime"):
        found["RapidOCR"] = peers.rapidocr_reader()
    else:
        print("RapidOCR is not installed: left out.\n")
    if shutil.which("tesseract"):
        found["Tesseract"] = peers.tesseract_reader(6)
    else:
        print("Tesseract is not installed: left out.\n")
    return found


def posted(served: service.Service, bodies: list[bytes], clients: int, seconds: float) -> tuple[list[float], float]:
    """Milliseconds of each answer, and answers a second."""
    rows = served.ask(bodies, clients, seconds)
    assert all(code == "200" for code, _ in rows), {code for code, _ in rows}
    return [ms for _, ms in rows], len(rows) / seconds


def cold_start(binary: Path, picture: Path) -> list[float]:
    run = lambda: subprocess.run([binary, "read", picture], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)  # noqa: E731
    return [best_of(1, run) for _ in range(15)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kahao", type=Path, help="the binary")
    parser.add_argument("synth", type=Path, help="the kahao-synth binary")
    parser.add_argument("--pictures", type=Path, help="a folder with pictures to use instead of drawn ones")
    parser.add_argument("--count", type=int, default=12, help="drawn pictures, or the first of the folder (default: %(default)s)")
    parser.add_argument("--peer-count", type=int, default=4, help="of these for the peers, 0 for no peers (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="the best of so many counts (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=20, help="of each HTTP run (default: %(default)s)")
    args = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    readers = peer_readers() if args.peer_count else {}

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if args.pictures:
            originals, kind_of = service.pictures_in([args.pictures])[: args.count], "given"
        else:
            originals, kind_of = draw(args.synth, args.count, folder / "drawn"), "drawn"
        sets = {("JPEG", size): resized(originals, side, "jpg", folder / size) for size, side in SIDES.items()}
        sets |= {
            (kind, "1 MP"): resized(originals, SIDES["1 MP"], end, folder / end) for kind, end in FORMATS.items() if end != "jpg"
        }

        milliseconds = f"milliseconds, median and 95th percentile, of each picture's best of {args.rounds}"
        print(f"{len(originals)} {kind_of} pictures; {milliseconds}.\n")
        print("| format, size | bare decoding | kahao, library | in decodings |" + "".join(f" {name} |" for name in readers))
        print("|---|---|---|---|" + "---|" * len(readers))
        for (kind, size), pictures in sets.items():
            bare = decoded(pictures, args.rounds)
            own, _ = evaluated(args.kahao, pictures, 1, args.rounds)
            row = f"| {kind}, {size} | {times(bare)} | {times(own)} | {peers.rank(own, 0.5) / peers.rank(bare, 0.5):.1f} |"
            for read in readers.values():
                skip = kind != "JPEG" or SIDES[size] > PEERS_UP_TO
                row += " |" if skip else f" {times([read(path)[1] for path in pictures[: args.peer_count]])} |"
            print(row, flush=True)

        pictures = sets["JPEG", "1 MP"]
        print("\n| 1 MP JPEG | pictures a second | ms, median and 95th percentile |\n|---|---|---|")
        for jobs in sorted({1, cores}):
            own, rate = evaluated(args.kahao, pictures * 4, jobs, args.rounds)
            print(f"| command, {jobs} at a time | {rate:.1f} | {times(own)} |", flush=True)
        service.alone()
        bodies = [json.dumps({"image_base64": base64.b64encode(path.read_bytes()).decode()}).encode() for path in pictures]
        with service.running(args.kahao) as served:
            for clients in sorted({1, cores}):
                taken, rate = posted(served, bodies, clients, args.seconds)
                print(f"| HTTP, {clients} at a time | {rate:.1f} | {times(taken)} |", flush=True)
            memory = served.memory_mb(), served.memory_mb("VmHWM")

        small = sets["JPEG", "0.3 MP"][0]
        print("\n| what | |\n|---|---|")
        print(f"| the service's memory after that, and at its most | {memory[0]:.0f}, {memory[1]:.0f} MB |")
        print(f"| `kahao read` of one picture of 0.3 MP, with its start | {times(cold_start(args.kahao, small))} ms |")
        print(f"| the binary | {args.kahao.stat().st_size / 1e6:.1f} MB |")


if __name__ == "__main__":
    main()
