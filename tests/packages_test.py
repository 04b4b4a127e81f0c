#!/usr/bin/env python3
"""Every system header that the code includes belongs to a package that scripts/install-deps installs: a build must never
lean on something that happens to be on the machine. Looks the headers up with dpkg; skips where there is none.

usage: packages_test.py [ROOT]      exit 1 and one sentence for each header whose package nobody installs
"""
import pathlib
import re
import shutil
import subprocess
import sys

INCLUDE = re.compile(r"^\s*#\s*include\s*<([^>]+)>", re.M)
FOLDERS = ("/usr/include", "/usr/include/x86_64-linux-gnu", "/usr/include/eigen3")


def main():
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent.parent
    if not shutil.which("dpkg-query"):
        print("SKIPPED: no dpkg here to ask which package a header is of")
        return 77
    headers = {}
    for top in ("src", "apps", "bench", "fuzz"):
        for file in sorted((root / top).rglob("*")):
            if file.suffix in (".h", ".cc"):
                for name in INCLUDE.findall(file.read_text(encoding="utf-8")):
                    headers.setdefault(name, file.relative_to(root))
    paths = {str(path): name for name in headers for folder in FOLDERS if (path := pathlib.Path(folder, name)).exists()}
    installed = set(re.findall(r"[a-z0-9+.-]+", (root / "scripts/install-deps").read_text()))
    owners = subprocess.run(["dpkg-query", "-S", *paths], capture_output=True, text=True, check=False).stdout
    bad = checked = 0
    for line in owners.splitlines():
        packages, path = line.rsplit(": ", 1)
        if path not in paths:
            continue  # a diversion
        names = [p.split(":")[0].strip() for p in packages.split(",")]
        checked += 1
        # The compiler brings these along.
        if any(n in installed or n.startswith(("libstdc++-", "linux-libc-dev", "libc6-dev", "libgcc-")) for n in names):
            continue
        bad += 1
        print(f"{headers[paths[path]]}: <{paths[path]}> is of the package {', '.join(names)}, which scripts/install-deps does not install")
    if checked < 10:
        print(f"only {checked} headers were found to belong to a package: the check itself is broken")
        return 1
    print(f"{checked} system headers, all of packages that scripts/install-deps installs" if not bad else f"{bad} headers without an installed package")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
