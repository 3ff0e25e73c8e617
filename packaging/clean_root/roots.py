"""Clean roots of Debian 12: made once by debootstrap and kept as an archive, unpacked for each run, entered by chroot."""

import ctypes
import fcntl
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RELEASE = "bookworm"
HERE = Path(__file__).resolve().parent
CONFIG = "/etc/amtsbote/amtsbote.toml"
STATE = "run/systemd/amtsbote"


class Failed(Exception):
    """A step did not hold; says what."""


class Steps:
    """Tells each step with its verdict and time."""

    def __init__(self):
        self.failed = 0

    def __call__(self, name, what, *arguments):
        begin = time.monotonic()
        try:
            found = what(*arguments)
        except (Failed, OSError, KeyError, ValueError) as reason:
            self.failed += 1
            print(f"FAILED  {name}: {reason}", flush=True)
            raise
        print(f"ok      {name} ({time.monotonic() - begin:.1f} s){': ' + found if isinstance(found, str) else ''}", flush=True)
        return found


def verify(holds, what):
    if not holds:
        raise Failed(what)


def run(command, **more):
    """Runs a program of this machine; its output is text."""
    done = subprocess.run(command, capture_output=True, text=True, **more)
    verify(done.returncode == 0, f"{' '.join(map(str, command))}: {(done.stderr or done.stdout).strip()[-2000:]}")
    return done.stdout


def mirror():
    """Where this machine has its packages of Debian from."""
    lines = run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME) $(ORIGIN)", "Created-By: Packages"])
    for line in lines.splitlines():
        uri, codename, origin = line.split(" ", 2)
        if codename == RELEASE and origin == "Debian":
            return uri
    raise Failed(f"this machine's apt knows no mirror of Debian {RELEASE}")


def base(archive, package):
    """Makes the archive if it is not there: the smallest system, and the packages that ours depends on, not installed yet."""
    if archive.exists():
        return
    print(f"==> making a clean root of Debian {RELEASE}, once", file=sys.stderr)
    scratch = Path(tempfile.mkdtemp(prefix="amtsbote-root-"))
    try:
        fill(archive, scratch / "base", package)
    finally:
        # Nothing that is still mounted there is touched.
        subprocess.run(["rm", "-rf", "--one-file-system", scratch], check=True)


def fill(archive, root, package):
    """Installs the system at `root`, and packs it into the archive."""
    run(["debootstrap", "--variant=minbase", RELEASE, root, mirror()])
    shutil.copy(package, root / "tmp/amtsbote.deb")
    chroot = ["chroot", root, "env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8"]
    run([*chroot, "apt-get", "install", "-y", "-qq", "--no-install-recommends", "--download-only", "/tmp/amtsbote.deb"])
    (root / "tmp/amtsbote.deb").unlink()
    archive.parent.mkdir(parents=True, exist_ok=True)
    half = archive.with_suffix(".half")
    run(["tar", "--one-file-system", "-C", root, "-cf", half, "."])
    half.rename(archive)


class Root:
    """One root, and the gateway in it."""

    def __init__(self, folder, archive):
        self.path = folder
        folder.mkdir()
        run(["tar", "-C", folder, "-xpf", archive])
        run(["mount", "-t", "proc", "proc", folder / "proc"])
        # Packages believe that systemd runs; what they tell it is done by a script.
        (folder / "run/systemd/system").mkdir(parents=True)
        shutil.copy(HERE / "systemctl", folder / "usr/bin/systemctl")
        (folder / "usr/bin/systemctl").chmod(0o755)

    def end(self):
        """Stops what runs there, and takes it away."""
        if (self.path / STATE / "pid").exists():
            self.try_run("systemctl", "stop")
        subprocess.run(["umount", self.path / "proc"], check=False)
        shutil.rmtree(self.path, ignore_errors=True)

    def try_run(self, *command, **more):
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
        return subprocess.run(
            ["chroot", self.path, *command], capture_output=True, text=True, env=environment, stdin=subprocess.DEVNULL, **more
        )

    def run(self, *command, **more):
        done = self.try_run(*command, **more)
        verify(done.returncode == 0, f"{' '.join(command)}: {(done.stdout + done.stderr).strip()[-2000:]}")
        return done.stdout

    def gateway(self, *arguments):
        """The program under its own user, on the installed configuration."""
        return self.run("runuser", "-u", "amtsbote", "--", "amtsbote", "--config", CONFIG, *arguments)

    def install(self, package):
        """As an administrator does, but without a network."""
        shutil.copy(package, self.path / "tmp/amtsbote.deb")
        return self.run(
            "apt-get", "install", "-y", "-qq", "--no-install-recommends", "--allow-downgrades", "--reinstall",
            "/tmp/amtsbote.deb",
        )

    def is_active(self):
        return self.try_run("systemctl", "is-active").returncode == 0

    def calls(self):
        """What systemd was told since this was asked last."""
        file = self.path / STATE / "calls"
        lines = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return [line for line in lines if not line.startswith(("is-", "daemon-reload"))]

    def log(self):
        file = self.path / STATE / "log"
        return file.read_text()[-2000:] if file.exists() else ""

    def file(self, path):
        return self.path / path.lstrip("/")

    def mode(self, path):
        """Mode, user and group by name."""
        return self.run("stat", "-c", "%a %U %G", path).strip()

    def configure(self, change):
        """Changes the configuration file in place, so that owner and mode stay."""
        file = self.file(CONFIG)
        text = change(file.read_text())
        with open(file, "w", encoding="utf-8") as target:
            target.write(text)


def loopback_up():
    """Has the loopback of these namespaces answer."""
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", 0x1 | 0x40))


def own_namespaces(*kinds):
    """Starts this program anew in namespaces of its own (`--mount`, `--pid`, `--net`): whatever ends it takes all of that along."""
    if os.environ.get("AMTSBOTE_CLEAN_ROOT") == "inside":
        return
    os.environ["AMTSBOTE_CLEAN_ROOT"] = "inside"
    flags = [*kinds, "--fork", "--kill-child", "--mount-proc"]
    os.execvp("unshare", ["unshare", *flags, sys.executable, *sys.argv])


def own_network():
    """Leaves this machine's network for one with nothing but a loopback; Python knows the call since 3.12 only."""
    new_network = 0x40000000
    verify(ctypes.CDLL(None).unshare(new_network) == 0, "this process gets a network of its own")
    loopback_up()
