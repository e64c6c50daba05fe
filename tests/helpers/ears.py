"""A reporter that remembers."""

from sbitune.data.reporting import Reporter


class Ears(Reporter):
    def __init__(self):
        self.words = []

    def say(self, text):
        self.words.append(text)
