"""Blend the weights of two checkpoints of one network, the second trained on from the first (WiSE-FT; Wortsman et al. 2022): what
the second learnt, with less of what it forgot.

python blend.py ../run/recognizer-before ../run/recognizer --share 0.6 --out ../run/recognizer-blended
"""

import argparse
from pathlib import Path

import torch

from trainer import CHECKPOINT


def blended(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor], share: float) -> dict[str, torch.Tensor]:
    """Every weight and statistic between its two values, at `share` of the way to the later."""
    return {
        key: torch.lerp(before[key].float(), value, share) if value.is_floating_point() else value for key, value in after.items()
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path, help="folder of the earlier checkpoint")
    parser.add_argument("after", type=Path, help="folder of the later one")
    parser.add_argument("--share", type=float, default=0.5, help="of the later one, 0 to 1")
    parser.add_argument("--out", type=Path, required=True, help="folder of the blended one, to export or to train on")
    args = parser.parse_args()
    before, after = (
        torch.load(folder / CHECKPOINT, map_location="cpu", weights_only=True) for folder in (args.before, args.after)
    )
    args.out.mkdir(parents=True, exist_ok=True)
    average = blended(before["average"], after["average"], args.share)
    # A training goes on from the blended weights, too.
    net = {key.removeprefix("module."): value for key, value in average.items() if key.startswith("module.")}
    torch.save(after | {"net": net, "average": average}, args.out / CHECKPOINT)


if __name__ == "__main__":
    main()
