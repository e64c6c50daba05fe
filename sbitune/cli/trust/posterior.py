"""`sbitune posterior`: the parameters sampled from their posterior."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sbitune.cli.shared.common import SEEDS, Figures, TerminalReporter, counted, reports

if TYPE_CHECKING:
    from sbitune.fitting.sampling.chains import Posterior
    from sbitune.workflow.cardfit import CardFit


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
    `half_width_ratio` is half the 68 % interval over that of MINOS (else HESSE). `p_value`, of bins, is the posterior
    predictive probability of a larger chi2. Writes the samples, and a page with their picture. The .json has groups of
    arviz: posterior, sample_stats, posterior_predictive (contents measured again), log_likelihood, observed_data.

    Example: sbitune posterior tunes/lep --samples 3000 -o posterior.npz
    """
    from sbitune.cli.shared.families import other_family

    if sampled := other_family([card], "sampled"):
        return sampled(reporter)
    import jax

    from sbitune.cli.shared.fits import posterior_rows
    from sbitune.data.errors import InputError
    from sbitune.data.storage.files import check_suffix
    from sbitune.fitting.sampling.posterior import PosteriorConfig, sample_posterior
    from sbitune.workflow.cardfit import open_fit

    if output:
        check_suffix(output, (".npz", ".json"))
    loaded, family, found = open_fit(card, "posterior", reporter)
    write = family.stage("posterior_written")
    if write is None and predictions is not None:
        raise InputError(f"--predictions: a card of the family {family.name} has no bins to predict")
    keys = jax.random.split(jax.random.key(seed), 2)
    reporter.say(f"sampling {chains} chains of {warmup} + {samples} draws")
    config = PosteriorConfig(warmup=warmup, samples=samples, chains=chains)
    posterior = replace(sample_posterior(keys[0], found.problem, config, found.fit), made_of=dict(found.made_of))
    place = Path(output) if output else loaded.output("posterior.npz")
    each = None if predictions is None else -(-predictions // chains)
    more = (write or _write)(found, keys[1], posterior, place, each)
    for note in posterior.notes:
        reporter.say(note)
    return {
        "converged": posterior.converged,
        "divergences": posterior.divergences,
        **more,
        "parameters": posterior_rows(posterior, found.fit),
        "notes": list(posterior.notes),
        "output": str(place),
        "page": str(place.with_suffix(".html")),
    }


def _write(found: "CardFit", key: Any, posterior: "Posterior", place: Path, predictions: Any) -> Figures:
    """The samples and their page, of families that add nothing."""
    from sbitune.fitting.bridges.arviz_groups import arviz_groups, write_arviz
    from sbitune.report.pieces.posterior import write_posterior

    if place.suffix == ".json":
        write_arviz(place, arviz_groups(posterior))
    else:
        posterior.save(place)
    write_posterior(place.with_suffix(".html"), found.title, posterior, found.fit, found.made_of)
    return {}
