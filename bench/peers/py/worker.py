"""Runs torchvision's operator, graphs of torch, and NumPy, by the protocol that ../README.md describes."""

import logging
import sys
import time
import warnings

import numpy as np

warnings.filterwarnings("ignore")
ALPHA = 0.25

try:
    import torch
    import torch.nn.functional as F
    import torchvision
    from torchvision.ops import sigmoid_focal_loss
except ImportError as err:  # NumPy can run without
    logging.warning("%s", err)
    torch = None


class Data:
    def __init__(self, rows, cols, type_, x, label):
        self.dtype = {"f32": np.float32, "f64": np.float64}[type_]
        self.x = np.fromfile(x, dtype=self.dtype).reshape(rows, cols)
        self.label = np.fromfile(label, dtype=np.int32)
        self.targets = np.zeros_like(self.x)
        self.convert()
        # What one case needs while it runs is shared by all, so that large shapes fit into memory.
        self.scratch = [np.empty_like(self.x) for _ in range(8)]
        self.result = None
        if torch:
            self.tx = torch.from_numpy(self.x)
            self.leaf = self.tx.clone().requires_grad_()
            self.ttargets = torch.from_numpy(self.targets)
            self.tlabel = torch.from_numpy(self.label).long()

    def convert(self):
        """From labels to a target for each element, and what NumPy's loss derives from that."""
        self.targets.fill(0)
        rows = np.flatnonzero(self.label)
        self.targets[rows, self.label[rows] - 1] = 1
        self.sign = 1 - 2 * self.targets
        self.weight = (1 - ALPHA) + (2 * ALPHA - 1) * self.targets

    def tconvert(self):
        self.ttargets.zero_()
        rows = torch.nonzero(self.tlabel).squeeze(1)
        self.ttargets[rows, self.tlabel[rows] - 1] = 1


class NumpyLoss:
    """Stable in both tails, each step into memory that is there already."""

    def __init__(self, data, gamma, grad):
        self.d, self.gamma = data, gamma
        self.u, self.e, self.r, self.s, self.l, self.q, self.loss, self.grad = data.scratch
        if not grad:
            self.grad = None
        self.sign, self.weight = data.sign, data.weight

    def __call__(self):
        u, e, r, s, l, loss = self.u, self.e, self.r, self.s, self.l, self.loss
        np.multiply(self.d.x, self.sign, out=u)
        np.abs(u, out=e)
        np.negative(e, out=e)
        np.exp(e, out=e)
        np.add(e, 1, out=r)
        np.reciprocal(r, out=r)
        np.multiply(e, r, out=s)  # the smaller of s and q
        np.log1p(e, out=l)
        np.maximum(u, 0, out=loss)
        np.add(l, loss, out=l)
        above = u >= 0
        if self.grad is not None:
            q = self.q
            np.copyto(q, r)
            np.copyto(q, s, where=above)
        np.copyto(s, r, where=above)
        if self.gamma == 2:
            np.multiply(s, s, out=r)
        else:
            np.power(s, self.d.dtype(self.gamma), out=r)
        np.multiply(r, self.weight, out=r)
        np.multiply(r, l, out=loss)
        if self.grad is not None:
            grad = self.grad
            np.multiply(q, l, out=q)
            np.multiply(q, self.d.dtype(self.gamma), out=q)
            np.add(q, s, out=q)
            np.multiply(q, r, out=grad)
            np.multiply(grad, self.sign, out=grad)

    def outputs(self):
        return self.loss, self.grad


