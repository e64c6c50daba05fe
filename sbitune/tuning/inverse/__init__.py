"""The inverse model: from bins to parameters. See `model` for the method.

`config` describes it in a card, `training` trains it, `checks` tests it on held-out runs, `summary` describes the
posterior and compares it with the direct fit, `storage` keeps it. Nothing is imported here: cards need `config` only,
which is free of JAX.
"""
