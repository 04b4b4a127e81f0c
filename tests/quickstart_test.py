#!/usr/bin/env python3
"""./quickstart as a newcomer meets it, with the binary of build/release and without installing packages.

usage: quickstart_test.py [Quickstart.test_name...]
"""
import os
import re
import signal
import subprocess
import sys
import time
import unittest

import world
from world import fetch, wait_for

ENVIRONMENT = {**{k: v for k, v in os.environ.items() if k != "OPENAI_API_KEY"}, "QUICKSTART_NO_INSTALL": "1"}


def left_running(word):
    """Command lines of our binary that still run and hold `word`."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                line = open(f"/proc/{entry}/cmdline").read().replace("\0", " ")
            except OSError:
                continue
            if str(world.ROOT / "build/release/rung") in line and word in line:
                found.append(line)
    return found


class Quickstart(unittest.TestCase):
    def setUp(self):
        if not (world.ROOT / "build/clients/python/installed").exists():
            world.skip("the Python client is not installed; tests/clients/install python build/clients/python says why")

    def run_it(self, *words):
        return subprocess.run(["./quickstart", *words], cwd=world.ROOT, env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=280)

    def test_once_shows_routing_and_leaves_nothing(self):
        done = self.run_it("--once")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stdout, r"routed by auto +\d\.\d+")
        self.assertRegex(done.stdout, r"spent [\d.]+ USD instead of [\d.]+ USD")
        picked = set(re.findall(r"^  (rung-\w+) +\d+ requests", done.stdout, re.M))
        self.assertGreaterEqual(len(picked), 2, f"the route sent everything to one model:\n{done.stdout}")
        self.assertEqual(left_running("once."), [])
        self.assertEqual(list((world.ROOT / "build/quickstart").glob("once.*")), [])

    def test_an_interrupt_leaves_nothing(self):
        process = subprocess.Popen(["./quickstart", "--once"], cwd=world.ROOT, env=ENVIRONMENT, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
        for line in process.stdout:
            if "Gateway: rung serve" in line:
                break
        time.sleep(0.3)
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130)
        self.assertEqual(left_running("once."), [])

    def test_it_stays_up_is_used_again_and_stops(self):
        if (world.ROOT / "build/quickstart/running").exists():
            world.skip("a quickstart of yours is running; ./quickstart --stop ends it")
        try:
            first = self.run_it()
            self.assertEqual(first.returncode, 0, first.stdout + first.stderr)
            page, endpoint = (int(re.search(rf"{word} +http://127\.0\.0\.1:(\d+)/", first.stdout)[1]) for word in ("Dashboard", "Endpoint"))
            self.assertEqual(fetch(page, "GET", "/").status, 200)
            self.assertEqual(fetch(endpoint, "GET", "/v1/models").status, 200)
            again = self.run_it()
            self.assertIn("already running", again.stdout)
        finally:
            stopped = self.run_it("--stop")
        self.assertIn("Stopped", stopped.stdout)
        self.assertTrue(wait_for(lambda: not left_running("build/quickstart/rung.yaml"), 5))


if __name__ == "__main__":
    sys.argv[0] = "quickstart_test.py"
    unittest.main(verbosity=2)
