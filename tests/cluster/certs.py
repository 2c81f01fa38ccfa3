# SPDX-License-Identifier: Apache-2.0
"""Authorities and certificates, made as ovn-ha.conf(5) tells."""

import subprocess
from pathlib import Path

EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


class Authority:
    """A CA in a folder of its own, with the certificates that it signed:
    NAME-key.pem, NAME-cert.pem, and ca.pem."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True)
        self.ca = self.folder / "ca.pem"
        self.openssl("req", "-x509", *EC, "-days", "3650", "-subj",
                     "/CN=ovn-ha CA", "-keyout", "ca-key.pem", "-out",
                     "ca.pem")

    def openssl(self, *args):
        subprocess.run(["openssl", *args], check=True, cwd=self.folder,
                       capture_output=True)

    def issue(self, name, san=None, days=365, file=None):
        """Signs a certificate for 'name', with 0 days one that has expired by
        the next second.  Returns the names of its files less their ends."""
        file = file or name
        san = ["-addext", f"subjectAltName={san}"] if san else []
        self.openssl("req", *EC, "-subj", f"/CN={name}", *san, "-keyout",
                     f"{file}-key.pem", "-out", f"{file}.csr")
        self.openssl("x509", "-req", "-in", f"{file}.csr", "-CA", "ca.pem",
                     "-CAkey", "ca-key.pem", "-CAcreateserial", "-days",
                     str(days), "-copy_extensions", "copy", "-out",
                     f"{file}-cert.pem")
        return self.folder / file

    def install(self, node, days=365):
        """Puts a certificate of its own on a node of a lab.  Returns the
        section of ovn-ha.conf that has its log shipping use it."""
        prefix = self.issue(node.name, days=days)
        text = "[replication]\n"
        for option, file in (("private-key", f"{prefix}-key.pem"),
                             ("certificate", f"{prefix}-cert.pem"),
                             ("ca-cert", self.ca)):
            path = f"/etc/ovn-ha/{option}.pem"
            node.root(path).write_text(Path(file).read_text())
            text += f"{option} = {path}\n"
        return text

    def is_valid(self, prefix):
        """What openssl says of a certificate."""
        return subprocess.run(
            ["openssl", "verify", "-CAfile", str(self.ca),
             f"{prefix}-cert.pem"], capture_output=True).returncode == 0
