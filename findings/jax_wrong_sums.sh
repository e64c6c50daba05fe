#!/bin/sh
# jax 0.10.2 on a CPU: a compiled product of a vector and matrices, added to a sum of products, is wrong without a word.
#
# f = v . M + sum_k a_k b_k of (1000, 64) numbers is right when it is not compiled, and off by as much as its size under
# jax.jit; the flag that turns the new fusions of XLA off makes it right again, and 0.10.1 is right as it comes. So are
# 100 rows, and matrices times a vector. Found where members of an ensemble of learned ratios were added to a bilinear
# form: mean ratios of 0.86 in place of 0.99, and a normalisation that made everything worse.
set -e
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/see.py" <<'PY'
import jax
import jax.numpy as jnp
import numpy as np

rng = np.random.default_rng(0)
v, m, a, b = (rng.normal(size=s).astype(np.float32) for s in ((3,), (3, 1000, 64), (64, 2), (1000, 2)))


def f(v, m, a, b):
    return jnp.tensordot(v, m, axes=1) + jnp.sum(a[None] * b[:, None], axis=-1)


exact = np.tensordot(v.astype(float), m.astype(float), axes=1) + b.astype(float) @ a.T.astype(float)
plain, compiled = (np.abs(np.asarray(g(v, m, a, b)) - exact).max() for g in (f, jax.jit(f)))
print(f"jax {jax.__version__}: largest error {plain:.1e} as it is, {compiled:.1e} compiled")
print("wrong" if compiled > 1 else "right", "plain wrong" if plain > 1e-4 else "")
PY
seen() { # version flags
    python3 -m venv "$folder/$1" >/dev/null
    [ -e "$folder/$1/done" ] || "$folder/$1/bin/pip" install -q "jax==$1" "jaxlib==$1" "numpy<3" && touch "$folder/$1/done"
    JAX_PLATFORMS=cpu XLA_FLAGS="$2" "$folder/$1/bin/python" "$folder/see.py"
}
seen 0.10.2 "" | tee "$folder/a"
seen 0.10.2 "--xla_cpu_experimental_ynn_fusion_type=" | tee "$folder/b"
seen 0.10.1 "" | tee "$folder/c"
grep -qx "wrong " "$folder/a" && grep -qx "right " "$folder/b" && grep -qx "right " "$folder/c"
