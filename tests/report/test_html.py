"""Pieces of the page."""

import re

from sbitune.report import html


def test_a_column_that_says_nothing_is_left_out():
    rows = [("a", 1, "", ("", "bad")), ("b", 2, "", ("x", "good"))]
    page = html.table(["name", "n", "nothing", "last"], iter(rows), [1, 2])
    assert re.findall(r"<th[^>]*>(\w+)", page) == ["name", "n", "last"]
    assert page.count("<td") == 6
    assert '<td class="number">2</td><td class="good">x</td>' in page
    # of a table without rows the head is all there is
    assert html.table(["name", "n"], []).count("<th>") == 2
