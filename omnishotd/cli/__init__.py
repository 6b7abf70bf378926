"""The command line. What a command needs beyond click is imported when it runs: a start should not wait for it."""

from omnishotd.cli import config, demo, health, keys, process, serve, top
from omnishotd.cli.program import Program

__all__ = ["main"]

main = Program(
    "omnishotd",
    commands=[serve.serve, process.process, demo.demo, health.health, top.top, config.config, keys.keys],
    help="A host daemon for pictures: producers send frames, isolated processes decode, change and encode them.",
)
