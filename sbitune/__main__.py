"""`python -m sbitune`."""

from sbitune.cli.main import main

main()
