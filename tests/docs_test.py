#!/usr/bin/env python3
"""Every command line of `rung` that README.md and docs/*.md show must be one that the binary takes: the command exists
and knows each option. Links to files of the project must lead somewhere.

usage: docs_test.py [commands|links|tests|self_test]
"""
import pathlib
import re
import shlex
import subprocess
import sys

sys.dont_write_bytecode = True
import world

HELP = {}


def pages():
    return [world.ROOT / "README.md", *sorted((world.ROOT / "docs").rglob("*.md"))]


def command_lines(text):
    """(line number, words after `rung`) of every command line in code blocks and in `inline code`."""
    fenced, held, begun = False, "", 0
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            fenced, held = not fenced, ""
            continue
        if fenced:
            begun = begun if held else number
            held += line.strip()
            if held.endswith("\\"):
                held = held[:-1] + " "
                continue
            yield from ((begun, words) for words in calls(held))
            held = ""
        else:
            for code in re.findall(r"`([^`]+)`", line):
                if re.match(r"(?:build/release/)?rung [a-z-]", code):
                    yield from ((number, words) for words in calls(code))


def calls(line):
    """The words after each `rung` of a shell line; what follows |, ;, & or a redirection is another matter."""
    line = re.sub(r"^\$ ", "", line)
    line = re.sub(r"\s#\s.*", "", line)
    for part in re.split(r"[|;&]+|\$\(", line):
        try:
            words = shlex.split(re.sub(r"[<>].*", "", part))
        except ValueError:
            continue
        while words and re.match(r"^[A-Z_]+=", words[0]):
            words = words[1:]
        if words and words[0] in ("rung", "build/release/rung", "./rung") and len(words) > 1:
            yield words[1:]


def help_of(command):
    if command not in HELP:
        done = subprocess.run([str(world.BIN), *command.split(), "--help"], capture_output=True, text=True, timeout=30)
        # An unknown command with --help gets the help of the whole program: the usage line tells them apart.
        is_own = done.returncode == 0 and re.search(rf"(?i)usage:.*\brung {re.escape(command)}\b", done.stdout)
        HELP[command] = done.stdout if is_own else None
    return HELP[command]


def problem(words):
    if words[0] in ("--version", "--help", "-h"):
        return None
    known = help_of(words[0])
    if known is None:
        return f"`rung {words[0]}` is no command of this binary"
    if len(words) > 1 and re.search(rf"(?m)^  {re.escape(words[1])} ", known.partition("Subcommands:")[2]):
        known = help_of(f"{words[0]} {words[1]}") or ""
    for word in words[1:]:
        option = re.match(r"--?[A-Za-z][A-Za-z-]*", word)
        if option and not re.search(rf"(?<![\w-]){re.escape(option[0])}(?![\w-])", known) and option[0] not in ("--help", "-h"):
            return f"`rung {words[0]}` has no option {option[0]}"
    return None


def commands():
    found, checked = [], 0
    for page in pages():
        for number, words in command_lines(page.read_text()):
            checked += 1
            wrong = problem(words)
            if wrong:
                found.append(f"{page.relative_to(world.ROOT)}:{number}: {wrong}: rung {' '.join(words)}")
    if checked == 0:
        found.append("no page shows a command line of rung: the test looks at nothing")
    return found


def links():
    found = []
    for page in pages():
        for number, line in enumerate(page.read_text().splitlines(), 1):
            for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", line):
                if not re.match(r"[a-z]+:", target) and not (page.parent / target).exists():
                    found.append(f"{page.relative_to(world.ROOT)}:{number}: the link to {target} leads nowhere")
    return found


def named_tests():
    """Every test that docs/pains.md names must exist: `Suite.Name` of GoogleTest, `script.Class.name` of a process test."""
    known = set()
    for file in world.ROOT.glob("src/**/*_test.cc"):
        known |= {".".join(pair) for pair in re.findall(r"(?m)^TEST(?:_F)?\((\w+),\s*(\w+)\)", file.read_text())}
    listed = (world.ROOT / "tests/CMakeLists.txt").read_text()
    for prefix, script in re.findall(r"(?m)^ *rung_unittest\((\w+) (\S+)", listed):
        owner = None
        for line in (world.ROOT / "tests" / script).read_text().splitlines():
            if found := re.match(r"class (\w+)", line):
                owner = found[1]
            elif found := re.match(r"    def test_(\w+)", line):
                known.add(f"{prefix}.{owner}.{found[1]}")
    known |= set(re.findall(r"rung_process_test\(([\w.]+)", listed))
    page = (world.ROOT / "docs/pains.md").read_text()
    named = re.findall(r"`([A-Za-z_]+(?:\.[A-Za-z0-9_]+)+)`", page)
    named = [name for name in named if not re.search(r"\.(py|md|db|decide)$", name)]
    return [f"docs/pains.md names {name}, which is no test" for name in named if name not in known] or ([] if len(named) > 40 else ["docs/pains.md names no tests"])


def self_test():
    text = "```\n$ X=1 rung serve --config a.yaml | head\nrung train \\\n  --bogus y  # why\n```\nUse `rung nonsense --x`, not rung prose.\n"
    HELP.update({"serve": "--config FILE", "train": "--out FILE", "nonsense": None})
    got = list(command_lines(text))
    expected = [(2, ["serve", "--config", "a.yaml"]), (3, ["train", "--bogus", "y"]), (6, ["nonsense", "--x"])]
    if got != expected:
        return [f"command lines: expected {expected}, found {got}"]
    verdicts = [problem(words) for _, words in got]
    if verdicts[0] is not None or "--bogus" not in (verdicts[1] or "") or "no command" not in (verdicts[2] or ""):
        return [f"verdicts: {verdicts}"]
    return []


if __name__ == "__main__":
    wrong = {"commands": commands, "links": links, "tests": named_tests, "self_test": self_test}[sys.argv[1] if len(sys.argv) > 1 else "commands"]()
    print("\n".join(wrong) if wrong else "nothing wrong")
    sys.exit(1 if wrong else 0)
