# SPDX-License-Identifier: Apache-2.0
"""labctl: the lab by hand."""

import argparse
import os
import signal
import sys
import tempfile
import time

from .control import Corosync
from .drill import Drill
from .lab import Lab, labs_folder, remove
from .node import TARGETS
from .shell import CommandError
from .traffic import Traffic
from .wait import Timeout
from .writer import Writer

EPILOG = f"""
A NODE is n1, n2, ... (control) or c1, c2, ... (compute).
A TARGET is a process: {", ".join(sorted(TARGETS))},
all, or a pid as seen from outside.
A SERVICE is what a keeper keeps: corosync, ovn-had, ...
"""


def say(text):
    """A line of progress."""
    print(text, flush=True)


def _bring_up(lab, bare=False, standalone=False):
    """Brings a lab up step by step, with a line for each."""
    begin = time.monotonic()

    def step(text):
        say(f"{time.monotonic() - begin:6.1f} s  {text}")
    try:
        lab.create()
        lab.power_on()
        step(f"{len(lab.nodes)} nodes are on")
        if not bare:
            lab.start_corosync()
            step("corosync is quorate")
            active = _start_databases(lab, standalone)
            step(f"{active.name} is active")
            lab.open_ports(active)
            lab.finish_compute(active)
            step(f"{len(lab.all_workloads())} workloads are up")
        lab.stay()
    except BaseException as err:
        if lab.warden:
            if not isinstance(err, KeyboardInterrupt):
                say(f"Logs are in {lab.collect(tempfile.mkdtemp())}.")
            lab.down()
        raise


def _start_databases(lab, standalone):
    if not standalone:
        return lab.start_ovn_had()
    first = lab.control[0]
    first.enable("central")
    first.start_central()
    return lab.wait_active()


def cmd_up(args):
    """make a lab (an earlier one of the same name goes)"""
    corosync = Corosync.fast() if args.fast else Corosync(
        token_ms=args.token)
    lab = Lab(args.lab, args.control, args.compute, args.workloads, corosync,
              args.build, args.probe_interval)
    _bring_up(lab, args.bare, args.standalone)
    say(f"The lab's folder is {lab.folder}.")


def cmd_drill(args):
    """make a lab, cut the active's power, and tell what happened"""
    lab = Lab(args.lab, corosync=Corosync.fast())
    _bring_up(lab)
    try:
        good = Drill(lab, say).run()
    except BaseException:
        if args.down:
            lab.down()
        raise
    if args.down:
        lab.down()
    else:
        me = os.path.relpath(sys.argv[0])
        if "/" not in me:
            me = f"./{me}"
        say(f"\nLook around:  {me} --lab {lab.name} status   (or shell NODE, "
            "boot NODE, --help)")
        say(f"Take it down: {me} --lab {lab.name} down")
    return 0 if good else 1


def cmd_down(args):
    """end a lab and remove its folder"""
    remove(args.lab)


def cmd_list(_args):
    """name the labs on this machine"""
    for folder in sorted(labs_folder().glob("*/state.json")):
        name = folder.parent.name
        try:
            lab = Lab.load(name)
            say(f"{name}: {' '.join(n.name for n in lab.nodes.values())}")
        except CommandError as err:
            say(f"{name}: {err}")


def cmd_status(args):
    """show nodes, what they serve and run, and cuts"""
    say(Lab.load(args.lab).status())


def cmd_shell(args):
    """open a shell in a node"""
    node = Lab.load(args.lab)[args.node]
    argv = node.command(["bash"])
    env = {**node.environment(), "PS1": f"[{args.lab} {node.name}] # "}
    os.execvpe(argv[0], argv, env)


def cmd_exec(args):
    """run a command in a node"""
    node = Lab.load(args.lab)[args.node]
    argv = node.command(args.command, args.workload)
    os.execvpe(argv[0], argv, node.environment())


def cmd_crash(args):
    """power cut"""
    Lab.load(args.lab).crash(*args.nodes)


def cmd_boot(args):
    """switch crashed nodes on again"""
    Lab.load(args.lab).boot(*args.nodes, empty_disk=args.empty_disk)


def cmd_cut(args):
    """silence a node, or the way between two"""
    Lab.load(args.lab).cut(args.node, args.peer, one_way=args.one_way,
                           net=args.net)


def cmd_heal(args):
    """undo a cut, or all"""
    Lab.load(args.lab).heal(args.node, args.peer, one_way=args.one_way,
                            net=args.net)


def cmd_partition(args):
    """cut between groups: n1,n2 n3"""
    Lab.load(args.lab).partition(*[g.split(",") for g in args.groups])


def _signaller(number):
    def cmd(args):
        found = Lab.load(args.lab)[args.node].send_signal(
            args.target, getattr(args, "signal", number))
        for process in found:
            say(f"{process.pid} {process.comm}")
    return cmd


def cmd_service(args):
    """start, stop or show services"""
    node = Lab.load(args.lab)[args.node]
    if args.verb == "stop":
        node.service_stop(args.service)
    elif args.verb == "start":
        roles = {"corosync": node.start_corosync,
                 "ovn-had": lambda: node.start_ovn_had(
                     **node.roles.get("ovn-had", {}))} \
            if node.name.startswith("n") else {
                "ovn-controller": node.start_controller}
        if args.service not in roles:
            raise CommandError(f"start what? {', '.join(roles)}")
        roles[args.service]()
    say(f"{args.service}: "
        + ("runs" if node.service_running(args.service) else "stopped"))


