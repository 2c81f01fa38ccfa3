# SPDX-License-Identifier: Apache-2.0
"""The ledger of a writer: what it wrote, what was acknowledged, when.

A line is: number, time sent, time acknowledged or -, server, and the reason
when it was not acknowledged.  Times are seconds since 1970."""

from dataclasses import dataclass
from pathlib import Path


@dataclass
class Entry:
    """One write."""
    number: int
    sent: float
    acked: float            # None: not acknowledged.
    server: str
    why: str

    def line(self):
        """As the file holds it."""
        acked = "-" if self.acked is None else f"{self.acked:.6f}"
        return (f"{self.number}\t{self.sent:.6f}\t{acked}\t{self.server}\t"
                f"{self.why}\n")

    @classmethod
    def parse(cls, line):
        """The opposite of line()."""
        number, sent, acked, server, why = line.rstrip("\n").split("\t")
        return cls(int(number), float(sent),
                   None if acked == "-" else float(acked), server, why)


@dataclass
class Gap:
    """A time without acknowledgements."""
    begin: float
    end: float

    @property
    def ms(self):
        """Its length."""
        return (self.end - self.begin) * 1000


class Ledger:
    """What one writer did.  'name' and numbers make the names of the rows."""

    def __init__(self, name, entries, table="Address_Set", db="nb"):
        self.name = name
        self.entries = entries
        self.table = table
        self.db = db

    @classmethod
    def load(cls, path, name, **kwargs):
        """Reads a file; an unfinished last line is none."""
        lines = Path(path).read_text().splitlines(keepends=True)
        return cls(name, [Entry.parse(line) for line in lines
                          if line.endswith("\n")], **kwargs)

    def acknowledged(self):
        """Entries that the database promised to keep."""
        return [e for e in self.entries if e.acked is not None]

    def unanswered(self):
        """Entries that may or may not have been kept."""
        return [e for e in self.entries if e.acked is None]

    def gaps(self, after=0.0):
        """The times between acknowledgements, from 'after' on, longest
        first."""
        times = sorted(e.acked for e in self.acknowledged())
        if self.entries:
            # Waiting in vain at the end counts too.
            times.append(max(times[-1:] + [self.entries[-1].sent]))
        gaps = [Gap(a, b) for a, b in zip(times, times[1:]) if b > after]
        return sorted(gaps, key=lambda gap: -gap.ms)

    def outage(self, after=0.0):
        """The longest gap; of no length when there is none."""
        return (self.gaps(after) or [Gap(after, after)])[0]

    def first_ack(self, after, server=None):
        """When the first write sent after 'after' was acknowledged."""
        times = [e.acked for e in self.acknowledged()
                 if e.sent >= after and server in (None, e.server)]
        return min(times, default=None)

    def row(self, number):
        """The name of a write's row."""
        return f"{self.name}_{number}"

    def lost(self, names):
        """Acknowledged writes that are not among the 'names' of rows."""
        return [e for e in self.acknowledged()
                if self.row(e.number) not in names]

    def kept_unanswered(self, names):
        """Unanswered writes that are there nevertheless: allowed."""
        return [e for e in self.unanswered() if self.row(e.number) in names]
