#!/usr/bin/env python3
"""Turns prompts.txt into outcomes.jsonl: what three invented models scored and cost on each prompt.

Scores and answers are written by hand in prompts.txt. Token counts are made here by a fixed rule, so the file is the
same on every machine: a token is about four characters, larger models say a little more around the answer, and
rung-large thinks before it answers where the task is hard (where rung-small failed).

usage: make_outcomes.py [--check]     --check writes nothing and exits 1 if outcomes.jsonl is not what would be written
"""
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
# USD per million tokens, in and out; the same numbers stand in quickstart.yaml.
PRICES = {"rung-small": (0.05, 0.20), "rung-medium": (0.40, 1.60), "rung-large": (2.50, 10.00)}
LETTER = {"S": "rung-small", "M": "rung-medium", "L": "rung-large"}
WORDS_AROUND = {"rung-small": 2, "rung-medium": 8, "rung-large": 12}  # tokens beside the answer itself


def blocks(text):
    """Yields one list of (letter, rest of the line) for each block of prompts.txt."""
    block = []
    for number, line in enumerate(text.splitlines() + [""], 1):
        if line.startswith("#"):
            continue
        if not line.strip():
            if block:
                yield block
            block = []
        elif line[0] in "CQASML" and (len(line) == 1 or line[1] == " "):
            block.append((line[0], line[2:]))
        else:
            sys.exit(f"prompts.txt:{number}: a line starts with one of C Q A S M L and a space; found {line!r}")


def tokens(text):
    return max(1, round(len(text) / 4))


def row(number, block):
    part = {letter: [rest for key, rest in block if key == letter] for letter in "CQASML"}
    category, prompt, answer = part["C"][0], "\n".join(part["Q"]), "\n".join(part["A"])
    said = {name: (1.0, answer) for name in PRICES}
    for letter, name in LETTER.items():
        if part[letter]:
            score, _, first = part[letter][0].partition(" ")
            said[name] = (float(score), "\n".join([first, *part[letter][1:]]) if first else answer)
    hard = said["rung-small"][0] < 1
    models = {}
    for name, (score, output) in said.items():
        before = tokens(prompt) + 7  # the role markers of a chat
        after = tokens(output) + WORDS_AROUND[name] + (tokens(answer) * 2 + 60 if hard and name == "rung-large" else 0)
        usd_in, usd_out = PRICES[name]
        models[name] = {"score": score, "cost": round((before * usd_in + after * usd_out) * 1e-6, 10),
                        "prompt_tokens": before, "completion_tokens": after, "output": output}
    return {"id": f"{category}-{number}", "category": category, "prompt": prompt, "reference": answer, "models": models}


def main():
    counts, rows = {}, []
    for block in blocks((HERE / "prompts.txt").read_text(encoding="utf-8")):
        category = next(rest for key, rest in block if key == "C")
        counts[category] = counts.get(category, 0) + 1
        rows.append(row(counts[category], block))
    text = "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows)
    target = HERE / "outcomes.jsonl"
    if "--check" in sys.argv[1:]:
        if target.read_text(encoding="utf-8") != text:
            sys.exit("examples/outcomes.jsonl is not what examples/make_outcomes.py makes of prompts.txt: run it")
        return
    target.write_text(text, encoding="utf-8")
    for name in PRICES:
        score = sum(r["models"][name]["score"] for r in rows) / len(rows)
        cost = sum(r["models"][name]["cost"] for r in rows) / len(rows)
        print(f"{name:12} mean score {score:.3f}  mean cost {cost * 1000:.4f} USD per 1000 queries")
    print(f"{len(rows)} rows written to {target}")


if __name__ == "__main__":
    main()
