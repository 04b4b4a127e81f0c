#!/usr/bin/env python3
"""Runs a program while `rung serve` in front of the scripted upstream of brain.py is up: with_brain.py FOLDER WORD...

FOLDER, in CLIENTS, must hold an installed client. The program gets GATEWAY_URL and CLIENTS; its exit status is ours. Exit 77 where
the client is not installed.
"""
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import brain  # noqa: E402
import world  # noqa: E402
from dialects import Dialects, Scripted  # noqa: E402


def main():
    clients = pathlib.Path(os.environ.get("CLIENTS", world.ROOT / "build/clients"))
    folder, *words = sys.argv[1:]
    if not (clients / folder / "installed").exists():
        world.skip(f"the clients are not installed in {clients}/{folder}; tests/clients/install {folder} {clients}/{folder} says why")
    upstream = Scripted(brain.reply)
    gateway = Dialects(upstream)
    done = subprocess.run(words, stdin=subprocess.DEVNULL, timeout=300, env={
        **os.environ, "GATEWAY_URL": f"http://127.0.0.1:{gateway.port}", "CLIENTS": str(clients)})
    if done.returncode not in (0, world.SKIP):
        print("--- what the gateway said", gateway.output(), "--- what the upstream got", *(s.body[:2000] for s in upstream.seen[-3:]), sep="\n")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
