"""Asks `kahao bin` for the numbers of the labelled real pictures and compares issuer and type with what the cards print.
Never prints a card number.

python3 bench/issuers.py target/release/kahao
python3 bench/issuers.py target/release/kahao --min-agree 0.98     (exit 1 below that share of names)
"""

import argparse
import csv
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

# Words that cards print for a type, the longest first: 准贷记卡 holds 贷记卡.
PRINTED_TYPES = {
    "准贷记卡": "准贷记卡",
    "贷记卡": "贷记卡",
    "信用卡": "贷记卡",
    "credit": "贷记卡",
    "借记卡": "借记卡",
    "储蓄卡": "借记卡",
    "debit": "借记卡",
    "预付": "预付费卡",
}


def read_type(printed: str) -> str:
    """The type that a card's words name; "" when they name none."""
    return next((kind for word, kind in PRINTED_TYPES.items() if word in printed.lower()), "")


def is_same_bank(printed: str, answer: dict) -> bool:
    """Cards print the legal name without its legal form, or the usual name, with or without more around it."""
    return printed in answer["name"] or printed in answer["bank_short_name"] or answer["bank_short_name"] in printed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kahao", type=Path, help="the binary")
    parser.add_argument("--folder", type=Path, default=Path("../shared/realdev"), help="folder with labels.csv")
    parser.add_argument("--min-agree", type=float, default=0.0, help="least share of names to agree where the table has a row")
    args = parser.parse_args()

    with open(args.folder / "labels.csv", encoding="utf-8") as file:
        labels = [row for row in csv.DictReader(file) if re.fullmatch("[0-9]{13,19}", row["number"])]
    command = [args.kahao.resolve(), "bin", "--json", "-"]
    asked = "".join(f"{row['number']}\n" for row in labels)
    lines = subprocess.run(command, input=asked, stdout=subprocess.PIPE, text=True, check=False).stdout.splitlines()
    if len(lines) != len(labels):
        sys.exit(f"{len(lines)} answers for {len(labels)} numbers")

    names, types, notes = Counter(), Counter(), []

    def count(counter: Counter, row: dict, printed: str, answered: str, agrees: bool):
        outcome = "unknown" if not answered else "agrees" if agrees else "differs"
        counter[outcome] += 1
        if outcome != "agrees":
            notes.append(f"{row['file']} {row['kind']}: printed {printed}, answered {answered or 'nothing'}")

    for row, answer in zip(labels, map(json.loads, lines), strict=True):
        bank, kind = row["bank_printed"], read_type(row["type_printed"])
        if bank:
            count(names, row, bank, answer["bank_short_name"], is_same_bank(bank, answer))
        if kind and answer["name"]:
            count(types, row, row["type_printed"], answer["type"], answer["type"] == kind)

    print(f"{names.total()} numbers with a printed issuer: {dict(names)}")
    print(f"{types.total()} of the known issuers' cards print a type: {dict(types)}")
    for note in notes:
        print(f"  {note}")
    answered = names["agrees"] + names["differs"]
    if names["agrees"] < args.min_agree * answered:
        sys.exit(f"fewer than {args.min_agree:.0%} of the issuers agree")


if __name__ == "__main__":
    main()
