# SPDX-License-Identifier: Apache-2.0
"""Debian's riscv64 kernel and busybox: found, verified and downloaded by apt, unpacked, not installed.

apt works in a directory of its own under build/, with the machine's own mirror, proxy and settings but
for what concerns installed packages. Trust is apt's alone: a release file signed by Debian's archive
key, an index that has the hash that it names, packages that have the hash that the index names. A suite
whose index does not pass is not used, and the message says so; nothing is ever taken unverified.
"""

import hashlib
import json
import lzma
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from machine import BenchError
from qemu_boot import BUILD

WORK = BUILD / "linux"
ARCHITECTURE = "riscv64"
# The first whose index apt accepts. The peer's published figures are of the first one's kernel.
SUITES = ("trixie", "forky", "sid")
KERNEL_PACKAGE = f"linux-image-{ARCHITECTURE}"
BUSYBOX_PACKAGE = "busybox-static"
KEYRINGS = tuple(
    Path("/usr/share/keyrings/debian-archive-keyring" + suffix) for suffix in (".gpg", ".pgp")
)
APT_TIMEOUT_SECONDS = 900
# In the order in which they may need each other; those built into the kernel are no files.
MODULES = ("virtio", "virtio_ring", "virtio_mmio", "virtio_blk", "erofs")

Say = Callable[[str], None]


@dataclass
class Package:
    name: str
    version: str
    depends: str


@dataclass
class Kernel:
    """What was downloaded: `label` names it in the table."""

    suite: str
    version: str
    root: Path  # where the packages are unpacked
    passed_over: list[str]  # the suites tried before, each with apt's reason

    @property
    def label(self) -> str:
        return f"Linux {self.version} (Debian {self.suite})"

    def modules(self) -> Path:
        found = sorted([*self.root.glob("lib/modules/*"), *self.root.glob("usr/lib/modules/*")])
        if not found:
            raise BenchError(f"the kernel packages of {self.suite} hold no modules")
        return found[0]

    def image(self) -> Path:
        candidates = [self.modules() / "vmlinuz", *self.root.glob("boot/vmlinu[xz]-*")]
        found = [path for path in candidates if path.is_file()]
        if not found:
            raise BenchError(f"the kernel packages of {self.suite} hold no kernel image")
        return found[0]

    def module_files(self) -> list[tuple[str, bytes]]:
        files = []
        for name in MODULES:
            for path in self.modules().glob(f"kernel/**/{name}.ko*"):
                data = path.read_bytes()
                files.append((f"{name}.ko", lzma.decompress(data) if path.suffix == ".xz" else data))
        return files


# ---- The machine's own settings ------------------------------------------------------------------


def read_os_release() -> dict[str, str]:
    text = Path("/etc/os-release").read_text()
    return dict(re.findall(r'^(\w+)="?(.*?)"?$', text, re.MULTILINE))


def own_mirror() -> str:
    """The address from which this Debian gets its own release."""
    listing = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(CREATED_BY) $(COMPONENT) $(RELEASE) $(REPO_URI)"],
        capture_output=True,
        text=True,
        check=False,
    )
    system = read_os_release()
    names = {system.get("VERSION_CODENAME"), "stable", "oldstable", "testing", "unstable", *SUITES}
    for line in listing.stdout.splitlines():
        fields = line.split()
        if len(fields) == 4 and fields[:2] == ["Packages", "main"] and fields[2] in names:
            return fields[3]
    raise BenchError("apt's own sources name no Debian mirror, so Linux packages cannot be found")


def keyring() -> Path:
    found = [path for path in KEYRINGS if path.is_file()]
    if not found:
        raise BenchError("Debian's archive keys are missing: install debian-archive-keyring")
    return found[0]


# ---- A private apt -------------------------------------------------------------------------------


