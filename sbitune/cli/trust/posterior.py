"""`sbitune posterior`: the parameters sampled from their posterior."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from sbitune.cli.shared.common import SEEDS, Figures, TerminalReporter, counted, reports


@click.command("posterior")
@click.argument("card")
@click.option(
    "--warmup",
    type=counted(20),
    default=150,
    show_default=True,
    help="Draws that are not kept.",
)
@click.option(
    "--samples",
    type=counted(4, 10_000_000),
    default=1000,
    show_default=True,
    help="Draws of each chain.",
)
@click.option("--chains", type=counted(2, 1000), default=4, show_default=True)
@click.option(
    "--predictions", type=counted(20),
    help="Draws, spread over the chains, that predict the bins; default: all, which arviz.loo needs.",
)  # fmt: skip
@click.option("--seed", type=SEEDS, default=1, show_default=True)
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False),
    help="posterior.npz, or .json for arviz (read_arviz); the page of the same name is put beside it. Default: beside "
    "the card.",
)  # fmt: skip
@reports
def command(
    reporter: TerminalReporter,
    card: str,
    warmup: int,
    samples: int,
    chains: int,
    predictions: int | None,
    seed: int,
    output: str | None,
) -> Figures:
    """Sample the posterior of CARD's parameters, uniform prior in the limits of the fit, and compare it with the fit:
    `half_width_ratio` is half the 68 % interval over that of MINOS (else HESSE). `p_value` is the posterior predictive
    probability of a larger chi2. Writes the samples, and a page with their picture. The .json has groups of
    arviz: posterior, sample_stats, posterior_predictive (contents measured again), log_likelihood, observed_data.

    Example: sbitune posterior tunes/lep --samples 3000 -o posterior.npz
    """
    import jax

    from sbitune.fitting.bridges.arviz_groups import arviz_groups, write_arviz
    from sbitune.fitting.sampling.posterior import PosteriorConfig, sample_posterior
    from sbitune.fitting.sampling.predictive import predictive
    from sbitune.report.tune.posterior import write_posterior_page
    from sbitune.tuning.card import load_card
    from sbitune.tuning.output.tables import check_suffix
    from sbitune.tuning.record.result import made_of, tune_of
    from sbitune.tuning.stages.fitted import read_fitted

    if output:
        check_suffix(output, (".npz", ".json"))
    fitted = read_fitted(load_card(card), reporter)
    problem = fitted.problem
    tune = tune_of(fitted.record, problem.parameters)
    keys = jax.random.split(jax.random.key(seed), 2)
    reporter.say(f"sampling {chains} chains of {warmup} + {samples} draws")
    config = PosteriorConfig(warmup=warmup, samples=samples, chains=chains)
    posterior = replace(sample_posterior(keys[0], problem, config, tune), made_of=made_of(fitted.record))
    drawn = predictive(keys[1], posterior, problem, None if predictions is None else -(-predictions // chains))
    place = Path(output) if output else fitted.loaded.output("posterior.npz")
    page = place.with_suffix(".html")
    if place.suffix == ".json":
        write_arviz(place, arviz_groups(posterior, drawn, fitted.measured))
    else:
        posterior.save(place)
    write_posterior_page(page, fitted, posterior, drawn, tune)
    for note in posterior.notes:
        reporter.say(note)
    return {
        "converged": posterior.converged,
        "divergences": posterior.divergences,
        "p_value": drawn.p_value,
        "parameters": _rows(posterior, tune),
        "notes": list(posterior.notes),
        "output": str(place),
        "page": str(page),
    }


def _rows(posterior: Any, tune: Any) -> dict[str, dict[str, Any]]:
    from sbitune.report.tune.posterior import half_widths

    ratios = half_widths(posterior, tune)
    rows = {}
    for i, name in enumerate(posterior.names):
        if name not in ratios:
            continue
        low, high = posterior.intervals()[i]
        rows[name] = {
            "mean": float(posterior.mean[i]),
            "sd": float(posterior.errors[i]),
            "low68": float(low),
            "high68": float(high),
            "r_hat": float(posterior.diagnoses[name].r_hat),
            "ess": float(posterior.diagnoses[name].ess),
            "half_width_ratio": ratios[name],
        }
    return rows
