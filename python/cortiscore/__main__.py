"""`python -m cortiscore ...` is `cortiscore ...`."""
from .binary import main

main()
