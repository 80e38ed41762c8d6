"""What both trainings share: the command line, and a loop with checkpoints, schedule, averaged weights and a log."""

import argparse
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from pool import Pool
from real import Part

# In the folder of a run.
CHECKPOINT = "checkpoint.pt"
# Samples of which batches are drawn at first, for each in a batch.
POOL_LEAST = 20


def arguments(
    doc: str,
    sizes,
    *,
    needs_drawn: bool,
    minutes: float,
    lr_end: float,
    batch: int,
    which: Iterable[str] = (),
    default: str | None = None,
    taught: bool = False,
) -> argparse.Namespace:
    """The command line of a training, with some of its defaults. `which` of several kinds is asked first, if there is no
    `default`; one of several may start with another's layers. One that may be `taught` can have a teacher."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    if which:
        parser.add_argument("which", choices=which, nargs="?" if default else None, default=default)
        parser.add_argument("--start", type=Path, help="checkpoint of a network whose layers a new one begins with")
    if taught:
        parser.add_argument("--teacher", type=Path, help="ONNX file of a network that is imitated, besides learning the labels")
    without = "" if needs_drawn else "; without it only real pictures are used"
    parser.add_argument("--synth", type=Path, required=needs_drawn, help=f"the kahao-synth binary{without}")
    parser.add_argument("--real", type=Path, help="folder of real training data; without it only drawn pictures are used")
    parser.add_argument(
        "--all-real",
        dest="part",
        action="store_const",
        const=Part.ALL,
        default=Part.LEARNT,
        help="learn from the held-out fifth, too: for a last round with nothing left to choose",
    )
    parser.add_argument("--real-share", type=float, default=0.5, help="share of real pictures in a batch")
    parser.add_argument(
        "--size", choices=sizes, default=["full"], nargs="+", help="several are trained side by side on the same batches"
    )
    parser.add_argument("--run", type=Path, default=Path("../run"), help="folder of NAME/ or NAME-small/ with checkpoint and log")
    parser.add_argument("--minutes", type=float, default=minutes, help="stop after this long")
    parser.add_argument("--lr", type=float, default=1e-3, help="learning rate at the start")
    parser.add_argument("--lr-end", type=float, default=lr_end, help="learning rate at the end (cosine between)")
    parser.add_argument("--batch", type=int, default=batch)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--workers", type=int, default=1, help="processes that draw")
    parser.add_argument("--pool", type=int, default=0, help="samples kept to be seen again, varied; for a GPU, or a CPU with AMX")
    parser.add_argument("--every", type=int, default=500, help="steps between two lines of the log")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--smoke", action="store_true", help="a few steps to see that everything runs and the loss falls")
    return parser.parse_args()


def begin_with(net: nn.Module, checkpoint: Path | None) -> nn.Module:
    """The network with the layers of another one, if there is a checkpoint of it, that have the same shape: all but the last of a
    recogniser of digits for one of letters."""
    if checkpoint:
        own, other = net.state_dict(), torch.load(checkpoint, map_location="cpu", weights_only=True)["net"]
        net.load_state_dict(own | {key: value for key, value in other.items() if key in own and own[key].shape == value.shape})
    return net


def worker_seed(seed: int) -> int:
    """For the data of one of several processes that draw side by side."""
    worker = get_worker_info()
    return seed + 100_003 * worker.id if worker else seed


class Run:
    """A network in training, with the average of its weights."""

    def __init__(self, net: nn.Module, folder: Path, args: argparse.Namespace, decay: float, device: torch.device):
        self.folder = folder
        self.net = net.to(device, memory_format=torch.channels_last)
        self.average = torch.optim.swa_utils.AveragedModel(
            net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(decay), use_buffers=True
        )
        self.optimizer = torch.optim.AdamW(net.parameters(), lr=args.lr, weight_decay=1e-2)
        self.average.eval()
        self.step = 0
        self.first_loss = self.mean_loss = None
        if not args.smoke and (folder / CHECKPOINT).exists():
            state = torch.load(folder / CHECKPOINT, map_location=device, weights_only=True)
            net.load_state_dict(state["net"])
            self.average.load_state_dict(state["average"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.step = state["step"]
            print(f"{folder.name} resumed at step {self.step}", flush=True)
        self.net.train()

    def learn(self, loss: torch.Tensor, lr: float):
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 5.0)
        self.optimizer.step()
        self.average.update_parameters(self.net)
        self.step += 1
        loss = loss.detach()
        self.first_loss = loss if self.first_loss is None else self.first_loss
        self.mean_loss = loss if self.mean_loss is None else self.mean_loss.lerp(loss, 0.02)

    def save(self):
        save(self.folder / CHECKPOINT, self.net, self.average, self.optimizer, self.step)


@dataclass(frozen=True)
class Task:
    """What a training makes of what."""

    # Of the folder of a run.
    name: str
    # The network of a size.
    net_of: Callable[[str], nn.Module]
    # Of the average of its weights, a step.
    decay: float
    # Endless samples by a seed.
    data_of: Callable[[int], IterableDataset]
    # Samples -> a batch: the pixels, then what `loss_of` takes after the network's output.
    collate: Callable
    # Changes a batch that may have been seen before.
    vary: Callable
    loss_of: Callable
    # Samples on which `validate` says how good the averaged network is; none, and nothing is said.
    held_out_of: Callable[[], list]
    validate: Callable[[nn.Module, list], str]
    # From the first network's average what says of each batch what `loss_of` takes as `opinion`.
    teacher_of: Callable[[nn.Module], Callable[[torch.Tensor], torch.Tensor]] | None = None


def train(args: argparse.Namespace, task: Task):
    """Trains the task's network in each size that is asked for."""
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.backends.cudnn.benchmark = True
    # bfloat16 with channels last: 2.3 times as fast as float32 on a CPU with AVX512-BF16 (LOG.md); elsewhere slower.
    half = device.type == "cuda" or torch.cpu._is_avx512_bf16_supported()

    folders = {size: args.run / (task.name if size == "full" else f"{task.name}-{size}") for size in args.size}
    runs = [Run(task.net_of(size), folder, args, task.decay, device) for size, folder in folders.items()]
    teacher = task.teacher_of(runs[0].average.module) if task.teacher_of else None
    # Nobody teaches himself.
    taught = [run for run in runs if teacher not in (None, run.average.module)]

    workers = 0 if args.smoke else args.workers
    loader = DataLoader(
        task.data_of(args.seed + runs[0].step),
        batch_size=args.batch,
        collate_fn=task.collate,
        num_workers=workers,
        prefetch_factor=8 if workers else None,
        worker_init_fn=lambda _: cv2.setNumThreads(1),
    )
    batches = iter(loader)
    # Not before the workers have been forked: the threads that OpenCV may start here would be missing there.
    held_out = task.held_out_of()
    pool = Pool(batches, args.pool, POOL_LEAST * args.batch, device) if args.pool else None
    begun = last_save = time.monotonic()
    steps = 0
    while True:
        elapsed = time.monotonic() - begun
        if steps >= 20 if args.smoke else elapsed > args.minutes * 60:
            break
        progress = min(elapsed / (args.minutes * 60), 1.0)
        # The first hundred steps go slowly: Adam's statistics may be new while the weights are not.
        warm = min(1.0, (steps + 1) / 100)
        lr = warm * (args.lr_end + (args.lr - args.lr_end) * 0.5 * (1 + math.cos(math.pi * progress)))
        pixels, *truth = pool.draw(args.batch) if pool else (part.to(device) for part in next(batches))
        pixels = pixels.float()
        if pool:
            pixels, *truth = task.vary(pixels, *truth)
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            with torch.no_grad():
                opinion = teacher(pixels).float() if taught else None
            outputs = [run.net(pixels).float() for run in runs]
        for run, output in zip(runs, outputs, strict=True):
            run.learn(task.loss_of(output, *truth, opinion=opinion if run in taught else None), lr)
        steps += 1
        if not args.smoke and steps % args.every == 0:
            rate = steps * args.batch / (time.monotonic() - begun)
            for run in runs:
                said = task.validate(run.average.module, held_out) if held_out else ""
                line = f"step {run.step} loss {run.mean_loss.item():.4f} {said} {rate:.0f}/s{f' of {pool.drawn}' if pool else ''}"
                print(f"{run.folder.name} {line}", flush=True)
                run.folder.mkdir(parents=True, exist_ok=True)
                with open(run.folder / "log.txt", "a", encoding="utf-8") as log:
                    log.write(line + "\n")
        if not args.smoke and time.monotonic() - last_save > 120:
            for run in runs:
                run.save()
            last_save = time.monotonic()
    for run in runs:
        if args.smoke:
            first, last = run.first_loss.item(), run.mean_loss.item()
            assert last < first, f"the loss did not fall: {first:.3f} to {last:.3f}"
            print(
                f"smoke: {run.folder.name} {run.step} steps, loss {first:.2f} -> {last:.2f}, {steps * args.batch / elapsed:.0f}/s"
            )
        else:
            run.save()


def outputs_of(net: nn.Module, pixels: np.ndarray) -> torch.Tensor:
    """What a network in evaluation, such as a run's average, says of pictures N x height x width; on the CPU."""
    device = next(net.parameters()).device
    batches = torch.from_numpy(pixels).unsqueeze(1).float().split(32)
    with torch.no_grad():
        return torch.cat([net(batch.to(device)).cpu() for batch in batches])


def save(path: Path, net, average, optimizer, step: int):
    """Written beside and renamed, so that a stop in the middle leaves the old checkpoint whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {"net": net.state_dict(), "average": average.state_dict(), "optimizer": optimizer.state_dict(), "step": step}
    torch.save(state, path.with_suffix(".new"))
    path.with_suffix(".new").replace(path)
