#!/usr/bin/env python3
"""An ordinary user of the `openai` package. Only the base URL tells that a gateway answers, and that `auto` is a route.

usage: send_traffic.py --base-url URL/v1 [--outcomes FILE] [--admin URL] [--show N]

With --outcomes it asks the prompts of that file and sends back the recorded score of the model that answered, as an
application sends the thumb of its user or the verdict of its tests. Without, it asks a few prompts of its own.
With --admin it ends with the gateway's own account of what went where and what it cost.
"""
import argparse
import json
import os
import sys
import time
import urllib.request

import openai

OWN = ["What is 17 + 26?", "Translate to French: \"Where is the library?\"", "Classify the sentiment: \"I would buy it again.\"",
       "Write a Python function that merges two sorted lists without using sorted().",
       "Prove step by step that the square root of 2 is irrational.",
       "Derive the probability that two randomly chosen points on a circle and a third one form a triangle that contains the centre."]


def ask(client, prompt):
    """The reply, and what the gateway said about its decision in the headers."""
    raw = client.chat.completions.with_raw_response.create(model="auto", messages=[{"role": "user", "content": prompt}])
    said = {name.lower()[len("x-rung-"):]: value for name, value in raw.headers.items() if name.lower().startswith("x-rung-")}
    return raw.parse(), said


def one_line(text, width):
    text = " ".join(text.split())
    return text if len(text) <= width else text[: width - 1] + "…"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--outcomes")
    parser.add_argument("--admin")
    parser.add_argument("--show", type=int, default=12)
    options = parser.parse_args()
    sys.stdout.reconfigure(errors="replace")  # a terminal without UTF-8 gets question marks, not an end

    client = openai.OpenAI(base_url=options.base_url, api_key=os.environ.get("OPENAI_API_KEY", "none-needed"), timeout=120)
    rows = [json.loads(line) for line in open(options.outcomes, encoding="utf-8")] if options.outcomes else [{"prompt": p} for p in OWN]
    shown = {round(i * (len(rows) - 1) / max(1, min(options.show, len(rows)) - 1)) for i in range(min(options.show, len(rows)))}

    scored = []  # what was recorded of each answer
    print(f"  {'prompt':58} {'went to':12} {'cost, USD':>11}  answer")
    for number, row in enumerate(rows):
        reply, said = ask(client, row["prompt"])
        model = said.get("model", "") or reply.model
        if number in shown:
            print(f"  {one_line(row['prompt'], 58):58} {model:12} {said.get('cost', '?'):>11}  "
                  f"{one_line(reply.choices[0].message.content or '', 40)}", flush=True)
        outcome = row.get("models", {}).get(model)
        if outcome:
            scored.append(outcome)
            client.post("/feedback", cast_to=object, body={"decision_id": said.get("decision-id", ""), "score": outcome["score"]})
    if len(rows) > len(shown):
        print(f"  … and {len(rows) - len(shown)} more")

    if scored:
        compare(scored, [row["models"] for row in rows])
    if options.admin:
        account(options.admin)


def compare(routed, recorded):
    """Routing against always one model, and against sending a fixed share to each of two at the same cost."""
    def mean(outcomes):
        return sum(o["cost"] for o in outcomes) / len(outcomes) * 1000, sum(o["score"] for o in outcomes) / len(outcomes)

    cost, score = mean(routed)
    single = {name: mean([row[name] for row in recorded]) for name in recorded[0] if all(name in row for row in recorded)}
    print(f"\nOver {len(routed)} prompts, as recorded   mean score   USD / 1,000")
    print(f"  routed by auto              {score:10.3f}  {cost:12.4f}")
    for name, (its_cost, its_score) in single.items():
        print(f"  always {name:20} {its_score:10.3f}  {its_cost:12.4f}")
    pairs = [(low, high) for low in single.values() for high in single.values() if low[0] <= cost <= high[0] and low[0] < high[0]]
    if pairs:
        best = max(low[1] + (high[1] - low[1]) * (cost - low[0]) / (high[0] - low[0]) for low, high in pairs)
        print(f"  best fixed mixture of two   {best:10.3f}  {cost:12.4f}   routing is worth what it has above this line")


def account(admin):
    """What the gateway's own ledger says of the last minute: the numbers of the dashboard."""
    total = {}
    for _ in range(40):  # records reach the file within a moment
        with urllib.request.urlopen(admin + "/api/summary?since=60", timeout=20) as reply:
            summary = json.load(reply)
        if summary["all"]["requests"] == total.get("requests") and total:
            break
        total = summary["all"]
        time.sleep(0.25)
    print("\nThe gateway's ledger, last minute")
    for arm in summary["by_arm"]:
        scored = f", mean score {arm['score']:.3f} of {arm['scored']} with feedback" if arm["scored"] else ""
        print(f"  {arm['name'] or 'none':14} {arm['requests']:5} requests  {arm['spent_usd']:.6f} USD{scored}")
    spent, instead = total["compared_spent_usd"], total["compared_reference_usd"]
    if total["compared"] and instead > 0:
        print(f"  spent {spent:.6f} USD instead of {instead:.6f} USD for the same tokens at the reference model's prices: "
              f"saved {(1 - spent / instead) * 100:.0f} %")
    if total["cost_unknown"]:
        print(f"  the cost of {total['cost_unknown']} calls is not known and in none of these sums")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
    except openai.APIError as error:
        sys.exit(f"send_traffic: the gateway answered: {error}")
