"""Write a network as a .pt2 archive (torch.export: a graph as JSON plus raw weights) with a table of its layers.

    cortiscore model export torchvision:resnet18 -o resnet18.pt2 [--weights FILE]

From Python: cortiscore.export(model, "net.pt2", input_size=224, mean=..., std=...)
"""
import argparse
import logging
import pathlib
import sys
import warnings

from .binary import ask
from .recordings import BadInput, Parser, run

HELP = ("torchvision:NAME, timm:NAME, hf:FOLDER (or a name on the hub), FILE.py:FUNCTION (returning a module, or a module and "
        "{'input_size': N, 'mean': ..., 'std': ...}), pixels or efficientnet_lite0")


def check_runs(source, path):
    """Asks the engine whether it runs an archive; one that it does not is not left behind."""
    try:
        ask("model", "inspect", path)
    except BadInput as error:
        from .exporter import refused

        path.unlink()
        why = str(error).removeprefix(f"{path}: ").removesuffix(" Export the network again with `cortiscore model export`.")
        raise refused(source, f"a network that the engine does not run ({why.rstrip('.')})", "operators of docs/formats.md",
                      "Write that step with other operators, or export the module that comes before it") from None


def main():
    parser = Parser(prog="cortiscore model export", description=__doc__,
                    formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", help=HELP)
    parser.add_argument("-o", "--output", type=pathlib.Path, help="archive to write (default: NAME.pt2)")
    parser.add_argument("--weights", help="checkpoint (.pth, .ckpt, .safetensors, ...) of the network; the number of classes is the file's")
    parser.add_argument("--prefix", help="beginning of the names in --weights that are meant, e.g. teacher.")
    parser.add_argument("--pretrained", action="store_true", help="the library's own weights, fetched where they are not here yet (timm, torchvision)")
    parser.add_argument("--seed", type=int, default=0, help="seed of random weights (default 0)")
    parser.add_argument("--input-size", type=int, help="N of the N x N input")
    parser.add_argument("--mean", type=_numbers, help="R,G,B of values in 0..1, where the source does not say")
    parser.add_argument("--std", type=_numbers, help="R,G,B")
    parser.add_argument("--native", action="store_true",
                        help="write native code of AOTInductor instead, with the outputs of --layer (score it with --allow-native-code)")
    parser.add_argument("-l", "--layer", action="append", default=[], help="of --native: a layer; repeat for several")
    parser.add_argument("--identifier", help="the name that results carry (default: the file's stem)")
    arguments = parser.parse_args()
    if arguments.native != bool(arguments.layer):
        parser.error("--native takes --layer, and --layer is of --native alone")
    if arguments.input_size is not None and not 1 <= arguments.input_size <= 8192:
        parser.error(f"--input-size: found {arguments.input_size}, expected 1 to 8192")
    if arguments.weights and arguments.pretrained:
        parser.error("--weights and --pretrained both say which weights: leave one away")
    import torch  # takes seconds, which --help and a slip need not

    from . import sources
    from .exporter import export
    from .native import compile

    torch.manual_seed(arguments.seed)
    asked = {key: getattr(arguments, key) for key in ("input_size", "mean", "std") if getattr(arguments, key)}
    model, options = sources.build(arguments.source, weights=arguments.weights, prefix=arguments.prefix, pretrained=arguments.pretrained, asked=asked)
    options |= asked
    output = arguments.output or pathlib.Path(arguments.source.replace(":", "_").rpartition("/")[2] + ".pt2")
    write = compile if arguments.native else export
    if arguments.native:
        options["layers"] = arguments.layer
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", UserWarning)
        table = write(model, output, **{"identifier": arguments.identifier, **options})
    if not arguments.native:
        check_runs(arguments.source, output)
    for warning in said:
        if pathlib.Path(warning.filename).parent == pathlib.Path(__file__).parent:
            print(f"note: {warning.message}", file=sys.stderr)
    print(f"{output}: {len(table['layers'])} layers, input {options['input_size']} x {options['input_size']}")


def _numbers(text):
    values = [float(value) for value in text.split(",")]
    if len(values) != 3:
        raise ValueError(text)
    return values


if __name__ == "__main__":
    # torch.export speaks of triton and of weights that are not on the CPU; neither concerns who exports a network.
    logging.getLogger("torch.utils.flop_counter").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="torch.*")
    run(main)
