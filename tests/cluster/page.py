# SPDX-License-Identifier: Apache-2.0
"""Runs the commands of a page of doc/ as an operator would type them, so that
the page cannot rot.

A command is an indented line that begins with a prompt, the names of the nodes
that run it in turn: "n2 n3# ovn-hactl status".  It goes on in the next line
behind a backslash.  All other text is for people.  A part of a page is what
stands below one heading."""

import re
import time

from lab.shell import TOP, CommandError

PROMPT = re.compile(r"    ([nc]\d(?: [nc]\d)*)# (.*)")
HEADING = re.compile(r"#+ (.*)")
# Addresses of the documentation, and those of the lab.
NETWORKS = [("192.0.2.", "10.10.0.")]


class Page:
    """A page; 'run' are the headings of the parts that were run."""

    def __init__(self, name):
        self.name = name
        self.parts = {}
        self._read((TOP / "doc" / name).read_text())

    def _read(self, text):
        part = open_command = None
        for line in text.splitlines():
            prompt = PROMPT.fullmatch(line)
            if open_command:
                open_command[1] += "\n" + line.removeprefix("    ")
            elif prompt:
                open_command = [prompt[1].split(), prompt[2]]
                part.append(open_command)
            elif HEADING.fullmatch(line):
                heading = HEADING.fullmatch(line)[1]
                assert heading not in self.parts, f"{heading} stands twice"
                part = self.parts[heading] = []
            if open_command and not line.endswith("\\"):
                open_command = None

    def with_commands(self):
        """The headings of all parts that have commands."""
        return {heading for heading, part in self.parts.items() if part}

    def run(self, lab, heading, skip=()):
        """Runs a part, but for nodes to 'skip'; returns what was printed."""
        assert self.parts[heading], f"{heading} has no commands"
        return "".join(self._run(lab, names, command, heading, skip)
                       for names, command in self.parts[heading])

    def _run(self, lab, names, command, heading, skip):
        for ours, theirs in NETWORKS:
            command = command.replace(ours, theirs)
        said = ""
        for name in names:
            if name in skip:
                continue
            began = time.monotonic()
            result = lab[name].exec("bash", "-c", command, check=False,
                                    timeout=90)
            print(f"{time.monotonic() - began:6.2f} s  {name}# {command}")
            said += result.stdout
            if result.returncode:
                raise CommandError(
                    f"doc/{self.name}, {heading}: {name}# {command}\nexit "
                    f"status {result.returncode}: {result.stdout}"
                    f"{result.stderr}")
        return said
