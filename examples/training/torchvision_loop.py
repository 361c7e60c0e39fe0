"""Train a torchvision model in a plain PyTorch loop, and see how brain-like it becomes.

    python torchvision_loop.py --data imagenet/train --size 224 -b Cowley2023.V4-pls --steps 100000 --every 500
"""
import argparse
import itertools

import torch
import torchvision
from torch.utils.data import DataLoader
from torch.utils.tensorboard import SummaryWriter
from torchvision import transforms

import cortiscore

parser = argparse.ArgumentParser()
parser.add_argument("--data", help="a folder of images, one folder a class; random images without it")
parser.add_argument("--model", default="resnet18")
parser.add_argument("--steps", type=int, default=1000)
parser.add_argument("--batch", type=int, default=32)
parser.add_argument("--size", type=int, default=64)
parser.add_argument("-b", "--benchmark", action="append", required=True)
parser.add_argument("--layer", default="layer3")
parser.add_argument("--every", type=int, default=500)
parser.add_argument("--results", default="results")
parser.add_argument("--run", default="loop", help="a name for this training, which no other in the store has")
args = parser.parse_args()

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
augment = transforms.Compose([transforms.RandomResizedCrop(args.size), transforms.RandomHorizontalFlip(), transforms.ToTensor(),
                              transforms.Normalize(MEAN, STD)])
if args.data:
    dataset = torchvision.datasets.ImageFolder(args.data, augment)
else:
    dataset = torchvision.datasets.FakeData(256, (3, args.size, args.size), 10, augment)
loader = DataLoader(dataset, args.batch, shuffle=True, drop_last=True)

device = "cuda" if torch.cuda.is_available() else "cpu"
model = torchvision.models.get_model(args.model, num_classes=len(getattr(dataset, "classes", range(10)))).to(device)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, args.steps)
writer = SummaryWriter()

probe = cortiscore.Probe(args.benchmark, layers=args.layer, every=args.every, input_size=args.size, mean=MEAN, std=STD, results=args.results, run=args.run,
                         on_result=lambda found: [writer.add_scalar(name, value, found.step) for name, value in found.metrics.items()])
with probe:
    probe.step(0, model)
    batches = itertools.chain.from_iterable(itertools.repeat(loader))
    for step, (images, labels) in enumerate(itertools.islice(batches, args.steps), 1):
        loss = torch.nn.functional.cross_entropy(model(images.to(device)), labels.to(device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        writer.add_scalar("loss", loss.item(), step)
        probe.step(step, model, epoch=step / len(loader))
writer.close()
