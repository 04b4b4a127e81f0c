#!/usr/bin/env python3
"""Runs a program while `rung serve` in front of `rung replay` is up: with_gateway.py WORD...

The program gets GATEWAY_URL, REPLAY_URL and CLIENTS; its exit status is ours. Exit 77 where its client is not installed.
"""
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import world  # noqa: E402


def main():
    clients = pathlib.Path(os.environ.get("CLIENTS", world.ROOT / "build/clients"))
    if not (clients / "node/installed").exists():
        world.skip(f"the Node client is not installed in {clients}/node; tests/clients/install node {clients}/node says why")
    replay = world.Replay("--first-token-ms", "5", "--tokens-per-second", "400")
    gateway = world.Gateway(replay.port)
    done = subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, timeout=300, env={
        **os.environ, "GATEWAY_URL": f"http://127.0.0.1:{gateway.port}", "REPLAY_URL": f"http://127.0.0.1:{replay.port}", "CLIENTS": str(clients)})
    if done.returncode != 0:
        print("--- what the gateway said", gateway.output(), "--- what the replay said", replay.output(), sep="\n")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
