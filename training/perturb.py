"""Labelled real pictures, each changed as another photograph of the same card might differ: ten times as many to measure on,
and what is read in one of them by luck is not read in the next. Each change makes a folder with the labels `kahao eval` reads.

python perturb.py ../../shared/realdev ../run/perturbed
for folder in ../run/perturbed/*; do ../target/release/kahao eval $folder/labels.csv; done

The pictures are as secret as those they are made of: keep them where /run is, out of the repository.
"""

import argparse
import csv
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

# Longer ones are scaled down to this, px.
LONGEST = 1400
# Columns of labels.csv that a change leaves true.
LABELS = ["file", "kind", "number", "valid_date", "print", "cards"]


def turned(picture: np.ndarray, degrees: float, ground: float = 0.12) -> np.ndarray:
    """Anticlockwise, whole, with so much more ground."""
    h, w = picture.shape[:2]
    sin, cos = abs(np.sin(np.deg2rad(degrees))), abs(np.cos(np.deg2rad(degrees)))
    width, height = round((h * sin + w * cos) * (1 + ground)), round((h * cos + w * sin) * (1 + ground))
    matrix = cv2.getRotationMatrix2D((w / 2, h / 2), degrees, 1)
    matrix[:, 2] += [(width - w) / 2, (height - h) / 2]
    return cv2.warpAffine(picture, matrix, (width, height), flags=cv2.INTER_LINEAR, borderValue=(90, 100, 110))


def aslant(picture: np.ndarray) -> np.ndarray:
    """Seen from the lower right."""
    h, w = picture.shape[:2]
    corners = np.float32([[0, 0], [w, 0], [w, h], [0, h]])
    seen = np.float32([[0.14 * w, 0.17 * h], [0.98 * w, 0.02 * h], [0.95 * w, 0.97 * h], [0.05 * w, 0.86 * h]])
    return cv2.warpPerspective(picture, cv2.getPerspectiveTransform(corners, seen), (w, h), borderValue=(60, 60, 60))


def afar(picture: np.ndarray, share: float = 0.45) -> np.ndarray:
    """On ground of which it takes so much of each side."""
    h, w = picture.shape[:2]
    ground = np.full((round(h / share), round(w / share), 3), 120, np.uint8)
    top, left = (ground.shape[0] - h) // 3, (ground.shape[1] - w) // 2
    ground[top : top + h, left : left + w] = picture
    return ground


def dark(picture: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(1).normal(0, 5, picture.shape)
    return np.clip(picture * 0.25 + noise, 0, 255).astype(np.uint8)


def narrow(picture: np.ndarray, width: int = 400) -> np.ndarray:
    return cv2.resize(picture, None, fx=width / picture.shape[1], fy=width / picture.shape[1], interpolation=cv2.INTER_AREA)


CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "turned-15": lambda picture: turned(picture, 15),
    "turned-325": lambda picture: turned(picture, -35),
    "turned-60": lambda picture: turned(picture, 60),
    "turned-90": lambda picture: turned(picture, 90, 0),
    "turned-180": lambda picture: turned(picture, 180, 0),
    "aslant": aslant,
    "afar": afar,
    "dark": dark,
    "blurred": lambda picture: cv2.GaussianBlur(picture, (0, 0), picture.shape[1] / 500),
    "narrow": narrow,
    "jpeg-15": lambda picture: picture,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("real", type=Path, help="folder with cards/ and labels.csv")
    parser.add_argument("out", type=Path, help="gets a folder for each change")
    args = parser.parse_args()
    with open(args.real / "labels.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for name, change in CHANGES.items():
        folder = args.out / name
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / "labels.csv", "w", encoding="utf-8", newline="") as file:
            labels = csv.DictWriter(file, LABELS)
            labels.writeheader()
            labels.writerows({column: row[column] for column in LABELS} for row in rows)
        for row in rows:
            picture = cv2.imread(str(args.real / "cards" / row["file"]))
            scale = min(LONGEST / max(picture.shape), 1)
            picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            quality = 15 if name == "jpeg-15" else 90
            cv2.imwrite(str(folder / row["file"]), change(picture), [cv2.IMWRITE_JPEG_QUALITY, quality])


if __name__ == "__main__":
    main()
