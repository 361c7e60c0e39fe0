"""Train a LightningModule, and stop when it no longer becomes more brain-like.

    python lightning_module.py --data imagenet/train --size 224 -b Cowley2023.V4-pls --steps 100000 --every 500
"""
import argparse

import lightning.pytorch as pl
import torch
import torchvision
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import TensorBoardLogger
from torchvision import transforms

import cortiscore
from cortiscore.integrations.lightning import LightningProbe

parser = argparse.ArgumentParser()
parser.add_argument("--data", help="a folder of images, one folder a class; random images without it")
parser.add_argument("--steps", type=int, default=1000)
parser.add_argument("--size", type=int, default=64)
parser.add_argument("-b", "--benchmark", action="append", required=True)
parser.add_argument("--layer", default="features.6")
parser.add_argument("--every", type=int, default=500)
parser.add_argument("--results", default="results")
parser.add_argument("--run", default="lightning", help="a name for this training, which no other in the store has")
parser.add_argument("--resume", help="a checkpoint of it to go on from")
args = parser.parse_args()


class Classifier(pl.LightningModule):
    def __init__(self, classes):
        super().__init__()
        self.backbone = torchvision.models.squeezenet1_1(num_classes=classes)

    def training_step(self, batch, index):
        images, labels = batch
        loss = torch.nn.functional.cross_entropy(self.backbone(images), labels)
        self.log("loss", loss)
        return loss

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), 1e-3)


MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
augment = transforms.Compose([transforms.RandomResizedCrop(args.size), transforms.ToTensor(), transforms.Normalize(MEAN, STD)])
data = (torchvision.datasets.ImageFolder(args.data, augment) if args.data
        else torchvision.datasets.FakeData(256, (3, args.size, args.size), 10, augment))
loader = torch.utils.data.DataLoader(data, 32, shuffle=True)

score = f"cortiscore/{args.benchmark[0]}/ceiled"
probe = cortiscore.Probe(args.benchmark, layers=args.layer, every=args.every, input_size=args.size, mean=MEAN, std=STD, results=args.results,
                         run=args.run, resume=bool(args.resume))
trainer = pl.Trainer(max_steps=args.steps, logger=TensorBoardLogger("."), log_every_n_steps=10,
                     callbacks=[LightningProbe(probe, network="backbone"), EarlyStopping(score, mode="max", patience=20),
                                ModelCheckpoint(monitor=score, mode="max", every_n_train_steps=args.every)])
trainer.fit(Classifier(len(getattr(data, "classes", range(10)))), loader, ckpt_path=args.resume)
print("best:", trainer.checkpoint_callback.best_model_path, trainer.checkpoint_callback.best_model_score)
