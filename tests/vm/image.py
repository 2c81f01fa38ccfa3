# SPDX-License-Identifier: Apache-2.0
"""What a machine boots: Debian's kernel, unpacked so that QEMU enters it by
PVH (which saves an emulated processor the work), and an initramfs that finds
the root of this very host over 9p; see init."""

import functools
import lzma
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path

QEMU = "qemu-system-x86_64"
BUSYBOX = Path("/bin/busybox")
INIT = Path(__file__).with_name("init")

# Just enough to reach the root; it has the others.
MODULES = ["virtio_pci", "virtio_blk", "virtio_net", "9pnet_virtio", "9p",
           "crc32c_generic", "ext4", "overlay"]

# Offsets in the header of a bzImage; see boot.rst of the kernel.
SETUP_SECTORS, PAYLOAD = 0x1f1, 0x248

# Emulated, these cost more than they give: the kernel switches the first four
# on and off all the time, and hashes are faster without the last two.
WITHOUT = ["smap", "smep", "umip", "pku", "la57", "avx", "avx2"]
CPUS = {"kvm": "host", "tcg": ",".join(
    ["max", *(f"{feature}=off" for feature in WITHOUT)])}

TRY_S = 10          # KVM needs two.


def release():
    """The newest installed kernel that has drivers of both watchdogs."""
    found = [r for r in (p.name.removeprefix("vmlinuz-")
                         for p in Path("/boot").glob("vmlinuz-*"))
             if {"i6300esb.ko", "softdog.ko"} <= {
                 p.name for p in modules(r, "kernel/drivers/watchdog")}]
    return max(found, default=None, key=lambda r: [
        int(part) if part.isdigit() else 0
        for part in r.replace("-", ".").split(".")])


def modules(version, folder):
    """The files of modules in a folder of a kernel's."""
    return (Path("/lib/modules") / version / folder).glob("*.ko")


def missing():
    """What is not installed, as text; None if all is."""
    lacks = [what for what, there in (
        (QEMU, shutil.which(QEMU)), (BUSYBOX, BUSYBOX.exists()),
        ("a kernel with i6300esb and softdog", release())) if not there]
    return f"no {', no '.join(map(str, lacks))}: " \
        "build-aux/install-deps --vm" if lacks else None


def unpack_kernel(packed):
    """The ELF file in a bzImage."""
    sectors = packed[SETUP_SECTORS] or 4
    offset, length = struct.unpack_from("<II", packed, PAYLOAD)
    start = (sectors + 1) * 512 + offset
    return lzma.LZMADecompressor().decompress(packed[start:start + length])


def with_needs(version, names):
    """The files of modules, each after what it needs."""
    folder = Path("/lib/modules") / version
    needs = {}
    for line in (folder / "modules.dep").read_text().splitlines():
        file, _, its = line.partition(":")
        needs[Path(file).name.removesuffix(".ko")] = [*its.split()[::-1], file]
    built_in = (folder / "modules.builtin").read_text()
    order = []
    for name in names:
        if f"/{name}.ko" not in built_in:
            order += [f for f in needs[name] if f not in order]
    return [folder / f for f in order]


def cpio(entries):
    """An archive in the kernel's format, of (name, mode, content)."""
    out = bytearray()
    for i, (name, mode, content) in enumerate(
            [*entries, ("TRAILER!!!", 0, b"")]):
        path = name.encode() + b"\0"
        fields = [i + 1, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0,
                  len(path), 0]
        out += b"070701" + b"".join(b"%08X" % f for f in fields) + path
        out += bytes(-len(out) % 4) + content
        out += bytes(-len(out) % 4)
    return bytes(out)


def initramfs(version):
    """busybox, init, and the modules in the order in which to load them."""
    folder, program, file = 0o040755, 0o100755, 0o100644
    return cpio([
        *((name, folder, b"") for name in (
            "bin", "dev", "proc", "sys", "root", "modules")),
        ("bin/busybox", program, BUSYBOX.read_bytes()),
        ("init", program, INIT.read_bytes()),
        *((f"modules/{i:02}-{path.name}", file, path.read_bytes())
          for i, path in enumerate(with_needs(version, MODULES)))])


class Image:
    """The files, in a folder of their own, and how fast they may run."""

    def __init__(self, folder):
        self.kernel = folder / "vmlinux"
        self.initrd = folder / "initramfs"
        version = release()
        self.kernel.write_bytes(unpack_kernel(
            Path(f"/boot/vmlinuz-{version}").read_bytes()))
        self.initrd.write_bytes(initramfs(version))
        self.accel = "kvm" if self._runs_on_kvm(folder / "kvm.log") \
            else "tcg"

    def arguments(self, accel=None):
        """Of QEMU, for this image."""
        accel = accel or self.accel
        return ["-machine", f"q35,accel={accel}",
                "-cpu", CPUS[accel],
                "-kernel", self.kernel, "-initrd", self.initrd]

    def _runs_on_kvm(self, log):
        """Tried out: there are hosts on which a device answers that cannot
        run this kernel."""
        if not Path("/dev/kvm").exists():
            return False
        with log.open("wb") as out, subprocess.Popen(
                [QEMU, "-nodefaults", "-no-reboot", "-display", "none",
                 "-serial", "stdio", "-m", "512",
                 *self.arguments("kvm"),
                 "-append", "console=ttyS0 quiet panic=-1 LAB_TRY=yes"],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out) as process:
            try:
                return process.wait(TRY_S) == 0
            except subprocess.TimeoutExpired:
                process.kill()
                return False


@functools.cache
def image():
    """The one image of this process, and of those that it starts."""
    # pylint: disable=consider-using-with
    image.folder = tempfile.TemporaryDirectory(prefix="ovn-ha-vm-")
    return Image(Path(image.folder.name))
