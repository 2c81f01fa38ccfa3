# SPDX-License-Identifier: Apache-2.0
"""A cluster of real parts on one machine; `labctl` is its command line."""

from .backup import Backup
from .bmc import Bmc
from .compute import ComputeNode, Workload
from .control import ControlNode, Corosync
from .flows import FlowWatch
from .lab import Lab, labs_folder
from .ledger import Ledger
from .mirror import Mirror
from .ovsdb import Closed, Session
from .pacemaker import Pacemaker
from .prober import Prober
from .raft import Raft
from .shell import CommandError
from .traffic import Traffic
from .wait import Timeout, wait_until
from .writer import Writer

__all__ = ["Backup", "Bmc", "Closed", "CommandError", "ComputeNode", "ControlNode",
           "Corosync", "FlowWatch", "Lab", "Ledger", "Mirror", "Pacemaker",
           "Prober", "Raft", "Session", "Timeout", "Traffic", "Workload",
           "Writer", "labs_folder", "wait_until"]
