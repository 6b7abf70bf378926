"""Without the proof of a death: what a worker held is freed when its time is over, although it may write there yet."""

from tests.safeguards.removal import remove

remove(
    "omnishotd.broker.ledger",
    safeguard="""
        worker.is_condemned = True
        begun = worker.batches[0].jobs
""",
    instead="""
        worker.is_condemned = True
        begun = worker.batches[0].jobs
        for job in begun:
            self._end_lease(job)
""",
)
