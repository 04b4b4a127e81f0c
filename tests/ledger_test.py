#!/usr/bin/env python3
"""`rung ledger` over a ledger that a real gateway wrote: what it lists, exports, and turns into outcomes.

usage: ledger_test.py [Class.test_name...]
"""
import gzip
import json
import unittest

import world
from world import Gateway, RecordingUpstream, cli


class Keeping(Gateway):
    """A gateway whose ledger keeps the prompts; one worker, so that ids rise within a millisecond too."""

    def config_text(self, **more):
        return super().config_text(top="workers: 1", **more).replace(f"path: {self.ledger}", f"path: {self.ledger}, keep_prompts: true")


class Ledger(unittest.TestCase):
    """One gateway answered five requests; four of them got a score."""

    @classmethod
    def setUpClass(cls):
        cls.folder = world.scratch()
        cls.upstream = RecordingUpstream()
        gateway = Keeping(cls.upstream.port, folder=cls.folder)
        cls.ids = [gateway.chat("What is 17 + 26?", model=model, headers=headers).headers["x-rung-decision-id"]
                   for model, headers in (("rung-small", {}), ("rung-large", {}), ("auto", {"x-rung-arm": "rung-small"}))]
        cls.ids.append(gateway.chat("[[status:500]] broken", model="rung-small").headers["x-rung-decision-id"])
        cls.ids.append(gateway.chat("unscored", model="rung-medium").headers["x-rung-decision-id"])
        for decision, score in zip(cls.ids[:4], (0.0, 1.0, 1.0, 0.0)):
            reply = gateway.request("POST", "/v1/feedback", json.dumps({"decision_id": decision, "score": score, "source": "judge"}))
            assert reply.status < 300, reply
        cls.config = gateway.config
        assert gateway.stop() == 0, gateway.output()
        cls.file = gateway.ledger

    def ask(self, *words, status=0):
        done = cli("ledger", words[0], "--ledger", self.file, *words[1:])
        self.assertEqual(done.returncode, status, done)
        return done

    def listed(self, *words):
        return [d["id"] for d in json.loads(self.ask("query", "--json", *words).stdout)["decisions"]]

    def test_query_lists_newest_first_and_filters(self):
        self.assertEqual(self.listed(), self.ids[::-1])
        self.assertEqual(self.listed("--limit", "2"), self.ids[:2:-1])
        self.assertEqual(self.listed("--arm", "rung-large"), [self.ids[1]])
        self.assertEqual(self.listed("--route", "auto"), [self.ids[2]])
        self.assertEqual(self.listed("--outcome", "upstream_error"), [self.ids[3]])
        self.assertEqual(self.listed("--model", "rung-medium", "--outcome", "ok"), [self.ids[4]])
        self.assertEqual(self.listed("--key", "nobody"), [])
        self.assertEqual(self.listed("--since", "1h"), self.ids[::-1])
        self.assertEqual(self.listed("--until", "1h"), [])
        self.assertEqual(self.listed("--since", "2020-01-01", "--until", "2020-01-02T10:00:00Z"), [])

    def test_the_table_has_a_line_for_each_decision(self):
        lines = self.ask("query").stdout.splitlines()
        self.assertEqual(len(lines), 6)
        for decision, line in zip(self.ids[::-1], lines[1:]):
            self.assertIn(decision, line)

    def test_show_gives_one_decision_whole(self):
        whole = json.loads(self.ask("show", self.ids[2], "--json").stdout)
        self.assertEqual(whole["prompt"], "What is 17 + 26?")
        self.assertEqual(whole["feedback"][0]["source"], "judge")
        text = self.ask("show", self.ids[2]).stdout
        for word in (self.ids[2], "rung-small", "rung-large", "score 1 by judge", whole["reason"]):
            self.assertIn(word, text)
        self.assertIn("has no decision", self.ask("show", "01ARZ3NDEKTSV4RRFFQ69G5FAV", status=2).stderr)
        self.assertIn("no decision's id", self.ask("show", "one", status=2).stderr)

    def test_export_writes_a_line_for_each_decision_oldest_first_packed_by_its_name(self):
        out = self.folder / "all.jsonl.gz"
        self.ask("export", "--out", out)
        with gzip.open(out, "rt") as lines:
            rows = [json.loads(line) for line in lines]
        self.assertEqual([r["id"] for r in rows], self.ids)
        self.assertEqual(rows[0]["calls"][0]["prompt_tokens"], 9)
        self.assertEqual(rows[0]["calls"][0]["cached_tokens"], 3)
        self.assertIsNone(rows[0]["calls"][0]["reasoning_tokens"])
        plain = self.ask("export", "--out", "-", "--route", "auto").stdout.splitlines()
        self.assertEqual([json.loads(line)["id"] for line in plain], [self.ids[2]])

    def test_outcomes_are_what_train_reads_and_what_was_left_out_is_said(self):
        out = self.folder / "outcomes.jsonl"
        done = self.ask("outcomes", "--out", out)
        self.assertIn("1 rows to", done.stdout)
        self.assertIn("left out 1: nobody scored them", done.stdout)
        self.assertIn("left out 1: did not end well", done.stdout)
        row = json.loads(out.read_text())
        self.assertEqual(row["prompt"], "What is 17 + 26?")
        self.assertEqual(row["models"]["rung-large"]["score"], 1.0)
        self.assertAlmostEqual(row["models"]["rung-large"]["cost"], (9 * 2.5 + 2 * 10) * 1e-6)
        evaluated = cli("evaluate", "--router", world.trained_router(), "--outcomes", out, "--json")
        self.assertIn(evaluated.returncode, (0, 1), evaluated)
        self.assertNotIn("expected", evaluated.stderr, evaluated)
        report = json.loads(self.ask("outcomes", "--out", out, "--json").stdout)
        self.assertEqual(report["left_out"], {"unscored": 1, "no_arm": 0, "failed": 1, "no_prompt": 0})

    def test_outcomes_of_nothing_say_no_and_leave_no_file(self):
        out = self.folder / "none.jsonl"
        done = self.ask("outcomes", "--out", out, "--source", "nobody", status=1)
        self.assertIn("no row", done.stdout)
        self.assertFalse(out.exists())

    def test_totals_add_up_to_what_was_spent_and_saved(self):
        for by in ("arm", "route", "model", "day", "key"):
            sums = json.loads(self.ask("totals", "--by", by, "--json").stdout)["totals"]
            self.assertEqual(sum(t["requests"] for t in sums), 5, by)
        routes = {t["name"]: t for t in json.loads(self.ask("totals", "--by", "route", "--json").stdout)["totals"]}
        self.assertEqual(routes["auto"]["compared"], 1)
        self.assertAlmostEqual(routes["auto"]["compared_reference_usd"], (9 * 2.5 + 2 * 10) * 1e-6)
        text = self.ask("totals", "--by", "route").stdout
        self.assertIn("saved: over 1 of 5 requests", text)

    def test_the_configuration_names_the_ledger_too(self):
        env = {"UPSTREAM_KEY": world.KEY}
        done = cli("ledger", "query", "--config", self.config, env=env)
        self.assertEqual(done.returncode, 0, done)
        self.assertIn(self.ids[0], done.stdout)

    def test_bad_words_are_refused_with_a_sentence(self):
        for words, says in ((("query", "--outcome", "fine"), "expected ok, client_gone"), (("query", "--since", "yesterday"), "is no time"),
                            (("totals", "--by", "hour"), "expected arm, route"), (("query", "--since", "2026-02-30"), "is no time")):
            done = self.ask(*words, status=2)
            self.assertIn(says, done.stderr)
            self.assertEqual(done.stdout, "")
        self.assertIn("--ledger FILE", cli("ledger", "query").stderr)
        missing = cli("ledger", "query", "--ledger", self.folder / "no.db")
        self.assertEqual(missing.returncode, 2, missing)
        self.assertIn("no.db", missing.stderr)
        self.assertFalse((self.folder / "no.db").exists(), "asking must not make a ledger")


if __name__ == "__main__":
    unittest.main(verbosity=2)
