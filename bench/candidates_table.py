"""Which layers of a network compete where none is committed to: of families of torchvision, architectures of timm and, where MODELS is
given, the networks at hand.

    .venv/bin/python bench/candidates_table.py WORK [--models MODELS] [--only NAME ...] [--write]

Weights are random, since structures do not depend on them; archives go to WORK. --write puts the list into docs/layers.md.
"""
import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import textwrap

ROOT = pathlib.Path(__file__).resolve().parents[1]
BINARY = os.environ.get("CORTISCORE_BINARY", str(ROOT / "build/cpu/cortiscore"))
TORCHVISION = ("alexnet vgg16 resnet18 densenet121 inception_v3 googlenet mobilenet_v2 mobilenet_v3_small shufflenet_v2_x1_0 squeezenet1_1 "
               "mnasnet1_0 regnet_y_400mf efficientnet_b0 convnext_tiny vit_b_16 swin_t").split()
TIMM = ("resnet50d seresnet50 res2net50_26w_4s resnext50_32x4d densenet121 inception_v4 efficientnet_b0 mobilenetv3_large_100 convnext_tiny "
        "vit_small_patch16_224 deit_small_patch16_224 beit_base_patch16_224 swin_tiny_patch4_window7_224 mixer_s32_224 resmlp_12_224 "
        "cait_xxs24_224 pvt_v2_b0 poolformer_s12 regnety_004 nfnet_l0 vgg16 xception41 convmixer_768_32 coatnet_0_rw_224").split()


def built(name):
    """(module, input size)"""
    import timm
    import torchvision

    library, _, architecture = name.partition(":")
    if library == "timm":
        module = timm.create_model(architecture, pretrained=False)
        return module, module.default_cfg.get("input_size", (3, 224, 224))[-1]
    options = {"init_weights": False, "aux_logits": True} if architecture in ("googlenet", "inception_v3") else {}
    return getattr(torchvision.models, architecture)(weights=None, **options), 299 if architecture == "inception_v3" else 224


def archives(names, work, models):
    sys.path.insert(0, str(ROOT / "python"))
    from cortiscore import export

    if models:
        sys.path.insert(0, str(models))
        import zoo
        for name, (build, size, *_) in sorted(zoo.ZOO.items()):
            path = work / f"{name}.pt2"
            if not path.exists():
                export(build().eval(), path, input_size=size)
            yield name, path
    for name in names:
        path = work / f"{name.replace(':', '_')}.pt2"
        if not path.exists():
            module, size = built(name)
            export(module.eval(), path, input_size=size)
        yield name, path


def candidates(path):
    done = subprocess.run([BINARY, "model", "inspect", path, "--json"], stdout=subprocess.PIPE, text=True, check=True)
    return [layer["name"] for layer in json.loads(done.stdout)["layers"] if layer["competes"]]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("--models", type=pathlib.Path)
    parser.add_argument("--only", nargs="+")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    names = [f"torchvision:{name}" for name in TORCHVISION] + [f"timm:{name}" for name in TIMM]
    lines = []
    for name, path in archives([name for name in names if not arguments.only or name in arguments.only], arguments.work, arguments.models):
        lines.append(textwrap.fill(f"{name}: {' '.join(candidates(path))}", 130, subsequent_indent="    ", break_long_words=False,
                                   break_on_hyphens=False))
        print(lines[-1], flush=True)
    if arguments.write:
        page = ROOT / "docs/layers.md"
        block = re.compile(r"(?<=<!-- candidates -->\n```\n).*?(?=```)", re.S)
        text = page.read_text()
        assert len(block.findall(text)) == 1, f"{page}: expected one block behind <!-- candidates -->"
        page.write_text(block.sub(lambda _: "\n".join([*lines, ""]), text))


if __name__ == "__main__":
    main()
