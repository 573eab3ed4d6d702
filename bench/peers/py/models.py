"""Writes the graphs that onnxruntime runs: stable in both tails, from logits and a target for each element.

Usage: models.py DIRECTORY
"""

import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

ALPHA = 0.25


def model(dtype, gamma, grad, softplus):
    nodes, constants = [], []

    def constant(value):
        name = "c%d" % len(constants)
        constants.append(numpy_helper.from_array(np.array(value, dtype=dtype), name))
        return name

    def op(kind, *inputs, output=None):
        output = output or "v%d" % len(nodes)
        nodes.append(helper.make_node(kind, list(inputs), [output]))
        return output

    sign = op("Add", op("Mul", "t", constant(-2)), constant(1))
    weight = op("Add", op("Mul", "t", constant(2 * ALPHA - 1)), constant(1 - ALPHA))
    u = op("Mul", "x", sign)
    s = op("Sigmoid", u)
    if softplus:
        l = op("Softplus", u)
    else:  # log(1+exp(-|u|)) + max(u, 0)
        e = op("Exp", op("Neg", op("Abs", u)))
        l = op("Add", op("Relu", u), op("Log", op("Add", e, constant(1))))
    power = op("Mul", s, s) if gamma == 2 else op("Pow", s, constant(gamma))
    power = op("Mul", power, weight)
    op("Mul", power, l, output="loss")
    if grad:
        q = op("Sub", constant(1), s)
        bracket = op("Add", s, op("Mul", op("Mul", q, l), constant(gamma)))
        op("Mul", op("Mul", power, sign), bracket, output="grad")

    type_ = helper.np_dtype_to_tensor_dtype(np.dtype(dtype)) if hasattr(helper, "np_dtype_to_tensor_dtype") else {
        np.float32: TensorProto.FLOAT, np.float64: TensorProto.DOUBLE}[dtype]
    info = lambda name: helper.make_tensor_value_info(name, type_, [None, None])
    outputs = [info("loss")] + ([info("grad")] if grad else [])
    graph = helper.make_graph(nodes, "focal", [info("x"), info("t")], outputs, constants)
    m = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)])
    m.ir_version = 8
    onnx.checker.check_model(m)
    return m


def main():
    for name, dtype in ("f32", np.float32), ("f64", np.float64):
        for gamma in 1.5, 2.0, 2.3:
            for op in "loss", "both":
                for softplus in True, False:
                    kind = "softplus" if softplus else "log"
                    onnx.save(model(dtype, gamma, op == "both", softplus),
                              "%s/%s-%s-%g-%s.onnx" % (sys.argv[1], kind, name, gamma, op))


main()
