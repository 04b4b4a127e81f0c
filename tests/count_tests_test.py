#!/usr/bin/env python3
"""scripts/count_tests.py against JUnit text as ctest writes it."""
import pathlib
import subprocess
import sys
import tempfile

SCRIPT = pathlib.Path(__file__).resolve().parent.parent / "scripts/count_tests.py"
CASES = {
    "good": '<testcase name="good" status="run"><system-out>ok</system-out></testcase>',
    "bad": '<testcase name="bad" status="fail"><failure message=""/><system-out>no</system-out></testcase>',
    "skipped": '<testcase name="skipped" status="notrun"><skipped message="SKIP_RETURN_CODE=77"/>'
               '<system-out>SKIPPED: no registry here\n</system-out></testcase>',
    "googletest": '<testcase name="googletest" status="notrun"><skipped message="SKIP_REGULAR_EXPRESSION_MATCHED"/>'
                  '<system-out>a_test.cc:7: Skipped\nthe data folder is not there\n</system-out></testcase>',
    "lost": '<testcase name="lost" status="notrun"><skipped message="Unable to find executable"/></testcase>',
}


def run(names):
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "tests.xml"
        file.write_text("<?xml version='1.0'?><testsuite>" + "".join(CASES[name] for name in names) + "</testsuite>")
        done = subprocess.run([sys.executable, SCRIPT, file], capture_output=True, text=True)
        return done.returncode, done.stdout.splitlines()


def expect(names, status, last, *parts):
    got, lines = run(names)
    whole = "\n".join(lines)
    assert got == status and lines[-1] == last and all(part in whole for part in parts), (names, got, lines)


expect(["good", "good"], 0, "2 passed, 0 failed, 0 skipped")
expect(["good", "bad"], 1, "1 passed, 1 failed, 0 skipped", "FAILED: bad")
expect(["good", "skipped", "googletest"], 0, "1 passed, 0 failed, 2 skipped", "no registry here", "the data folder is not there")
expect(["good", "lost"], 1, "1 passed, 1 failed, 0 skipped", "FAILED: lost")
expect([], 1, "0 passed, 1 failed, 0 skipped", "no test ran")
missing = subprocess.run([sys.executable, SCRIPT, "/nonexistent.xml"], capture_output=True, text=True)
assert missing.returncode == 1 and missing.stdout.splitlines()[-1] == "0 passed, 1 failed, 0 skipped", missing
print("counted right")