class Apt:
    """apt for one suite, with its state under `place`."""

    def __init__(self, place: Path, suite: str) -> None:
        self.place = place
        for name in ("lists/partial", "cache/archives/partial", "none"):
            (place / name).mkdir(parents=True, exist_ok=True)
        (place / "status").touch()
        sources = place / "sources.list"
        sources.write_text(f"deb [arch={ARCHITECTURE} signed-by={keyring()}] {own_mirror()} {suite} main\n")
        settings = {
            "APT::Architecture": ARCHITECTURE,
            "APT::Architectures": ARCHITECTURE,
            "APT::Get::AllowUnauthenticated": "false",
            "Acquire::AllowInsecureRepositories": "false",
            "Acquire::AllowWeakRepositories": "false",
            "Acquire::Languages": "none",
            "Acquire::Retries": "2",
            "Dir::State": str(place),
            "Dir::State::status": str(place / "status"),
            "Dir::Cache": str(place / "cache"),
            "Dir::Etc::sourcelist": str(sources),
            "Dir::Etc::sourceparts": str(place / "none"),
            "Dir::Etc::preferences": str(place / "none" / "preferences"),
            "Dir::Etc::preferencesparts": str(place / "none"),
        }
        if os.geteuid() == 0:
            # apt's own user need not be able to reach a checkout.
            settings["APT::Sandbox::User"] = "root"
        lines = [f'{name} "{value}";' for name, value in settings.items()]
        # What the machine does after its own updates is not for this one.
        lines += ["#clear APT::Update::Post-Invoke;", "#clear APT::Update::Post-Invoke-Success;"]
        self.settings = place / "apt.conf"
        self.settings.write_text("\n".join(lines) + "\n")

    def run(self, *words: str, cwd: Path | None = None) -> str:
        command = [words[0], "-c", str(self.settings), *words[1:]]
        try:
            done = subprocess.run(
                command,
                cwd=cwd or self.place,
                capture_output=True,
                text=True,
                stdin=subprocess.DEVNULL,
                timeout=APT_TIMEOUT_SECONDS,
                check=False,
                env=os.environ | {"LC_ALL": "C"},
            )
        except subprocess.TimeoutExpired as error:
            raise BenchError(f"{' '.join(words)}: not done after {APT_TIMEOUT_SECONDS} s") from error
        if done.returncode != 0:
            raise BenchError(first_complaint(done.stderr) or f"{' '.join(words)} failed")
        return done.stdout

    def update(self) -> None:
        self.run("apt-get", "update", "-qq", "--error-on=any")

    def package(self, name: str) -> Package:
        text = self.run("apt-cache", "show", "--no-all-versions", name)
        fields = dict(re.findall(r"^([\w-]+): (.*)$", text, re.MULTILINE))
        if not {"Package", "Version"} <= set(fields):
            raise BenchError(f"no package {name} for {ARCHITECTURE}")
        return Package(fields["Package"], fields["Version"], fields.get("Depends", ""))

    def of_one_build(self, name: str) -> list[Package]:
        """The package, and all that it asks for in exactly its own version."""
        found: dict[str, Package] = {}
        waiting = [name]
        while waiting:
            package = self.package(waiting.pop())
            if package.name in found:
                continue
            found[package.name] = package
            exact = re.findall(r"([a-z0-9][a-z0-9+.-]*) \(= ([^)]+)\)", package.depends)
            waiting += [other for other, version in exact if version == package.version]
        return list(found.values())

    def download(self, names: list[str], place: Path) -> list[Path]:
        self.run("apt-get", "download", "-qq", *names, cwd=place)
        return sorted(place.glob("*.deb"))


def first_complaint(text: str) -> str:
    """apt's first error in one line."""
    errors = [line[3:].strip() for line in text.splitlines() if line.startswith("E: ")]
    return re.sub(r"\s+", " ", errors[0]) if errors else ""


# ---- Fetching ------------------------------------------------------------------------------------


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def fetch_suite(suite: str, passed_over: list[str], say: Say) -> Kernel:
    place = WORK / "packages" / suite
    debs = place / "debs"
    root = place / "root"
    for stale in (debs, root):
        shutil.rmtree(stale, ignore_errors=True)
        stale.mkdir(parents=True)
    apt = Apt(place / "apt", suite)
    say(f"linux: reading {suite}'s {ARCHITECTURE} package index")
    apt.update()
    kernel = apt.of_one_build(KERNEL_PACKAGE)
    say(f"linux: downloading {', '.join(package.name for package in kernel)} and {BUSYBOX_PACKAGE}")
    files = apt.download([*(package.name for package in kernel), BUSYBOX_PACKAGE], debs)
    for file in files:
        subprocess.run(["dpkg-deb", "-x", str(file), str(root)], check=True)
    manifest = {
        "suite": suite,
        "version": kernel[0].version,
        "passed_over": passed_over,
        "files": {file.name: sha256(file) for file in files},
    }
    (place / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
    return Kernel(suite, kernel[0].version, root, passed_over)


def fetched_before(suite: str) -> Kernel | None:
    """What an earlier run downloaded from this suite and verified, if it is all still the same."""
    place = WORK / "packages" / suite
    try:
        manifest = json.loads((place / "manifest.json").read_text())
        kernel = Kernel(suite, manifest["version"], place / "root", manifest["passed_over"])
        whole = all(sha256(place / "debs" / name) == digest for name, digest in manifest["files"].items())
    except (OSError, ValueError, KeyError):
        return None
    return kernel if whole else None


def fetch(say: Say) -> Kernel:
    """The kernel of the first suite that can be had; what was fetched before needs no network."""
    for tool in ("apt-get", "apt-cache", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise BenchError(f"--vs-linux gets Linux from Debian with apt, and there is no {tool} here")
    for suite in SUITES:
        kernel = fetched_before(suite)
        if kernel is not None:
            return kernel
    passed_over: list[str] = []
    for suite in SUITES:
        try:
            return fetch_suite(suite, passed_over, say)
        except BenchError as error:
            passed_over.append(f"{suite}: {error}")
            say(f"linux: {suite} cannot be used: {error}")
    reasons = "".join(f"\n  {reason}" for reason in passed_over)
    raise BenchError(f"--vs-linux needs Debian's packages, and no suite could be fetched:{reasons}")