def cmd_traffic(args):
    """start, show or stop traffic between workloads"""
    traffic = Traffic(Lab.load(args.lab), rate=args.rate)
    if args.verb == "start":
        traffic.start()
    ways = traffic.stop() if args.verb == "stop" else traffic.ways()
    for way in ways:
        say(str(way))


def cmd_write(args):
    """write for some seconds and show the ledger's sums"""
    lab = Lab.load(args.lab)
    name = f"hand{os.getpid()}"
    with Writer(lab, name, db=args.db, rate=args.rate) as writer:
        say(f"writer {name} runs for {args.seconds} s")
        end = time.monotonic() + args.seconds
        while time.monotonic() < end:
            time.sleep(min(1.0, max(0.0, end - time.monotonic())))
            ledger = writer.ledger()
            say(f"{len(ledger.acknowledged())} acknowledged, "
                f"{len(ledger.unanswered())} not, longest gap "
                f"{ledger.outage().ms:.0f} ms")
    active = lab.wait_active()
    lost = writer.lost(active)
    say(f"{len(lost)} acknowledged writes lost on {active.name}")
    return 1 if lost else 0


def cmd_collect(args):
    """copy all logs and states to a folder"""
    say(str(Lab.load(args.lab).collect(args.folder)))


def _signal_number(text):
    try:
        return signal.Signals(int(text)) if text.isdigit() else \
            signal.Signals["SIG" + text.upper().removeprefix("SIG")]
    except (KeyError, ValueError):
        raise argparse.ArgumentTypeError(f"no signal {text}") from None


def _parser():
    parser = argparse.ArgumentParser(
        prog="labctl", description="A cluster of real parts on one machine.",
        epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lab", default="lab", help="its name [%(default)s]")
    verbs = parser.add_subparsers(dest="verb_", required=True,
                                  metavar="VERB")

    def verb(name, function, *arguments):
        sub = verbs.add_parser(name, help=function.__doc__)
        sub.set_defaults(function=function)
        for names, options in arguments:
            sub.add_argument(*names, **options)

    def arg(*names, **options):
        return names, options

    node, target = arg("node", metavar="NODE"), arg("target",
                                                    metavar="TARGET")
    nodes = arg("nodes", metavar="NODE", nargs="+")
    way = [arg("--one-way", action="store_true",
               help="only from NODE to PEER"),
           arg("--net", default="db", choices=["db", "ul"],
               help="databases' network or the tunnels' [%(default)s]")]
    verb("up", cmd_up,
         arg("--control", type=int, default=3),
         arg("--compute", type=int, default=2),
         arg("--workloads", type=int, default=2, help="a compute node"),
         arg("--build", help="folder with the programs [$OVN_HA_BUILD or "
             "_build]"),
         arg("--token", type=int, default=1000, help="corosync's, in ms"),
         arg("--fast", action="store_true", help="shortest safe detection"),
         arg("--probe-interval", type=int, default=1000,
             help="ovn-remote-probe-interval, in ms"),
         arg("--bare", action="store_true", help="run nothing in the nodes"),
         arg("--standalone", action="store_true",
             help="plain databases on n1 instead of ovn-had"))
    verb("drill", cmd_drill, arg("--down", action="store_true",
                                 help="end the lab afterwards"))
    verb("down", cmd_down)
    verb("list", cmd_list)
    verb("status", cmd_status)
    verb("shell", cmd_shell, node)
    verb("exec", cmd_exec, arg("--workload", help="in this workload"), node,
         arg("command", nargs=argparse.REMAINDER))
    verb("crash", cmd_crash, nodes)
    verb("boot", cmd_boot, arg("--empty-disk", action="store_true"), nodes)
    verb("cut", cmd_cut, node, arg("peer", nargs="?"), *way)
    verb("heal", cmd_heal, arg("node", nargs="?"), arg("peer", nargs="?"),
         *way)
    verb("partition", cmd_partition, arg("groups", nargs="+"))
    for name, number, text in (
            ("stop", signal.SIGSTOP, "SIGSTOP a process"),
            ("cont", signal.SIGCONT, "SIGCONT a process")):
        function = _signaller(number)
        function.__doc__ = text
        verb(name, function, node, target)
    kill = _signaller(signal.SIGKILL)
    kill.__doc__ = "signal a process, SIGKILL by default"
    verb("kill", kill, arg("-s", "--signal", type=_signal_number,
                           default=signal.SIGKILL), node, target)
    verb("service", cmd_service,
         arg("verb", choices=["start", "stop", "show"]), node,
         arg("service", metavar="SERVICE"))
    verb("traffic", cmd_traffic,
         arg("verb", choices=["start", "show", "stop"]),
         arg("--rate", type=int, default=1000))
    verb("write", cmd_write, arg("seconds", type=float),
         arg("--db", choices=["nb", "sb"], default="nb"),
         arg("--rate", type=float, default=100))
    verb("collect", cmd_collect, arg("folder"))
    return parser


def main(argv=None):
    """The command line; returns the exit status."""
    args = _parser().parse_args(argv)
    try:
        return args.function(args) or 0
    except (CommandError, Timeout) as err:
        print(f"labctl: {err}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
