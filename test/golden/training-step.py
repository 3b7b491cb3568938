"""Makes vectors-training-step.json: whole training steps of the network by PyTorch's automatic differentiation.

Written from the equations of docs/algorithm.md (sections 2, 4 and 5), in float64. Needs PyTorch >= 2 and nothing else:
    python3 test/golden/training-step.py > test/golden/vectors-training-step.json
"""
import json
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
torch.manual_seed(20261124)

MODALITIES = [dict(name="acc", samples=32, channels=3), dict(name="gyr", samples=24, channels=2)]
CONV = [dict(filters=4, kernel=5, stride=2), dict(filters=6, kernel=3, stride=2)]
EMBEDDING, HIDDEN, CLASSES, WINDOWS = 5, 7, 4, 6
RATE, STEPS, FILL_TEMPERATURE, ALIGN_WEIGHT, ALIGN_TEMPERATURE = 0.1, 3, 0.25, 1.0, 0.2


def parameter(*shape):
    return (0.5 * torch.randn(*shape)).float().double()


def encoder_parameters(channels):
    inputs, parameters = channels, []
    for layer in CONV:
        parameters += [parameter(layer["kernel"] * channels, layer["filters"]), parameter(layer["filters"])]
        channels = layer["filters"]
    pooled = [parameter(2 * channels, EMBEDDING), parameter(EMBEDDING)]
    return parameters + pooled + [parameter(2 * inputs, EMBEDDING)]


def encode(parameters, x):
    mean, power = x.mean(1), x.var(1, unbiased=False)
    statistics = torch.cat([mean.clamp(-4, 4), 0.4 * torch.log(power + 1e-3) + 0.5], -1)
    for i, layer in enumerate(CONV):
        kernel, stride, w, b = layer["kernel"], layer["stride"], parameters[2 * i], parameters[2 * i + 1]
        weight = w.view(kernel, -1, layer["filters"]).permute(2, 1, 0)  # [out, in, tap]
        x = torch.relu(F.conv1d(x.transpose(1, 2), weight, b, stride=stride)).transpose(1, 2)
    pooled = torch.cat([x.mean(1), x.amax(1)], -1)
    embedding = pooled @ parameters[-3] + parameters[-2] + statistics @ parameters[-1]
    return F.layer_norm(embedding, (EMBEDDING,), eps=1e-5)


def filling(z, m, present, prototypes, known):
    """PNR for modality m from the other one; both have the classes of `both`."""
    other = 1 - m
    both = known[m] & known[other]
    distance = ((z[other].detach()[:, None] - prototypes[other][None]) ** 2).mean(-1)
    weights = torch.softmax((-distance / FILL_TEMPERATURE).masked_fill(~both[None], -torch.inf), -1)
    return (weights @ prototypes[m]) * present[:, other : other + 1]


def loss_of(encoders, head, x, present, y, prototypes, known):
    z = [encode(encoders[m], x[m]) for m in range(2)]
    filled = [
        present[:, m : m + 1] * z[m] + (1 - present[:, m : m + 1]) * filling(z, m, present, prototypes, known)
        for m in range(2)
    ]
    logits = torch.relu(torch.cat(filled, -1) @ head[0] + head[1]) @ head[2] + head[3]
    loss = F.cross_entropy(logits, y)
    for m in range(2):
        distance = ((z[m][:, None] - prototypes[m][None]) ** 2).mean(-1)
        scores = (-distance / ALIGN_TEMPERATURE).masked_fill(~known[m][None], -torch.inf)
        own = F.cross_entropy(scores.masked_fill(~known[m][None], -1e9), y, reduction="none")
        loss = loss + ALIGN_WEIGHT * (own * present[:, m] * known[m][y]).mean()
    return loss


def main():
    encoders = [encoder_parameters(m["channels"]) for m in MODALITIES]
    head = [parameter(2 * EMBEDDING, HIDDEN), parameter(HIDDEN), parameter(HIDDEN, CLASSES), parameter(CLASSES)]
    present = torch.tensor([[1, 1], [1, 0], [0, 1], [1, 1], [0, 1], [1, 1]]).double()
    x = [torch.randn(WINDOWS, m["samples"], m["channels"]).float().double() for m in MODALITIES]
    x = [x[m] * present[:, m].view(-1, 1, 1) for m in range(2)]
    y = torch.tensor([0, 1, 2, 3, 1, 2])
    prototypes = [torch.randn(CLASSES, EMBEDDING).float().double() for _ in range(2)]
    known = [torch.tensor([True, True, True, False]), torch.tensor([True, True, True, True])]
    for m in range(2):
        prototypes[m][~known[m]] = 0

    flat = lambda parameters: torch.cat([p.reshape(-1) for p in parameters]).tolist()
    everything = [*encoders[0], *encoders[1], *head]
    out = dict(
        modalities=MODALITIES, conv=CONV, embedding=EMBEDDING, hidden=HIDDEN, classes=CLASSES,
        learningRate=RATE, fillTemperature=FILL_TEMPERATURE, alignWeight=ALIGN_WEIGHT, alignTemperature=ALIGN_TEMPERATURE,
        params=flat(everything), inputs=[i.reshape(-1).tolist() for i in x], present=present.reshape(-1).tolist(),
        labels=y.tolist(), prototypes=flat(prototypes), known=torch.cat(known).int().tolist(), losses=[], after=[],
    )
    for _ in range(STEPS):
        leaves = [p.detach().requires_grad_(True) for p in everything]
        count = 2 * len(CONV) + 3
        groups = [leaves[:count], leaves[count : 2 * count]]
        loss = loss_of(groups, leaves[2 * count :], x, present, y, prototypes, known)
        gradients = torch.autograd.grad(loss, leaves)
        everything = [p.detach() - RATE * g for p, g in zip(leaves, gradients)]
        out["losses"].append(loss.item())
        out["after"].append(flat(everything))
    rounded = lambda v: [rounded(e) for e in v] if isinstance(v, list) else (float(f"{v:.9g}") if isinstance(v, float) else v)
    print(json.dumps({k: rounded(v) for k, v in out.items()}))


main()
