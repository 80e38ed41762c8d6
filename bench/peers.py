"""Reads the same labelled pictures with kahao, RapidOCR and Tesseract, one picture at a time, and writes a Markdown table.
Never prints a card number.

python3 -m venv ../peers && ../peers/bin/pip install rapidocr-onnxruntime     (an environment of its own; models inside)
apt-get install tesseract-ocr
../peers/bin/python bench/peers.py target/release/kahao --folder ../shared/realdev

The folder has a labels.csv (file, number) and the pictures in cards/. The general readers give texts, not card numbers: every
text counts by its digits, alone and joined with the others on its line, and one that is the whole number makes the picture right.
"""

import argparse
import csv
import json
import math
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path


def kahao_reader(binary: Path, pictures: list[Path]):
    """Starts the program once for all pictures, as the others load their models once; milliseconds are its own."""
    command = [binary.resolve(), "read", "--json", "--jobs", "1", *pictures]
    lines = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout.splitlines()
    answers = {Path(answer["file"]): answer for answer in map(json.loads, lines)}

    def read(picture: Path) -> tuple[set[str], float]:
        answer = answers[picture]
        return {card["number"] for card in answer["data"].get("content", [])}, answer["elapsed_ms"]

    return read


def timed(texts):
    """Numbers and milliseconds of a reader that gives lines of texts."""

    def read(picture: Path) -> tuple[set[str], float]:
        begun = time.perf_counter()
        lines = texts(picture)
        elapsed_ms = (time.perf_counter() - begun) * 1000
        candidates = [text for line in lines for text in (*line, "".join(line))]
        digits = {re.sub("[^0-9]", "", text) for text in candidates}
        return {number for number in digits if 13 <= len(number) <= 19}, elapsed_ms

    return read


def join_lines(boxes: list[tuple[list, str]]) -> list[list[str]]:
    """Texts that stand on one line, in its order. A line goes through a box's middle, the way its upper edge goes."""
    lines: list[list[tuple[float, str]]] = []
    left = list(boxes)
    while left:
        (a, b, c, d), _ = left[0]
        angle, height = math.atan2(b[1] - a[1], b[0] - a[0]), math.dist(a, d)
        middle = ((a[0] + c[0]) / 2, (a[1] + c[1]) / 2)
        on_line, off_line = [], []
        for corners, text in left:
            x = sum(corner[0] for corner in corners) / 4 - middle[0]
            y = sum(corner[1] for corner in corners) / 4 - middle[1]
            along, across = x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)
            if abs(across) < height / 2:
                on_line.append((along, text))
            else:
                off_line.append((corners, text))
        lines.append(sorted(on_line))
        # A box without height is on no line, not even on its own.
        left = off_line if on_line else left[1:]
    return [[text for _, text in line] for line in lines]


def rapidocr_reader():
    from rapidocr_onnxruntime import RapidOCR

    engine = RapidOCR()
    return timed(lambda picture: join_lines([(box, text) for box, text, _ in engine(str(picture))[0] or []]))


def tesseract_reader(layout: int):
    """Started for each picture: it loads its model every time."""

    def texts(picture: Path) -> list[list[str]]:
        command = ["tesseract", picture, "stdout", "--psm", str(layout), "-c", "tessedit_char_whitelist=0123456789"]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
        return [[line] for line in done.stdout.splitlines()]

    return timed(texts)


def rank(values: list[float], share: float) -> float:
    return sorted(values)[max(math.ceil(share * len(values)), 1) - 1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kahao", type=Path, help="the binary")
    parser.add_argument("--folder", type=Path, default=Path("../shared/realdev"), help="folder with labels.csv and cards/")
    args = parser.parse_args()

    with open(args.folder / "labels.csv", encoding="utf-8") as file:
        labels = [row for row in csv.DictReader(file) if re.fullmatch("[0-9]{13,19}", row["number"])]
    pictures = [args.folder / "cards" / row["file"] for row in labels]
    readers = {
        "kahao": kahao_reader(args.kahao, pictures),
        "RapidOCR": rapidocr_reader(),
        "Tesseract, a block of text (psm 6)": tesseract_reader(6),
        "Tesseract, sparse text (psm 11)": tesseract_reader(11),
    }
    print(f"{len(labels)} pictures with a legible number, one at a time.\n")
    print("| reader | whole number right | another number only | no number | median ms | p95 ms |")
    print("|---|---|---|---|---|---|")
    for name, read in readers.items():
        outcomes, elapsed_ms = Counter(), []
        for row, picture in zip(labels, pictures, strict=True):
            numbers, ms = read(picture)
            outcomes["right" if row["number"] in numbers else "other" if numbers else "none"] += 1
            elapsed_ms.append(ms)
        print(
            f"| {name} | {outcomes['right']} ({outcomes['right'] / len(labels):.1%}) | {outcomes['other']} | {outcomes['none']} ",
            end="",
        )
        print(f"| {rank(elapsed_ms, 0.5):.0f} | {rank(elapsed_ms, 0.95):.0f} |")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
