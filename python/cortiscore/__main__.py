"""`python -m cortiscore ...` is `cortiscore model export ...`."""
import logging
import warnings

# torch.export speaks of triton and of weights that are not on the CPU; neither concerns who exports a network.
logging.getLogger("torch.utils.flop_counter").setLevel(logging.ERROR)
warnings.filterwarnings("ignore", module="torch.*")

from .recordings import run


def main():
    from .export_command import main  # torch is loaded inside the border

    main()


run(main)
