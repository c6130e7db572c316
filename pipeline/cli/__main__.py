"""`python -m pipeline.cli`: the same as `rasd`."""

from pipeline.cli import main

main()
