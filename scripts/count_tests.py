#!/usr/bin/env python3
"""Sums up JUnit files that ctest wrote: names what failed and why each test was skipped, and ends with the plain line
`N passed, N failed, N skipped`. Exit 1 if a test failed, a file is missing, or no test ran at all."""
import re
import sys
import xml.etree.ElementTree as xml

REASON = re.compile(r"(?:Skipped\n|SKIPPED: |skipped ['\"])(.+)")


def reason(case):
    """The sentence that a skipped test gave: GoogleTest's line after `Skipped`, or ours after `SKIPPED: `."""
    text = case.findtext("system-out") or ""
    found = REASON.search(text)
    if found:
        return found[1].strip().rstrip("'\"")
    skipped = case.find("skipped")
    return (skipped.get("message") if skipped is not None else "") or "no reason given"


def main(files):
    passed, failed, skipped = 0, [], []
    for file in files:
        try:
            root = xml.parse(file).getroot()
        except (OSError, xml.ParseError) as error:
            failed.append(f"{file}: {error}")
            continue
        for case in root.iter("testcase"):
            name = case.get("name", "?")
            if case.get("status") == "run":
                passed += 1
            elif case.get("status") in ("notrun", "disabled") or case.find("skipped") is not None:
                # ctest also says "notrun" where it could not start a test: that is a failure, not a skip.
                message = case.find("skipped").get("message", "") if case.find("skipped") is not None else ""
                if re.search(r"SKIP|Disabled", message) or case.get("status") == "disabled":
                    skipped.append((name, reason(case)))
                else:
                    failed.append(f"{name}: not run ({message or 'no reason given'})")
            else:
                failed.append(name)
    for name, why in skipped:
        print(f"skipped: {name}: {why}")
    for name in failed:
        print(f"FAILED: {name}")
    if not passed and not failed:
        failed.append("no test ran")
        print("FAILED: no test ran")
    print(f"{passed} passed, {len(failed)} failed, {len(skipped)} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
