"""A program of TensorFlow's as one of jax's: HLO becomes StableHLO inside a `jax.export` artifact."""

import dataclasses
import re

from common.errors import UserError

DTYPES = {"f32": "float32", "f64": "float64", "bf16": "bfloat16", "f16": "float16", "s32": "int32", "s64": "int64",
          "u8": "uint8", "u32": "uint32", "u64": "uint64", "pred": "bool"}  # fmt: skip


def to_artifact(hlo):
    """Serialised HLO -> (jax.export artifact, [(output, input it updates)], number of inputs)."""
    try:
        import flatbuffers  # noqa: F401 (jax.export writes with it)
        import jax
        from jax import export
    except ImportError as error:
        raise UserError(f"an export needs jax and flatbuffers: pip install jax flatbuffers ({error})") from error
    try:  # parts of jax that no public name gives
        from jax._src.interpreters import mlir
        from jaxlib import _jax, xla_client
        from jaxlib.mlir import ir
        from jaxlib.mlir.dialects import stablehlo
    except ImportError as error:
        told = f"jax {jax.__version__} is not supported; constraints.txt names a version that is ({error})"
        raise UserError(told) from error

    computation = xla_client.XlaComputation(hlo)
    header = computation.as_hlo_text().split("\n", 1)[0]
    updates = [(int(o), int(i)) for o, i in re.findall(r"\{(\d+)\}: \((\d+),", header)]
    layout = re.search(r"entry_computation_layout=\{\((.*)\)->\((.*)\)\}", header)

    def types(text):
        found = re.findall(r"\b([a-z]+\d*)\[([\d,]*)\]", text)
        return [jax.ShapeDtypeStruct([int(d) for d in dims.split(",") if d], DTYPES[kind]) for kind, dims in found]

    jax.config.update("jax_enable_x64", True)
    inputs, outputs = types(layout.group(1)), types(layout.group(2))
    with mlir.make_ir_context() as context:
        context.allow_unregistered_dialects = True
        module = ir.Module.parse(_jax.mlir.xla_computation_to_mlir_module(computation))
        erase_copies(module.operation)
        portable = stablehlo.serialize_portable_artifact(module, stablehlo.get_minimum_version())
    # jax makes the shell, a function of the same types; the module inside it is exchanged.
    zeros = jax.jit(lambda *_: tuple(jax.numpy.zeros(output.shape, output.dtype) for output in outputs))
    exported = dataclasses.replace(
        export.export(zeros)(*inputs), mlir_module_serialized=portable, module_kept_var_idx=tuple(range(len(inputs)))
    )
    return exported.serialize(), updates, len(inputs)


def erase_copies(operation):
    """HLO's copies inside loops have no counterpart in StableHLO; a value is its own copy."""
    for region in operation.regions:
        for block in region.blocks:
            for inner in list(block.operations):
                erase_copies(inner.operation)
                if inner.operation.name == "mhlo.copy":
                    inner.operation.results[0].replace_all_uses_with(inner.operation.operands[0])
                    inner.operation.erase()
