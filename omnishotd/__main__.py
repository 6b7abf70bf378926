"""Entry of `python -m omnishotd`: the same as the command `omnishotd`."""

from omnishotd.cli import main

if __name__ == "__main__":
    main(prog_name="omnishotd")
