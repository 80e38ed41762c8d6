"""Train the line recogniser on drawn strips with real ones mixed in; stop and resume at will.

python train_recognizer.py --synth ../target/release/kahao-synth --real ../../shared/realdev --minutes 90
python train_recognizer.py --smoke --synth ../target/release/kahao-synth     (seconds, no real pictures, no checkpoint)
"""

import argparse
import math
import random
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F
from torch.utils.data import DataLoader, IterableDataset

import real
from nets import Recognizer, decode_greedy, encode
from stream import read_strips


class MixedStrips(IterableDataset):
    """Endless (strip, text): a share of real ones, the rest drawn."""

    def __init__(self, synth: Path | None, folder: Path | None, real_share: float, seed: int):
        self.synth, self.folder, self.real_share, self.seed = synth, folder, real_share, seed

    def __iter__(self):
        rng = random.Random(self.seed)
        mixer = real.StripMixer(self.folder, self.seed + 1) if self.folder and self.real_share > 0 else None
        drawn = read_strips(self.synth, self.seed) if self.synth and self.real_share < 1 else None
        while True:
            if mixer and rng.random() < self.real_share:
                pixels, text = mixer.draw()
                strip = real.augment(pixels, rng)
            else:
                strip, text = next(drawn)
            if len(text) * 2 < Recognizer.width // Recognizer.stride and text:
                yield strip, text


def collate(batch):
    strips = torch.from_numpy(np.stack([strip for strip, _ in batch])).unsqueeze(1)
    codes = [torch.tensor(encode(text)) for _, text in batch]
    return strips, torch.cat(codes), torch.tensor([len(c) for c in codes])


def validate(net: Recognizer, strips: list[tuple[np.ndarray, str]]) -> tuple[float, float]:
    """Share of strips whose digits are all right, and share of right characters, by greedy decoding."""
    from difflib import SequenceMatcher

    net.eval()
    whole = right = total = 0
    with torch.no_grad():
        for start in range(0, len(strips), 128):
            part = strips[start : start + 128]
            batch = torch.from_numpy(np.stack([s for s, _ in part])).unsqueeze(1).float()
            for text, (_, truth) in zip(decode_greedy(net(batch)), part, strict=True):
                text, truth = text.replace(" ", ""), truth.replace(" ", "")
                whole += text == truth
                right += sum(m.size for m in SequenceMatcher(None, text, truth, autojunk=False).get_matching_blocks())
                total += len(truth)
    net.train()
    return whole / len(strips), right / total


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--synth", type=Path, help="the kahao-synth binary; without it only real strips are used")
    parser.add_argument(
        "--real", type=Path, help="folder with halves/, groups/ and their CSV files; without it only drawn strips are used"
    )
    parser.add_argument("--real-share", type=float, default=0.5, help="share of real strips in a batch")
    parser.add_argument("--size", choices=Recognizer.widths, default="full")
    parser.add_argument("--run", type=Path, default=Path("../run/recognizer"), help="folder of the checkpoint and log")
    parser.add_argument("--minutes", type=float, default=90, help="stop after this long")
    parser.add_argument("--lr", type=float, default=1e-3, help="learning rate at the start")
    parser.add_argument("--lr-end", type=float, default=1e-3, help="learning rate at the end (cosine between)")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--smoke", action="store_true", help="a few steps to see that everything runs and the loss falls")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

    # bfloat16 with channels last: 2.3 times as fast as float32 on a CPU with AVX512-BF16 (LOG.md); elsewhere slower.
    half = device.type == "cuda" or torch.cpu._is_avx512_bf16_supported()

    net = Recognizer(args.size).to(device, memory_format=torch.channels_last)
    average = torch.optim.swa_utils.AveragedModel(
        net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.998), use_buffers=True
    )
    optimizer = torch.optim.AdamW(net.parameters(), lr=args.lr, weight_decay=1e-2)
    step = 0
    checkpoint = args.run / "checkpoint.pt"
    if not args.smoke and checkpoint.exists():
        state = torch.load(checkpoint, map_location=device, weights_only=True)
        net.load_state_dict(state["net"])
        average.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        step = state["step"]
        print(f"resumed at step {step}", flush=True)

    share = args.real_share if args.real else 0.0
    share = 1.0 if not args.synth else share
    loader = iter(
        DataLoader(
            MixedStrips(args.synth, args.real, share, args.seed + step),
            batch_size=args.batch,
            collate_fn=collate,
            num_workers=0 if args.smoke else 1,
            prefetch_factor=None if args.smoke else 8,
        )
    )
    held_out = [(real.plain_strip(p), t) for p, t in real.load_strips(args.real, "halves", validation=True)] if args.real else []
    columns = Recognizer.width // Recognizer.stride

    net.train()
    begun = last_save = time.monotonic()
    first_loss = mean_loss = None
    seen = 0
    while True:
        elapsed = time.monotonic() - begun
        done = seen >= 20 * args.batch if args.smoke else elapsed > args.minutes * 60
        if done:
            break
        progress = min(elapsed / (args.minutes * 60), 1.0)
        # The first hundred steps go slowly: Adam's statistics may be new while the weights are not.
        warm = min(1.0, (seen / args.batch + 1) / 100)
        for group in optimizer.param_groups:
            group["lr"] = warm * (args.lr_end + (args.lr - args.lr_end) * 0.5 * (1 + math.cos(math.pi * progress)))
        strips, codes, lengths = next(loader)
        strips = strips.to(device).float().contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            log_probs = net(strips).float().transpose(0, 1)
        inputs = torch.full((len(strips),), columns, dtype=torch.long)
        loss = F.ctc_loss(log_probs, codes.to(device), inputs, lengths, blank=Recognizer.blank, zero_infinity=True)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimizer.step()
        average.update_parameters(net)
        step += 1
        seen += len(strips)
        mean_loss = loss.item() if mean_loss is None else 0.98 * mean_loss + 0.02 * loss.item()
        first_loss = first_loss or loss.item()
        if not args.smoke and step % 500 == 0:
            whole, characters = validate(average.module, held_out) if held_out else (float("nan"),) * 2
            rate = seen / (time.monotonic() - begun)
            line = f"step {step} loss {mean_loss:.4f} halves whole {whole:.3f} characters {characters:.4f} {rate:.0f}/s"
            print(line, flush=True)
            args.run.mkdir(parents=True, exist_ok=True)
            with open(args.run / "log.txt", "a", encoding="utf-8") as log:
                log.write(line + "\n")
        if not args.smoke and time.monotonic() - last_save > 120:
            save(checkpoint, net, average, optimizer, step)
            last_save = time.monotonic()
    if args.smoke:
        assert mean_loss < first_loss, f"the loss did not fall: {first_loss:.3f} to {mean_loss:.3f}"
        print(
            f"smoke: {step} steps, loss {first_loss:.2f} -> {loss.item():.2f}, {seen / (time.monotonic() - begun):.0f} strips/s"
        )
    else:
        save(checkpoint, net, average, optimizer, step)


def save(path: Path, net, average, optimizer, step: int):
    """Written beside and renamed, so that a stop in the middle leaves the old checkpoint whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {"net": net.state_dict(), "average": average.state_dict(), "optimizer": optimizer.state_dict(), "step": step}
    torch.save(state, path.with_suffix(".new"))
    path.with_suffix(".new").replace(path)


if __name__ == "__main__":
    main()
