#!/usr/bin/env python3
"""Writes what torchvision.ops.sigmoid_focal_loss computes, forward and backward, as the .npy files beside this script.

    apt-get install python3-numpy python3-torch python3-torchvision
    /usr/bin/python3 testdata/torchvision/make.py

gamma.npy and alpha.npy are the parameters (alpha -1: no weights), label.npy is what the hard targets are made of, in the
convention of focal.Labels. The rest is there once for float64 and once for float32:

    x, hard, soft, dout    [rows, cols]                          logits, |x| <= 8; targets; upstream gradient
    loss                   [hard and soft, gamma, alpha, rows, cols]   reduction "none"
    grad                   the same shape                        its gradient, given dout
    sum                    [hard and soft, gamma, alpha]         reduction "sum"
    sumgrad                as grad                               its gradient

torchvision_test.go compares the package with them. They were made with torch 1.13 and torchvision 0.14.
"""

import pathlib

import numpy as np
import torch
from torchvision.ops import sigmoid_focal_loss

ROWS, COLS = 16, 8
GAMMAS = 0.0, 1.0, 2.0, 2.5
ALPHAS = -1.0, 0.25, 0.5


def results(x, t, dout, gamma, alpha):
    def leaf():
        return torch.from_numpy(x).clone().requires_grad_()

    t, dout = torch.from_numpy(t), torch.from_numpy(dout)
    a, b = leaf(), leaf()
    loss = sigmoid_focal_loss(a, t, alpha=alpha, gamma=gamma, reduction="none")
    loss.backward(dout)
    total = sigmoid_focal_loss(b, t, alpha=alpha, gamma=gamma, reduction="sum")
    total.backward()
    return loss.detach().numpy(), a.grad.numpy(), total.detach().numpy(), b.grad.numpy()


def main():
    torch.set_num_threads(1)
    here = pathlib.Path(__file__).parent
    rng = np.random.default_rng(20)
    x = rng.uniform(-8, 8, (ROWS, COLS))
    label = np.where(rng.random(ROWS) < 0.75, rng.integers(1, COLS + 1, ROWS), 0).astype(np.int32)
    hard = np.zeros((ROWS, COLS))
    rows = np.flatnonzero(label)
    hard[rows, label[rows] - 1] = 1
    soft = rng.random((ROWS, COLS))
    dout = rng.uniform(-2, 2, (ROWS, COLS))

    np.save(here / "gamma.npy", np.array(GAMMAS))
    np.save(here / "alpha.npy", np.array(ALPHAS))
    np.save(here / "label.npy", label)
    for dtype in np.float64, np.float32:
        inputs = {k: v.astype(dtype) for k, v in dict(x=x, hard=hard, soft=soft, dout=dout).items()}
        shape = 2, len(GAMMAS), len(ALPHAS)
        outputs = {
            "loss": np.empty(shape + x.shape, dtype),
            "grad": np.empty(shape + x.shape, dtype),
            "sum": np.empty(shape, dtype),
            "sumgrad": np.empty(shape + x.shape, dtype),
        }
        for i, t in enumerate(("hard", "soft")):
            for j, gamma in enumerate(GAMMAS):
                for k, alpha in enumerate(ALPHAS):
                    r = results(inputs["x"], inputs[t], inputs["dout"], gamma, alpha)
                    for name, value in zip(outputs, r):
                        outputs[name][i, j, k] = value
        for name, value in {**inputs, **outputs}.items():
            np.save(here / f"{np.dtype(dtype).name}_{name}.npy", value)


main()
