#!/usr/bin/env python3
"""Unmodified coding agents (npm `@openai/codex`, `opencode-ai`), headless, in a clean home: a task of two tool calls through `rung
serve`, in front of upstreams of every dialect.

usage: agents_test.py [Class.test_name...]      CLIENTS names the folder of tests/clients/install (build/clients)
"""
import json
import os
import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import brain  # noqa: E402
import world  # noqa: E402
from dialects import Dialects, Scripted  # noqa: E402

CLIENTS = pathlib.Path(os.environ.get("CLIENTS", world.ROOT / "build/clients")) / "node_agents"
SHELLS = {"exec_command": lambda line: {"cmd": line}, "shell": lambda line: {"command": ["bash", "-c", line]},
          "bash": lambda line: {"command": line, "description": "Runs a command"}}
STEPS = ["printf 'alpha\\nbeta\\n' > notes.txt", "wc -l notes.txt"]
TASK = "Write alpha and beta into notes.txt, one on each line, then count its lines."


def steps(a, seen):
    """The script: one command after the other, then what the last one said."""
    shell = next((name for name in SHELLS if name in seen.tools), None)
    done = len(seen.results)
    if shell is None:
        a.text, a.calls = "Notes", []  # such as a title for the conversation
    elif done < len(STEPS):
        a.text, a.calls = f"Step {done + 1}.", [(f"call_{done + 1}", shell, SHELLS[shell](STEPS[done]))]
    else:
        a.text, a.calls = "The file has these lines: " + ("2 notes.txt" if "2 notes.txt" in seen.results[-1] else "none"), []


class Agents(unittest.TestCase):
    def setUp(self):
        if not (CLIENTS / "installed").exists():
            world.skip(f"the agents are not installed in {CLIENTS}; tests/clients/install node_agents {CLIENTS} says why")
        self.upstream = Scripted(lambda path, body: brain.reply(path, body, steps))
        self.gateway = Dialects(self.upstream)
        self.addCleanup(self.gateway.kill)
        self.url = f"http://127.0.0.1:{self.gateway.port}"

    def run_agent(self, home, words, **env):
        work = home / "work"
        work.mkdir()
        done = subprocess.run([str(CLIENTS / "node_modules/.bin" / words[0]), *words[1:]], cwd=work, stdin=subprocess.DEVNULL, timeout=110,
                              capture_output=True, text=True, env={"PATH": os.environ["PATH"], "HOME": str(home), "RUNG_KEY": "sk-any", **env})
        said = f"{done.stdout}\n{done.stderr}\n{self.gateway.output()}\n" + "\n".join(str(s.body[-500:]) for s in self.upstream.seen)
        self.assertEqual(done.returncode, 0, said)
        self.assertIn("The file has these lines: 2 notes.txt", done.stdout, said)
        self.assertEqual((work / "notes.txt").read_text(), "alpha\nbeta\n")

    def codex(self, model, path):
        home = world.scratch()
        (home / ".codex").mkdir()
        (home / ".codex/config.toml").write_text(
            f'model = "{model}"\nmodel_provider = "rung"\n[model_providers.rung]\nname = "Rung"\nbase_url = "{self.url}/v1"\n'
            'env_key = "RUNG_KEY"\nwire_api = "responses"\n')
        self.run_agent(home, ["codex", "exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", TASK])
        self.assertEqual(set(self.upstream.paths()), {path})

    def test_codex_in_front_of_chat_completions(self):
        self.codex("gpt", "/v1/chat/completions")

    def test_codex_in_front_of_anthropic(self):
        self.codex("claude", "/v1/messages")

    def test_codex_in_front_of_responses(self):
        self.codex("native", "/v1/responses")

    def opencode(self, model, package, path):
        home = world.scratch()
        config = home / ".config/opencode"
        config.mkdir(parents=True)
        config.joinpath("opencode.json").write_text(json.dumps({
            "autoupdate": False, "share": "disabled", "permission": {"bash": "allow", "edit": "allow"}, "model": f"rung/{model}",
            "provider": {"rung": {"npm": package, "options": {"baseURL": f"{self.url}/v1", "apiKey": "sk-any"},
                                  "models": {model: {"tool_call": True, "limit": {"context": 100000, "output": 8000}}}}}}))
        self.run_agent(home, ["opencode", "run", TASK], OPENCODE_DISABLE_AUTOUPDATE="1", OPENCODE_DISABLE_MODELS_FETCH="1",
                       OPENCODE_DISABLE_LSP_DOWNLOAD="1")
        self.assertIn(path, self.upstream.paths())

    def test_opencode_as_a_chat_client_in_front_of_chat_completions(self):
        self.opencode("gpt", "@ai-sdk/openai-compatible", "/v1/chat/completions")

    def test_opencode_as_a_chat_client_in_front_of_anthropic(self):
        self.opencode("claude", "@ai-sdk/openai-compatible", "/v1/messages")

    def test_opencode_as_an_anthropic_client_in_front_of_chat_completions(self):
        self.opencode("gpt", "@ai-sdk/anthropic", "/v1/chat/completions")


if __name__ == "__main__":
    unittest.main(verbosity=2)
