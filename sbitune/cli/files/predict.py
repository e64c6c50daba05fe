"""`sbitune predict`: histograms at given parameters."""

from typing import Any

import click

from sbitune.cli.shared.common import Figures, TerminalReporter, reports


@click.command("predict")
@click.argument("surrogate")
@click.argument("point", nargs=-1)
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False), help="YODA file to write.")
@click.option("--yoda-version", type=click.Choice(["1", "2"]), default="1", show_default=True)
@click.option("--extrapolate", is_flag=True, help="Allow points outside the ranges that the surrogate learnt.")
@reports
def command(
    reporter: TerminalReporter,
    surrogate: str,
    point: tuple[str, ...],
    output: str,
    yoda_version: Any,
    extrapolate: bool,
) -> Figures:
    """Predict the histograms of SURROGATE (surrogate.npz, Professor's ipol.dat, or a card) at POINT: NAME=VALUE for
    every parameter, or files of them (params.dat, results.txt, result.yaml); later ones win. Of a fitted card, what
    POINT does not name is as in its tune. Errors are those of the surrogate.

    Example: sbitune predict tunes/lep StringZ:aLund=0.6 -o prediction.yoda
    """
    from sbitune.data import yoda
    from sbitune.data.storage.files import check_suffix
    from sbitune.tuning.output.predicting import as_scatters, predict_histograms
    from sbitune.tuning.tools.models import open_model, point_of, record_of, values_of_record, values_of_words

    check_suffix(output, (".yoda", ".yoda.gz"))
    opened = open_model(surrogate, reporter)
    parameters = opened.model.parameters
    record = record_of(opened.card)
    given = {} if record is None else values_of_record(record)
    if point or record is None:
        given = given | values_of_words(point, parameters, reporter)
    theta = point_of(parameters, given, extrapolate)
    found = predict_histograms(opened.model, theta)
    for name in found.outside:
        reporter.say(f"{name} is outside the range that the surrogate learnt: its error does not hold there")
    scatters = as_scatters(found, parameters, theta)
    yoda.write(output, scatters, version=int(yoda_version))
    return {
        "parameters": {p.name: float(x) for p, x in zip(parameters, theta, strict=True)},
        "observables": len(scatters),
        "bins": len(found.bins),
        "outside": list(found.outside),
        "output": output,
    }
