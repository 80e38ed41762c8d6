"""Reads the labelled real pictures with `kahao read --json` and counts what is right. Never prints a card number.

python3 bench/realdev.py target/release/kahao
python3 bench/realdev.py target/release/kahao --min-real 0.85     (exit 1 below that share, or when a negative is read)
"""

import argparse
import csv
import json
import statistics
import subprocess
import sys
from collections import Counter
from pathlib import Path

REAL = "photos and scans"
KINDS = {"photo": REAL, "scan": REAL, "specimen": "specimens and artwork", "rendered": "specimens and artwork"}
# An answer at or above this probability is taken without a second look.
SURE = 0.95


def legible(number: str) -> bool:
    return number.isdigit() and 13 <= len(number) <= 19


def describe(read: str, truth: str) -> str:
    """How far a reading is from the truth, without a digit of either."""
    if not read:
        return "not legible"
    if len(read) != len(truth):
        return f"{len(read)} digits for {len(truth)}"
    return f"{sum(a != b for a, b in zip(read, truth, strict=True))} of {len(truth)} digits wrong"


def share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({part / whole:.1%})" if whole else "none"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kahao", type=Path, help="the binary")
    parser.add_argument("--folder", type=Path, default=Path("../shared/realdev"), help="folder with labels.csv and cards/")
    parser.add_argument("--min-real", type=float, default=0.0, help="least share of photos and scans to be read whole")
    args = parser.parse_args()

    with open(args.folder / "labels.csv", encoding="utf-8") as file:
        labels = {row["file"]: row for row in csv.DictReader(file)}
    command = [args.kahao.resolve(), "read", "--json", args.folder / "cards"]
    # Exit status 1 only says that some pictures were not read, which is what is counted here.
    lines = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout.splitlines()
    answers = {Path(answer["file"]).name: answer for answer in map(json.loads, lines)}
    missing = sorted(set(labels) - set(answers))
    if missing:
        sys.exit(f"no answer for {len(missing)} of {len(labels)} pictures: {', '.join(missing[:5])}")

    outcomes: dict[str, Counter] = {}
    sure, dates, negatives, notes = Counter(), Counter(), Counter(), []
    for name, label in sorted(labels.items()):
        cards = answers[name]["data"].get("content", [])
        truth, numbers = label["number"], [card["number"] for card in cards]
        if legible(truth):
            outcome = "right" if truth in numbers else "wrong" if numbers else "not legible"
            kind = KINDS[label["kind"]]
            for group in (kind, f"{kind}, {label['print']}"):
                outcomes.setdefault(group, Counter())[outcome] += 1
            if outcome != "right":
                notes.append(f"{name} {label['kind']} {label['print']}: {describe(numbers[0] if numbers else '', truth)}")
        elif not truth:
            negatives["read" if numbers else "unread"] += 1
            if numbers:
                notes.append(f"{name} {label['kind']}: a number was read where there is none")
        # Of several cards one is labelled; a number with a digit that nobody can tell proves nothing.
        if int(label["cards"] or 1) == 1 and (legible(truth) or not truth):
            for card in cards:
                if card["prob"] >= SURE:
                    sure["right" if card["number"] == truth else "wrong"] += 1
        read = [card["valid_date"] for card in cards if card["valid_date"]]
        if label["valid_date"]:
            dates["right" if label["valid_date"] in read else "wrong" if read else "missed"] += 1
        else:
            dates["invented" if read else "rightly none"] += 1

    print(f"{len(labels)} real pictures, {sum(outcomes[kind].total() for kind in set(KINDS.values()))} with a legible number")
    print(f"{'':32} {'right':>6} {'wrong':>6} {'not legible':>12}")
    for group, counts in sorted(outcomes.items()):
        columns = f"{counts['right']:6} {counts['wrong']:6} {counts['not legible']:12}"
        print(f"{group:32} {columns}   {counts['right'] / counts.total():.1%} of {counts.total()}")
    print(f"answers with prob >= {SURE} right: {share(sure['right'], sure.total())}")
    expected = dates["right"] + dates["wrong"] + dates["missed"]
    print(f"expiry dates right: {share(dates['right'], expected)}, wrong {dates['wrong']}, missed {dates['missed']}")
    print(f"expiry dates invented: {share(dates['invented'], dates['invented'] + dates['rightly none'])} cards without one")
    print(f"pictures without a number that were read: {share(negatives['read'], negatives.total())}")
    print(f"median {statistics.median(answer['elapsed_ms'] for answer in answers.values()):.0f} ms a picture")
    for note in notes:
        print(f"  {note}")

    real = outcomes.get(REAL, Counter())
    if real["right"] < args.min_real * real.total():
        sys.exit(f"fewer than {args.min_real:.0%} of {REAL} were read whole")
    if args.min_real and negatives["read"]:
        sys.exit("a number was read on a picture that has none")


if __name__ == "__main__":
    main()
