"""Compiled loops over events: flat arrays and offsets in, one number or one small row per event out.

All kernels are plain numba functions, compiled once and cached on disk; they release the GIL. They know nothing of
histograms' names or of analyses. `n` counts particles, `m` events; event i holds entries `offsets[i]:offsets[i + 1]`.
"""
