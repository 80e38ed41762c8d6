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

from nets import NETS, Locator, Recognizer
from stream import read_scenes, read_strips
from train_locator import letterbox
from trainer import CHECKPOINT

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
    read = read_strips if isinstance(net, Recognizer) else read_scenes
    drawn = read(synth, PARITY_SEED, of=net.drawn_by)
    pictures = [next(drawn)[0] for _ in range(PARITY_COUNT)]
    return np.stack(pictures if isinstance(net, Recognizer) else [letterbox(p) for p in pictures])


def steps_of(weights: np.ndarray) -> np.ndarray:
    """For each output channel the step at which its weights are whole numbers from -127 to 127."""
    largest = np.abs(weights).reshape(len(weights), -1).max(axis=1)
    return np.where(largest > 0, largest / 127, 1).astype(np.float32)


def round_weights(net: torch.nn.Module):
    """Folds the batch normalisations into the convolutions and rounds these to whole steps."""
    for block in net.modules():
        if isinstance(block, torch.nn.Sequential) and isinstance(block[0], torch.nn.Conv2d):
            block[0] = torch.nn.utils.fusion.fuse_conv_bn_eval(block[0], block[1])
            block[1] = torch.nn.Identity()
    for layer in net.modules():
        if isinstance(layer, torch.nn.Conv2d):
            step = torch.from_numpy(steps_of(layer.weight.detach().numpy()))[:, None, None, None]
            layer.weight.data = torch.round(layer.weight.data / step) * step


def pack_weights(model: onnx.ModelProto):
    """Stores the convolutions' weights, rounded before, as bytes with a step for each channel: a quarter of the size. The
    engines multiply them out when they load the model (ONNX operator DequantizeLinear)."""
    packed, others = [], []
    for tensor in model.graph.initializer:
        weights = onnx.numpy_helper.to_array(tensor)
        if weights.ndim != 4:
            others.append(tensor)
            continue
        step = steps_of(weights)
        whole = np.round(weights / step[:, None, None, None]).astype(np.int8)
        names = [f"{tensor.name}.whole", f"{tensor.name}.step"]
        others += [onnx.numpy_helper.from_array(part, name) for part, name in zip((whole, step), names, strict=True)]
        packed.append(onnx.helper.make_node("DequantizeLinear", names, [tensor.name], axis=0))
    nodes = packed + list(model.graph.node)
    for field, values in ((model.graph.initializer, others), (model.graph.node, nodes)):
        del field[:]
        field.extend(values)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=NETS)
    parser.add_argument("--size", choices=["full", "small"], default="full", help="a small one's NAME below ends in -small")
    parser.add_argument("--run", type=Path, default=Path("../run"), help="folder with NAME/checkpoint.pt")
    parser.add_argument("--models", type=Path, default=Path("../models"), help="where NAME.onnx and SHA256SUMS go")
    parser.add_argument("--parity", type=Path, default=Path("../testdata/parity"), help="where NAME.bin goes")
    parser.add_argument("--synth", type=Path, required=True, help="the kahao-synth binary, for the parity inputs")
    parser.add_argument("--note", default="", help="how it was trained, kept in the file")
    args = parser.parse_args()

    net = NETS[args.name](args.size)
    name = args.name if args.size == "full" else f"{args.name}-{args.size}"
    state = torch.load(args.run / name / CHECKPOINT, map_location="cpu", weights_only=True)
    average = torch.optim.swa_utils.AveragedModel(net)
    average.load_state_dict(state["average"])
    net = average.module.eval()
    is_packed = type(net) not in (Recognizer, Locator)
    if is_packed:
        round_weights(net)

    inputs = parity_inputs(net, args.synth)
    height, width = inputs.shape[1:]
    args.models.mkdir(parents=True, exist_ok=True)
    path = args.models / f"{name}.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Strips of short lines are narrower, and of a letterbox the black is mostly left out.
        free = {"pixels": {3: "width"}, "output": {1: "columns"}}
        if not isinstance(net, Recognizer):
            free = {"pixels": {2: "height", 3: "width"}, "output": {2: "rows", 3: "columns"}}
        torch.onnx.export(net, torch.zeros(1, 1, height, width), path, opset_version=17, dynamo=False,
                          input_names=["pixels"], output_names=["output"], dynamic_axes=free)  # fmt: skip
    model = onnx.load(path)
    if is_packed:
        pack_weights(model)
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
