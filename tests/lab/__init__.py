# SPDX-License-Identifier: Apache-2.0
"""A cluster of real parts on one machine; `labctl` is its command line."""

from .compute import ComputeNode, Workload
from .control import ControlNode, Corosync
from .lab import Lab, labs_folder
from .ledger import Ledger
from .ovsdb import Closed, Session
from .prober import Prober
from .shell import CommandError
from .traffic import Traffic
from .wait import Timeout, wait_until
from .writer import Writer

__all__ = ["Closed", "CommandError", "ComputeNode", "ControlNode", "Corosync",
           "Lab", "Ledger", "Prober", "Session", "Timeout", "Traffic",
           "Workload", "Writer", "labs_folder", "wait_until"]
