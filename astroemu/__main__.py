"""``python -m astroemu``."""

from astroemu.cli import main

main()
