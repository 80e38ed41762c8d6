"""Write a trained network as ONNX with its metadata inside, and parity vectors: its inputs and outputs for the Rust test.

python export.py recognizer --synth ../target/release/kahao-synth --note "50 % real strips, 95 min"
python export.py locator --synth ../target/release/kahao-synth --note "50 % real scenes, 40 min"
"""

import argparse
import datetime
import hashlib
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch

from nets import Locator, Recognizer
from stream import read_scenes, read_strips
from train_locator import letterbox

# A pair of drawn inputs is enough to see a difference between engines.
PARITY_COUNT = 2
PARITY_SEED = 987_654_321


def metadata_of(net, note: str, step: int) -> dict[str, str]:
    common = {"step": step, "note": note, "date": datetime.date.today().isoformat(), "license": "MIT OR Apache-2.0"}
    if isinstance(net, Recognizer):
        own = {"alphabet": net.alphabet, "blank": net.blank, "height": net.height, "width": net.width, "stride": net.stride}
    else:
        own = {
            "kinds": " ".join(net.kinds),
            "height": net.size,
            "width": net.size,
            "stride": net.stride,
            "offset_px": net.offset_px,
        }
    input_text = "grey 0..255 as float, normalised inside the model"
    return {key: str(value) for key, value in (own | common | {"input": input_text}).items()}


def parity_inputs(net, synth: Path) -> np.ndarray:
    drawn = read_strips(synth, PARITY_SEED) if isinstance(net, Recognizer) else read_scenes(synth, PARITY_SEED)
    pictures = [next(drawn)[0] for _ in range(PARITY_COUNT)]
    return np.stack(pictures if isinstance(net, Recognizer) else [letterbox(p) for p in pictures])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=["recognizer", "locator"])
    parser.add_argument("--size", choices=Locator.widths, default="full", help="a small one's NAME below ends in -small")
    parser.add_argument("--run", type=Path, default=Path("../run"), help="folder with NAME/checkpoint.pt")
    parser.add_argument("--models", type=Path, default=Path("../models"), help="where NAME.onnx and SHA256SUMS go")
    parser.add_argument("--parity", type=Path, default=Path("../testdata/parity"), help="where NAME.bin goes")
    parser.add_argument("--synth", type=Path, required=True, help="the kahao-synth binary, for the parity inputs")
    parser.add_argument("--note", default="", help="how it was trained, kept in the file")
    args = parser.parse_args()

    net = {"recognizer": Recognizer, "locator": Locator}[args.name](args.size)
    name = args.name if args.size == "full" else f"{args.name}-{args.size}"
    state = torch.load(args.run / name / "checkpoint.pt", map_location="cpu", weights_only=True)
    average = torch.optim.swa_utils.AveragedModel(net)
    average.load_state_dict(state["average"])
    net = average.module.eval()

    inputs = parity_inputs(net, args.synth)
    height, width = inputs.shape[1:]
    args.models.mkdir(parents=True, exist_ok=True)
    path = args.models / f"{name}.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Strips of short lines are narrower.
        free = {"pixels": {3: "width"}, "output": {1: "columns"}} if isinstance(net, Recognizer) else {}
        torch.onnx.export(net, torch.zeros(1, 1, height, width), path, opset_version=17, dynamo=False,
                          input_names=["pixels"], output_names=["output"], dynamic_axes=free)  # fmt: skip
    model = onnx.load(path)
    onnx.helper.set_model_props(model, metadata_of(net, args.note, state["step"]))
    onnx.save(model, path)

    with torch.no_grad():
        outputs = torch.cat([net(torch.from_numpy(p)[None, None].float()) for p in inputs]).numpy().astype("<f4")
    args.parity.mkdir(parents=True, exist_ok=True)
    with open(args.parity / f"{name}.bin", "wb") as out:
        # u32 count, pixels of an input, values of an output; the inputs as bytes; the outputs as f32; little-endian.
        np.array([len(inputs), height * width, outputs[0].size], "<u4").tofile(out)
        inputs.tofile(out)
        outputs.tofile(out)
    sums = [f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.name}\n" for p in sorted(args.models.glob("*.onnx"))]
    (args.models / "SHA256SUMS").write_text("".join(sums))
    print(f"{path} {path.stat().st_size / 1e6:.2f} MB, step {state['step']}")


if __name__ == "__main__":
    main()
