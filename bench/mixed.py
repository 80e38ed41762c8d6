"""Writes drawn pictures again in other formats and sizes, for bench/soak.py. Needs OpenCV.

python3 bench/mixed.py FOLDER_OF_DRAWN_PICTURES OUT
"""

import argparse
from pathlib import Path

import cv2

# From a thumbnail to what a phone sends after shrinking it.
SIDES = (200, 320, 480, 640, 1000, 1600)
FORMATS = ("jpg", "png", "webp", "bmp", "tif", "gif")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("drawn", type=Path, help="folder of kahao-synth draw")
    parser.add_argument("out", type=Path, help="folder to write to")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for at, path in enumerate(sorted(args.drawn.glob("*.jpg"))):
        picture = cv2.imread(str(path))
        side, kind = SIDES[at % len(SIDES)], FORMATS[(at // len(SIDES)) % len(FORMATS)]
        scale = side / max(picture.shape[:2])
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(args.out / f"{path.stem}.{kind}"), picture)


if __name__ == "__main__":
    main()
