# SPDX-License-Identifier: Apache-2.0
"""apt in a directory of its own: finds, verifies and downloads from Debian, and installs nothing.

It has the machine's own mirror, proxy and settings but for what concerns installed packages. Trust is
apt's alone: a release file signed by Debian's archive key, an index that has the hash that it names,
files that have the hash that the index names. A suite whose index does not pass is not used, and the
message says so; nothing is ever taken unverified.
"""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

KEYRINGS = tuple(Path("/usr/share/keyrings/debian-archive-keyring" + suffix) for suffix in (".gpg", ".pgp"))
TIMEOUT_SECONDS = 900
DEBIAN_SUITES = ("stable", "oldstable", "testing", "unstable", "bookworm", "trixie", "forky", "sid")


class AptError(Exception):
    """Something that apt refuses, or that the machine lacks; its text says what."""


@dataclass
class Package:
    name: str
    version: str
    depends: str


def os_release() -> dict[str, str]:
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
    system = os_release()
    names = {system.get("VERSION_CODENAME"), *DEBIAN_SUITES}
    for line in listing.stdout.splitlines():
        fields = line.split()
        if len(fields) == 4 and fields[:2] == ["Packages", "main"] and fields[2] in names:
            return fields[3]
    raise AptError("apt's own sources name no Debian mirror, so its packages cannot be found")


def keyring() -> Path:
    found = [path for path in KEYRINGS if path.is_file()]
    if not found:
        raise AptError("Debian's archive keys are missing: install debian-archive-keyring")
    return found[0]


class Apt:
    """apt for one suite, with its state under `place`: packages of an architecture, or sources (None)."""

    def __init__(self, place: Path, suite: str, architecture: str | None) -> None:
        self.place = place
        for name in ("lists/partial", "cache/archives/partial", "none"):
            (place / name).mkdir(parents=True, exist_ok=True)
        (place / "status").touch()
        sources = place / "sources.list"
        kind, only = ("deb", f"arch={architecture} ") if architecture else ("deb-src", "")
        sources.write_text(f"{kind} [{only}signed-by={keyring()}] {own_mirror()} {suite} main\n")
        settings = {
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
        if architecture:
            settings |= {"APT::Architecture": architecture, "APT::Architectures": architecture}
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
                timeout=TIMEOUT_SECONDS,
                check=False,
                env=os.environ | {"LC_ALL": "C"},
            )
        except subprocess.TimeoutExpired as error:
            raise AptError(f"{' '.join(words)}: not done after {TIMEOUT_SECONDS} s") from error
        if done.returncode != 0:
            raise AptError(first_complaint(done.stderr) or f"{' '.join(words)} failed")
        return done.stdout

    def update(self) -> None:
        self.run("apt-get", "update", "-qq", "--error-on=any")

    def package(self, name: str) -> Package:
        text = self.run("apt-cache", "show", "--no-all-versions", name)
        fields = dict(re.findall(r"^([\w-]+): (.*)$", text, re.MULTILINE))
        if not {"Package", "Version"} <= set(fields):
            raise AptError(f"no package {name} in this suite")
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

    def download_source(self, name: str, place: Path) -> Path:
        """The .dsc of a source package, with the files that it lists beside it."""
        self.run("apt-get", "source", "-qq", "--download-only", "--only-source", name, cwd=place)
        found = sorted(place.glob("*.dsc"))
        if not found:
            raise AptError(f"no source package {name} in this suite")
        return found[-1]


def first_complaint(text: str) -> str:
    """apt's first error in one line."""
    errors = [line[3:].strip() for line in text.splitlines() if line.startswith("E: ")]
    return re.sub(r"\s+", " ", errors[0]) if errors else ""
