#!/usr/bin/env python3
"""`rung import-config`: a LiteLLM proxy configuration becomes one that `rung serve` starts with.

usage: moving_test.py [Class.test_name...]
"""
import json
import unittest

import world
from world import RecordingUpstream, cli

SAMPLE = world.ROOT / "examples/litellm.yaml"


class ImportConfig(unittest.TestCase):
    def setUp(self):
        self.folder = world.scratch()

    def written(self, text):
        file = self.folder / "litellm.yaml"
        file.write_text(text)
        return file

    def test_the_sample_becomes_a_configuration_that_check_config_takes(self):
        out = self.folder / "rung.yaml"
        done = cli("import-config", SAMPLE, "--out", out)
        self.assertEqual(done.returncode, 0, done)
        self.assertIn("not carried over", done.stdout)
        self.assertIn("drop_params", done.stdout)
        names = json.loads(cli("import-config", SAMPLE, "--json").stdout)["variables"]
        self.assertIn("OPENAI_API_KEY", names)
        env = {name: "https://stand-in.invalid/v1" for name in names}
        checked = cli("check-config", out, env=env)
        self.assertEqual(checked.returncode, 0, checked)
        self.assertIn("# not carried over", out.read_text(), "the file itself says what is missing")

    def test_every_setting_of_the_sample_is_either_in_the_result_or_in_the_list(self):
        made = json.loads(cli("import-config", SAMPLE, "--json").stdout)
        listed = " ".join(note["where"] for note in made["left_out"] + made["differs"])
        for key, kept in (("gpt-4o", "gpt-4o"), ("fast", "fast"), ("local", "local"), ("gpt-4:", "gpt-4:"), ("drop_params", None), ("fallback: [claude, fast]", "fallback: [claude, fast]"), ("attempts: 3", "attempts: 3"),
                          ("usd_per_month: 100", "usd_per_month: 100"), ("failures: 3", "failures: 3"), ("master:", "master:"),
                          ("rpm", None), ("success_callback", None), ("database_url", None)):
            self.assertTrue((kept and kept in made["config"]) or key in listed, key)

    def test_a_gateway_starts_with_it_and_serves_under_the_old_names(self):
        upstream = RecordingUpstream()
        file = self.written(f"""
model_list:
  - model_name: my-model
    litellm_params: {{model: hosted_vllm/qwen3-8b, api_base: "http://127.0.0.1:{upstream.port}/v1", api_key: os.environ/UPSTREAM_KEY}}
router_settings: {{model_group_alias: {{old-name: my-model}}}}
""")
        text = json.loads(cli("import-config", file, "--json").stdout)["config"]
        port, admin = world.free_port(), world.free_port()
        config = self.folder / "rung.yaml"
        config.write_text(text.replace("127.0.0.1:4000", f"127.0.0.1:{port}").replace("127.0.0.1:4001", f"127.0.0.1:{admin}"))
        gateway = world.Process([world.BIN, "serve", "--config", config], port, env={"UPSTREAM_KEY": world.KEY}, cwd=self.folder)
        for name in ("my-model", "old-name"):
            body = {"model": name, "messages": [{"role": "user", "content": "hi"}]}
            reply = gateway.request("POST", "/v1/chat/completions", json.dumps(body))
            self.assertEqual(reply.status, 200, reply)
            self.assertEqual(json.loads(upstream.seen[-1].body)["model"], "qwen3-8b")
            self.assertEqual(upstream.seen[-1].header("authorization"), f"Bearer {world.KEY}")
        gateway.kill()

    def test_strict_says_no_where_something_is_lost(self):
        whole = self.written("model_list: [{model_name: a, litellm_params: {model: openai/a}}]")
        self.assertEqual(cli("import-config", whole, "--strict").returncode, 0)
        lossy = self.written("model_list: [{model_name: a, litellm_params: {model: openai/a, temperature: 1}}]")
        done = cli("import-config", lossy, "--strict")
        self.assertEqual(done.returncode, 1, done)
        self.assertIn("temperature", done.stdout)

    def test_another_file_is_refused_and_nothing_is_written(self):
        out = self.folder / "rung.yaml"
        for text, says in (("a: 1", "model_list"), ("{", "YAML"), ("", "model_list")):
            done = cli("import-config", self.written(text), "--out", out)
            self.assertEqual(done.returncode, 2, done)
            self.assertIn(says, done.stderr)
            self.assertFalse(out.exists())
        self.assertEqual(cli("import-config", self.folder / "missing.yaml").returncode, 2)


if __name__ == "__main__":
    unittest.main(verbosity=2)
