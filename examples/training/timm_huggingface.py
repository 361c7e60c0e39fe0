"""Train a timm model with the Hugging Face Trainer, and keep the checkpoint that predicts the brain best.

    python timm_huggingface.py --data imagenet/train -b Cowley2023.V4-pls --model vit_small_patch16_224 --layer blocks.8 --size 224
"""
import argparse

import timm
import torch
import torchvision
from transformers import Trainer, TrainingArguments

import cortiscore
from cortiscore.integrations.transformers import HuggingFaceProbe

parser = argparse.ArgumentParser()
parser.add_argument("--data", help="a folder of images, one folder a class; random images without it")
parser.add_argument("--model", default="resnet10t")
parser.add_argument("--steps", type=int, default=1000)
parser.add_argument("--size", type=int, default=64)
parser.add_argument("-b", "--benchmark", action="append", required=True)
parser.add_argument("--layer", default="layer3")
parser.add_argument("--every", type=int, default=500)
parser.add_argument("--results", default="results")
parser.add_argument("--run", default="hugging-face", help="a name for this training, which no other in the store has")
parser.add_argument("--resume", help="a checkpoint of it to go on from")
args = parser.parse_args()


class Classifier(torch.nn.Module):
    """What the Trainer wants: a loss from a batch."""

    def __init__(self, backbone):
        super().__init__()
        self.backbone = backbone

    def forward(self, images, labels):
        logits = self.backbone(images)
        return {"loss": torch.nn.functional.cross_entropy(logits, labels), "logits": logits}


own = timm.get_pretrained_cfg(args.model)
transform = timm.data.create_transform(args.size, is_training=True, mean=own.mean, std=own.std)
data = (torchvision.datasets.ImageFolder(args.data, transform) if args.data
        else torchvision.datasets.FakeData(256, (3, args.size, args.size), 10, transform))
backbone = timm.create_model(args.model, num_classes=len(getattr(data, "classes", range(10))))
train, test = torch.utils.data.random_split(data, [0.9, 0.1])

arguments = TrainingArguments("runs", max_steps=args.steps, per_device_train_batch_size=32, learning_rate=1e-3, logging_steps=10,
                              eval_strategy="steps", eval_steps=args.every, save_steps=args.every, load_best_model_at_end=True,
                              metric_for_best_model=f"cortiscore/{args.benchmark[0]}/ceiled", greater_is_better=True,
                              report_to=["tensorboard"], remove_unused_columns=False)
trainer = Trainer(Classifier(backbone), arguments, train_dataset=train, eval_dataset=test,
                  data_collator=lambda rows: dict(zip(("images", "labels"), torch.utils.data.default_collate(rows))))

probe = cortiscore.Probe(args.benchmark, layers=args.layer, every=args.every, input_size=args.size, mean=own.mean, std=own.std, results=args.results,
                         run=args.run, resume=bool(args.resume))
HuggingFaceProbe(probe, network="backbone").attach(trainer)
trainer.train(resume_from_checkpoint=args.resume)
print("best:", trainer.state.best_model_checkpoint, trainer.state.best_metric)