if torch:
    scripted_focal_loss = torch.jit.script(sigmoid_focal_loss)

    # The same loss in graphs that are stable in both tails. Which one is the fastest differs between versions.

    @torch.jit.script
    def stable(x, t, gamma: float):
        u = x * (1 - 2 * t)
        s = torch.sigmoid(u)
        power = s * s if gamma == 2.0 else torch.pow(s, gamma)
        return (0.75 - 0.5 * t) * power * F.softplus(u)

    @torch.jit.script
    def stable_log_sigmoid(x, t, gamma: float):
        l = F.logsigmoid(x * (2 * t - 1))  # -softplus(u)
        s = -torch.expm1(l)
        power = s * s if gamma == 2.0 else torch.pow(s, gamma)
        return (0.5 * t - 0.75) * power * l

    @torch.jit.script
    def stable_in_place(x, t, gamma: float):
        u = torch.addcmul(x, x, t, value=-2.0)
        l = F.softplus(u)
        s = u.sigmoid_()
        if gamma == 2.0:
            l.mul_(s).mul_(s)
        else:
            l.mul_(s.pow_(gamma))
        return l.addcmul_(l, t, value=-2.0 / 3.0).mul_(0.75)


class TorchLoss:
    def __init__(self, f, data, grad, warm=True):
        self.f, self.data, self.grad = f, data, grad
        if warm:  # the first calls of a scripted function are spent on optimizing it
            for _ in range(3):
                self()

    def __call__(self):
        data = self.data
        if not self.grad:
            data.result = self.f(data.tx, data.ttargets)
            return
        data.leaf.grad = None
        data.result = self.f(data.leaf, data.ttargets)
        data.result.sum().backward()

    def outputs(self):
        loss = self.data.result.detach().numpy()
        return loss, self.data.leaf.grad.numpy() if self.grad else None


class Inference(TorchLoss):
    def __call__(self):
        with torch.inference_mode():
            super().__call__()


class Conversion:
    def __init__(self, f, data):
        self.f, self.data = f, data

    def __call__(self):
        self.f()

    def outputs(self):
        return self.data.targets, None


def make(data, name, op, gamma):
    grad = op == "both"
    if name == "numpy":
        if op == "targets":
            return Conversion(data.convert, data)
        return NumpyLoss(data, gamma, grad)
    if torch is None:
        return "there is no torch"
    if op == "targets":
        return Conversion(data.tconvert, data) if name == "torchvision" else "the same as torchvision's"
    if name == "torchvision":
        return TorchLoss(lambda x, t: sigmoid_focal_loss(x, t, alpha=ALPHA, gamma=gamma), data, grad, warm=False)
    if name == "torchvision-scripted":
        return TorchLoss(lambda x, t: scripted_focal_loss(x, t, ALPHA, gamma), data, grad)
    graphs = {"torch-graph": stable, "torch-graph-log": stable_log_sigmoid, "torch-graph-inplace": stable_in_place}
    if name == "torch-graph-inplace" and grad:
        return "autograd needs what it overwrites"
    kind = TorchLoss if grad else Inference
    return kind(lambda x, t: graphs[name](x, t, gamma), data, grad)


def main():
    data, cases = None, {}
    info = "python %s; numpy %s" % (sys.version.split()[0], np.__version__)
    if torch:
        info += "; torch %s; torchvision %s" % (torch.__version__, torchvision.__version__)
    print("ready", info, flush=True)
    for line in sys.stdin:
        command, *args = line.split()
        answer = "ok"
        if command == "load":
            data, cases = None, {}
            rows, cols, type_, x, label = args
            data = Data(int(rows), int(cols), type_, x, label)
        elif command == "case":
            number, name, op, gamma, threads = args
            if torch:
                torch.set_num_threads(int(threads))
            case = make(data, name, op, float(gamma))
            if isinstance(case, str):
                answer = "no " + case
            else:
                cases[number] = case
        elif command == "time":
            case = cases[args[0]]
            calls = range(int(args[1]))
            start = time.perf_counter_ns()
            for _ in calls:
                case()
            answer = str(time.perf_counter_ns() - start)
        elif command == "sums":
            loss, grad = cases[args[0]].outputs()
            answer = "%.17g %.17g" % (loss.sum(dtype=np.float64), 0 if grad is None else grad.sum(dtype=np.float64))
        elif command == "dump":
            case = cases[args[0]]
            case()
            loss, grad = case.outputs()
            with open(args[1], "wb") as f:
                loss.tofile(f)
                if grad is not None:
                    grad.tofile(f)
        else:
            sys.exit("worker.py: bad command: " + line)
        print(answer, flush=True)


main()
