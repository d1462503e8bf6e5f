"""An SSH server on loopback, with keys and settings of its own, for as long as a test needs it."""

import contextlib
import getpass
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

HOST = "lab"
"""What the client's ``~/.ssh/config`` calls the server."""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _key(path: Path) -> str:
    """Make a pair of keys and return the public one."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path.with_suffix(".pub").read_text()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[Path]:
    """Run OpenSSH's server, and yield a home folder from which ``ssh lab`` reaches it.

    Skips the test where there is no server, or where it may not run.
    """
    program = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/sbin") or shutil.which("sshd")
    if program is None:
        pytest.skip("OpenSSH's server isn't installed")
    home, port = folder / "home", _free_port()
    (home / ".ssh").mkdir(parents=True, mode=0o700)
    host_key, user_key = _key(folder / "host_key"), _key(home / ".ssh/id_ed25519")
    (folder / "authorized_keys").write_text(user_key)
    (home / ".ssh/known_hosts").write_text(f"[127.0.0.1]:{port} {host_key}")
    (home / ".ssh/config").write_text(
        f"Host {HOST}\n"
        "  HostName 127.0.0.1\n"
        f"  Port {port}\n"
        f"  User {getpass.getuser()}\n"
        f'  IdentityFile "{home / ".ssh/id_ed25519"}"\n'
    )
    settings = folder / "sshd_config"
    settings.write_text(
        f"ListenAddress 127.0.0.1:{port}\n"
        f'HostKey "{folder / "host_key"}"\n'
        f'AuthorizedKeysFile "{folder / "authorized_keys"}"\n'
        "PidFile none\n"
        "StrictModes no\n"
        "UsePAM no\n"
        "PasswordAuthentication no\n"
        "KbdInteractiveAuthentication no\n"
        "Subsystem sftp internal-sftp\n"
    )
    checked = subprocess.run([program, "-t", "-f", settings], capture_output=True, text=True)
    if checked.returncode:
        pytest.skip(f"OpenSSH's server can't run here: {checked.stderr.strip()}")
    with (folder / "said.txt").open("wb") as said:
        server = subprocess.Popen([program, "-D", "-e", "-f", settings], stderr=said)
    try:
        for _ in range(100):
            if _listens(port):
                break
            assert server.poll() is None, (folder / "said.txt").read_text()
            time.sleep(0.1)
        yield home
    finally:
        server.terminate()
        server.wait()
