"""PyTorch's own activations, which the engine's are compared with."""
import numpy as np
import torch


def randomise_statistics(model):
    """Random running statistics, so that batch norm is not the identity; returns the model."""
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return model


def calls_of(model, batches, n=None, layers=None):
    """{module: [a call: [n, features] float32]}, copied when a forward hook of these modules (else of all) runs.

    Of several outputs the first; modules whose output has not the batch's axis first are left out.
    """
    torch.set_num_threads(1)
    found, now = {}, {}

    def keep(name):
        def hook(_module, _inputs, output):
            first = output[0] if isinstance(output, (tuple, list)) else output
            if isinstance(first, torch.Tensor):
                now.setdefault(name, []).append(first.detach().to(torch.float32, copy=True))

        return hook

    handles = [m.register_forward_hook(keep(name)) for name, m in model.named_modules() if name and (layers is None or name in layers)]
    with torch.no_grad():
        for batch in batches:
            now.clear()
            model(batch)
            for name, calls in now.items():
                if all(call.shape[:1] == batch.shape[:1] for call in calls):
                    found.setdefault(name, []).append([call.reshape(len(batch), -1).numpy() for call in calls])
    for handle in handles:
        handle.remove()
    return {name: [np.concatenate(step)[:n] for step in zip(*calls)] for name, calls in found.items()}
