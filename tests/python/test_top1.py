"""Pretrained networks name the labelled photos as plain PyTorch does on the same files, prediction by prediction."""
import csv
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from conftest import ROOT, run, run_json, write

sys.path.insert(0, str(ROOT / "python"))
from cortiscore import export

BATCH = 16  # the engine's micro-batch: equal bits need equal shapes


@pytest.fixture
def photos(real_data):
    """One photo a class of ImageNet, with labels: not the validation set."""
    folder = real_data / "imagenet_sample_images_1000"
    if not (folder / "labels.csv").is_file():
        pytest.skip(f"needs the labelled photos in {folder}")
    with open(folder / "labels.csv", encoding="utf-8") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["wnid"])
    return [folder / "images_256_jpeg85" / row["file"] for row in rows], np.array([int(row["class_index_sorted_wnid"]) for row in rows])


def pytorch_outputs(model, files, size):
    torch.set_num_threads(1)
    outputs = []
    with torch.no_grad():
        for begin in range(0, len(files), BATCH):
            images = [np.asarray(Image.open(f).convert("RGB").resize((size, size), Image.BILINEAR), np.float32) for f in files[begin:begin + BATCH]]
            x = torch.from_numpy(np.ascontiguousarray(np.stack(images).transpose(0, 3, 1, 2))) / 255
            x = torch.cat([x, x[-1:].expand(BATCH - len(x), -1, -1, -1)])
            outputs.append(model(x)[:len(images)])
    return torch.cat(outputs).numpy()


def check(name, photos, models, tmp_path):
    sys.path.insert(0, str(models))
    import zoo

    files, labels = photos
    builder, size, _, published = zoo.ZOO[name]
    model = builder().eval()
    expected = pytorch_outputs(model, files, size)
    export(model, tmp_path / "net.pt2", input_size=size)
    layer = run_json("model", "inspect", tmp_path / "net.pt2")["layers"][-1]
    stimuli = write(tmp_path / "stimuli.csv", [{"stimulus_id": f.stem, "filename": str(f)} for f in files])
    done = run("extract", tmp_path / "net.pt2", "--stimuli", stimuli, "--layer", layer["name"], "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    found = np.load(tmp_path / "out" / f"{layer['name']}.npy")
    np.testing.assert_array_equal(found.argmax(1), expected.argmax(1))
    np.testing.assert_array_equal(found, expected)
    top1 = 100 * np.mean(found.argmax(1) - (found.shape[1] - 1000) == labels)  # some have a class "background" first
    print(f"{name}: {top1:.1f} % of these photos, published {published}")
    assert published is None or abs(top1 - published) < 12  # of a thousand photos, some of them known to training


def models_of(real_data):
    if not (real_data / "models" / "zoo.py").is_file():
        pytest.skip(f"needs the pretrained networks in {real_data / 'models'}")
    return real_data / "models"


def test_top1(photos, real_data, tmp_path):
    check("squeezenet1_1", photos, models_of(real_data), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet18_pqf_small", "efficientnet_lite0", "efficientnet_lite2", "resnet50_pqf_large", "mobilenet_v2_greenwaves",
                                  "mobilenet_v1_0.25_128_coral", "mcunet_144", "squeezenet1_0_deepcomp"])
def test_top1_of_more(name, photos, real_data, tmp_path):
    check(name, photos, models_of(real_data), tmp_path)
