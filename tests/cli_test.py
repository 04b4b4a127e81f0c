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

    def test_broken_outcomes_are_refused_with_file_and_line(self):
        good = OUTCOMES.read_text().splitlines()[0]
        row = json.loads(good)
        over = json.loads(good)
        over["id"], over["models"]["rung-small"]["score"] = "other", 1.5
        cases = {
            "cut.jsonl": good + "\n" + good[: len(good) // 2] + "\n",
            "score.jsonl": good + "\n" + json.dumps(over) + "\n",
            "twice.jsonl": good + "\n" + good + "\n",
            "noid.jsonl": good + "\n" + json.dumps({k: v for k, v in row.items() if k != "id"}) + "\n",
        }
        for name, text in cases.items():
            file = self.folder / name
            file.write_text(text)
            done = self.refused("train", "--outcomes", file, "--out", self.folder / "x.safetensors", says=name)
            self.assertRegex(done.stderr, r"(?::2\b|line 2)", name)
        empty, cut = self.folder / "empty.jsonl", self.folder / "cut.jsonl.gz"
        empty.write_text("")
        cut.write_bytes(gzip.compress(OUTCOMES.read_bytes())[:-200])
        for file in (empty, cut, self.folder / "missing.jsonl"):
            self.refused("train", "--outcomes", file, "--out", self.folder / "x.safetensors", says=file.name)
        self.assertEqual(list(self.folder.glob("*x.safetensors*")), [], "a refused input left a file behind")

    def test_an_artefact_cut_in_half_is_refused(self):
        whole = world.trained_router().read_bytes()
        half = self.folder / "half.safetensors"
        half.write_bytes(whole[: len(whole) // 2])
        self.refused("route", "hello", "--router", half, says="half.safetensors")
        self.refused("evaluate", "--router", half, "--outcomes", OUTCOMES, says="half.safetensors")
        text = self.folder / "text.safetensors"
        text.write_text("this is no artefact")
        self.refused("route", "hello", "--router", text, says="text.safetensors")

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
