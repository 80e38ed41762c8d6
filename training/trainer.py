"""What both trainings share: the command line, and a loop with checkpoints, schedule, averaged weights and a log."""

import argparse
import math
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset

# In the folder of a run.
CHECKPOINT = "checkpoint.pt"


def arguments(
    doc: str,
    name: str,
    sizes,
    *,
    needs_drawn: bool,
    minutes: float,
    lr_end: float,
    batch: int,
    which: tuple[str, ...] = (),
    may_start: bool = False,
) -> argparse.Namespace:
    """The command line of the training of the network `name`, with some of its defaults. `which` of several is asked first; one
    that `may_start` from another's layers is asked for these."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    if which:
        parser.add_argument("which", choices=which)
    if may_start:
        parser.add_argument("--start", type=Path, help="checkpoint of a network whose layers a new one begins with")
    without = "" if needs_drawn else "; without it only real pictures are used"
    parser.add_argument("--synth", type=Path, required=needs_drawn, help=f"the kahao-synth binary{without}")
    parser.add_argument("--real", type=Path, help="folder of real training data; without it only drawn pictures are used")
    parser.add_argument("--real-share", type=float, default=0.5, help="share of real pictures in a batch")
    parser.add_argument("--size", choices=sizes, default="full")
    parser.add_argument("--run", type=Path, default=Path("../run") / name, help="folder of the checkpoint and log")
    parser.add_argument("--minutes", type=float, default=minutes, help="stop after this long")
    parser.add_argument("--lr", type=float, default=1e-3, help="learning rate at the start")
    parser.add_argument("--lr-end", type=float, default=lr_end, help="learning rate at the end (cosine between)")
    parser.add_argument("--batch", type=int, default=batch)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--smoke", action="store_true", help="a few steps to see that everything runs and the loss falls")
    return parser.parse_args()


def train(
    args: argparse.Namespace,
    net: nn.Module,
    decay: float,
    data_of: Callable[[int], IterableDataset],
    collate: Callable,
    loss_of: Callable,
    held_out_of: Callable[[], list],
    validate: Callable[[nn.Module, list], str],
):
    """Trains `net` and keeps its weights averaged with `decay`. `data_of` a seed gives endless samples, which `collate` makes
    a batch: the pixels, then what `loss_of` takes after the network's output. `held_out_of` gives the samples on which
    `validate` says how good the averaged network is; none, and nothing is said."""
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    # bfloat16 with channels last: 2.3 times as fast as float32 on a CPU with AVX512-BF16 (LOG.md); elsewhere slower.
    half = device.type == "cuda" or torch.cpu._is_avx512_bf16_supported()

    net = net.to(device, memory_format=torch.channels_last)
    average = torch.optim.swa_utils.AveragedModel(
        net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(decay), use_buffers=True
    )
    optimizer = torch.optim.AdamW(net.parameters(), lr=args.lr, weight_decay=1e-2)
    step = 0
    checkpoint = args.run / CHECKPOINT
    if not args.smoke and checkpoint.exists():
        state = torch.load(checkpoint, map_location=device, weights_only=True)
        net.load_state_dict(state["net"])
        average.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        step = state["step"]
        print(f"resumed at step {step}", flush=True)

    workers = 0 if args.smoke else 1
    ahead = 8 if workers else None
    batches = iter(
        DataLoader(
            data_of(args.seed + step), batch_size=args.batch, collate_fn=collate, num_workers=workers, prefetch_factor=ahead
        )
    )
    # Not before the worker has been forked: the threads that OpenCV may start here would be missing there.
    held_out = held_out_of()
    net.train()
    begun = last_save = time.monotonic()
    first_loss = mean_loss = None
    seen = 0
    while True:
        elapsed = time.monotonic() - begun
        if seen >= 20 * args.batch if args.smoke else elapsed > args.minutes * 60:
            break
        progress = min(elapsed / (args.minutes * 60), 1.0)
        # The first hundred steps go slowly: Adam's statistics may be new while the weights are not.
        warm = min(1.0, (seen / args.batch + 1) / 100)
        for group in optimizer.param_groups:
            group["lr"] = warm * (args.lr_end + (args.lr - args.lr_end) * 0.5 * (1 + math.cos(math.pi * progress)))
        pixels, *truth = next(batches)
        pixels = pixels.to(device).float().contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            output = net(pixels).float()
        loss = loss_of(output, *truth)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimizer.step()
        average.update_parameters(net)
        step += 1
        seen += len(pixels)
        mean_loss = loss.item() if mean_loss is None else 0.98 * mean_loss + 0.02 * loss.item()
        first_loss = first_loss or loss.item()
        if not args.smoke and step % 500 == 0:
            rate = seen / (time.monotonic() - begun)
            line = f"step {step} loss {mean_loss:.4f} {validate(average.module, held_out) if held_out else ''} {rate:.0f}/s"
            print(line, flush=True)
            args.run.mkdir(parents=True, exist_ok=True)
            with open(args.run / "log.txt", "a", encoding="utf-8") as log:
                log.write(line + "\n")
        if not args.smoke and time.monotonic() - last_save > 120:
            save(checkpoint, net, average, optimizer, step)
            last_save = time.monotonic()
    if args.smoke:
        assert mean_loss < first_loss, f"the loss did not fall: {first_loss:.3f} to {mean_loss:.3f}"
        rate = seen / (time.monotonic() - begun)
        print(f"smoke: {step} steps, loss {first_loss:.2f} -> {loss.item():.2f}, {rate:.0f}/s")
    else:
        save(checkpoint, net, average, optimizer, step)


def save(path: Path, net, average, optimizer, step: int):
    """Written beside and renamed, so that a stop in the middle leaves the old checkpoint whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {"net": net.state_dict(), "average": average.state_dict(), "optimizer": optimizer.state_dict(), "step": step}
    torch.save(state, path.with_suffix(".new"))
    path.with_suffix(".new").replace(path)
