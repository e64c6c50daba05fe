"""Whatever stands in the input is text in a page: no element, attribute or script of its own."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest
from helpers.calling import call

from sbitune.data import yoda
from sbitune.data.bins import Bins
from sbitune.data.formats.apprentice import write_scan
from sbitune.data.parameter import Parameter
from sbitune.data.scan import Scan

#: ends attributes, elements, scripts, comments and styles
EVIL = "'\"--></script></style></title></svg><img src=x onerror=alert(1)><script>alert(2)</script>&amp;"
NAME, UNIT = 'p"><img onerror=x>', "</script><img src=x>"
#: in a path of a histogram
PATH = "/EVIL_<script>alert(2)<_script>\"'&"


class Page(HTMLParser):
    """Elements, attributes and scripts of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.comments: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]

    def handle_comment(self, data):
        self.comments.append(data)


def sound(text: str, scripts: int) -> None:
    page = Page(text)
    assert page.tags.count("script") == scripts
    assert "img" not in page.tags
    assert not [name for name in page.attributes if name.startswith("on")]
    assert not [words for words in page.comments if "<" in words]
    assert text.rstrip().endswith("</html>")
    assert not re.search(r"<(?:script|img)[^>]*>\s*alert", text)


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def card(tmp_path_factory):
    """A fitted card in whose input everything that is text is evil."""
    directory = tmp_path_factory.mktemp("evil") / "<b onclick=alert(1)>"
    directory.mkdir()
    rng, n = np.random.default_rng(1), 24
    edges = np.arange(5.0)
    path = np.array([PATH] * 4 + [PATH + "one"])
    bins = Bins(path, [0, 1, 2, 3, 0], [*edges[:-1], 0.0], [*edges[1:], 1.0])
    theta, slopes = rng.random((n, 2)), rng.normal(size=(2, 5))
    values = 5 + theta @ slopes + 0.01 * rng.normal(size=(n, 5))
    parameters = (Parameter(NAME, 0.0, 1.0, 0.5, UNIT), Parameter("q", 0.0, 1.0))
    runs = tuple(f"{i:04d}{EVIL.replace('/', '_')}" for i in range(n))
    write_scan(directory / "scan.h5", Scan(parameters, theta, values, np.full((n, 5), 0.01), bins, runs))
    data = 5 + np.array([0.4, 0.6]) @ slopes
    labels = dict.fromkeys(("Title", "XLabel", "YLabel", "Citation"), EVIL)
    objects = []
    for name in bins.paths():
        mine = bins.of(name)
        x, half = 0.5 * (bins.low + bins.high)[mine], 0.5 * (bins.high - bins.low)[mine]
        e = np.stack([half, np.full(len(mine), 0.02)], axis=1)
        points = np.stack([x, data[mine]], axis=1)
        objects.append(yoda.Scatter("/REF" + name, points, e, e, annotations=labels))
    yoda.write(directory / "data.yoda", objects)
    title = EVIL.replace("'", "''")
    (directory / "card.yaml").write_text(
        f"title: '{title}'\nscan: {{directory: scan.h5}}\nreference: [data.yoda]\nobservables: {{/EVIL: 1}}\n"
        "surrogate: {kind: polynomial, order: 1}\nfit: {toys: 0}\n"
    )
    call("tune", directory)
    return directory


def test_the_report_is_text(card):
    call("report", card)
    sound((card / "report.html").read_text(), 2)


def test_the_pages_of_the_verbs_are_text(card, tmp_path):
    for words in (("envelopes", card), ("residuals", card / "scan.h5"), ("sensitivities", card)):
        if words[0] == "residuals":
            call("train", card / "scan.h5", "--kind", "polynomial", "--order", 1, "-o", tmp_path / "s.npz")
            words = ("residuals", tmp_path / "s.npz", card / "scan.h5")
        call(*words, "-o", tmp_path / f"{words[0]}.html")
        sound((tmp_path / f"{words[0]}.html").read_text(), 0)


def test_the_posterior_is_text(card):
    call("posterior", card, "--samples", 20, "--warmup", 20, "--chains", 2)
    sound((card / "posterior.html").read_text(), 0)
