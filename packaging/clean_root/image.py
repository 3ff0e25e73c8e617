#!/usr/bin/env python3
"""Whether the recipe of the image gives what it promises: built from the package, started as its header says, asked for its health, ended.

    image.py PACKAGE --archive FILE

buildah builds it on the clean root that `check.py` takes as well: that stands for the image of Debian which the recipe names. Then the image is
entered by chroot with the user, the command and the health check that it names, without capabilities and on a root that cannot be written: an
engine for containers is not needed. Needs root, and Debian's mirror for what the recipe installs.
"""

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from roots import HERE, Failed, Steps, base, own_namespaces, own_network, run, verify

RECIPE = HERE.parent / "oci/Containerfile"
NAME = "localhost/amtsbote"


class Image:
    """The image, and its root."""

    def __init__(self, scratch):
        places = ["--root", scratch / "images", "--runroot", scratch / "images-run", "--storage-driver", "vfs"]
        self.buildah = ["buildah", *places]
        self.root = None
        self.config = None

    def build(self, package, archive):
        """As the recipe's header says it for podman."""
        started = next(line.split()[1] for line in RECIPE.read_text().splitlines() if line.startswith("FROM "))
        empty = run([*self.buildah, "from", "scratch"]).strip()
        run([*self.buildah, "add", "--quiet", empty, archive, "/"])
        run([*self.buildah, "commit", "--quiet", "--rm", empty, started])
        kind = ["--format", "docker", "--isolation", "chroot", "--pull-never"]
        run([*self.buildah, "build", *kind, "--tag", NAME, "--file", RECIPE, package.parent])
        self.config = json.loads(run([*self.buildah, "inspect", "--type", "image", NAME]))["Docker"]["config"]
        verify(self.config.get("Healthcheck"), "the image has its health check")
        verify(self.config["User"] == "971:971", "nobody needs root")
        return ", ".join(self.config["Entrypoint"][:1] + self.config["Cmd"])

    def enter(self, scratch):
        """Mounts it as an engine does: only the volume and /tmp can be written."""
        container = run([*self.buildah, "from", "--pull-never", NAME]).strip()
        inside = Path(run([*self.buildah, "mount", container]).strip())
        self.root = scratch / "root"
        self.root.mkdir()
        (volume,) = self.config["Volumes"]
        # An engine fills a new volume with what the image has there.
        run(["cp", "-a", f"{inside}{volume}", scratch / "volume"])
        run(["mount", "--bind", inside, self.root])
        run(["mount", "-o", "remount,bind,ro", self.root])
        run(["mount", "--bind", scratch / "volume", f"{self.root}{volume}"])
        run(["mount", "--bind", "/dev", self.root / "dev"])
        run(["mount", "-t", "tmpfs", "tmpfs", self.root / "tmp"])
        run(["mount", "-t", "proc", "proc", self.root / "proc"])

    def command(self, *command):
        """A command in it, as its user."""
        user, group = self.config["User"].split(":")
        rights = [f"--reuid={user}", f"--regid={group}", "--clear-groups", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"]
        return ["chroot", self.root, "setpriv", *rights, "env", "-i", f"--chdir={self.config['WorkingDir']}", *self.config["Env"], *command]

    def is_healthy(self):
        kind, *command = self.config["Healthcheck"]["Test"]
        verify(kind == "CMD", "no shell asks for the health")
        return subprocess.run(self.command(*command), capture_output=True, check=False).returncode == 0


def started(image):
    """Starts it, and waits until it is healthy."""
    verify(not image.is_healthy(), "nothing is healthy before it was started")
    process = subprocess.Popen(
        image.command(*image.config["Entrypoint"], *image.config["Cmd"]), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    for _ in range(300):
        if process.poll() is not None:
            raise Failed(f"it ended: {process.stdout.read()[-2000:]}")
        if image.is_healthy():
            return process
        time.sleep(0.2)
    process.kill()
    raise Failed("it does not become healthy")


def selftest(image):
    told = run(image.command("/usr/bin/amtsbote", "selftest"))
    verify("failed" not in told, told)
    return f"{sum(line.startswith('ok') for line in told.splitlines())} checks"


def ended(image, process):
    """By the signal that the image names, within what engines wait for."""
    process.send_signal(getattr(signal, image.config["StopSignal"]))
    told, _ = process.communicate(timeout=10)
    verify(process.returncode == 0, f"it ends well: {process.returncode}, {told[-2000:]}")
    verify(not image.is_healthy(), "what was ended is not healthy")


def told_by(options, scratch):
    steps = Steps()
    image = Image(scratch)
    steps("build the image from the package", image.build, Path(options.package).resolve(), Path(options.archive).resolve())
    own_network()
    image.enter(scratch)
    process = steps("start it with a new volume, until it is healthy", started, image)
    try:
        steps("selftest in it", selftest, image)
        steps("end it", ended, image, process)
        steps("start and end it again with the same volume", lambda: ended(image, started(image)))
    finally:
        process.kill()
    print("all steps hold", flush=True)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("package")
    parser.add_argument("--archive", required=True, help="where the clean root is kept")
    return parser.parse_args()


def main():
    options = arguments()
    base(Path(options.archive), options.package)
    own_namespaces("--mount", "--pid")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    scratch = Path(tempfile.mkdtemp(prefix="amtsbote-image-"))
    try:
        told_by(options, scratch)
    except (Failed, OSError, KeyError, ValueError, subprocess.TimeoutExpired):
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        subprocess.run(["umount", "--recursive", "--quiet", scratch / "root"], check=False)
        subprocess.run(["rm", "-rf", "--one-file-system", scratch], check=False)
    return 0


sys.exit(main())
