"""What a result was made of."""

from collections.abc import Mapping

from sbitune.report.pieces.parts import Table, table


def provenance_table(provenance: Mapping[str, object]) -> Table:
    """Versions, hashes and seeds of a result, see `sbitune.workflow.results.provenance`."""
    rows = [(key.replace("_", " "), _plain(value)) for key, value in provenance.items()]
    return table(["provenance", ""], rows)


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k} {v}" for k, v in value.items())
    return str(value)
