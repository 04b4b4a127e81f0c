#!/usr/bin/env python3
"""Every program of docs/clients/*.md, run as it stands with the real package in front of a gateway; only the port is changed.

usage: pages_test.py [Class.test_name...]      CLIENTS names the folder of tests/clients/install (build/clients)
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import agents_test  # noqa: E402
import brain  # noqa: E402
import world  # noqa: E402
from dialects import Dialects, Scripted  # noqa: E402

CLIENTS = pathlib.Path(os.environ.get("CLIENTS", world.ROOT / "build/clients"))
PAGES = world.ROOT / "docs/clients"


def blocks(page, language):
    found = re.findall(rf"(?ms)^```{language}\n(.*?)^```$", (PAGES / f"{page}.md").read_text())
    if not found:
        raise AssertionError(f"{page}.md has no {language} block")
    return found


class Pages(unittest.TestCase):
    def start(self, folder, reply=brain.reply):
        if not (CLIENTS / folder / "installed").exists():
            world.skip(f"the clients are not installed in {CLIENTS}/{folder}; tests/clients/install {folder} {CLIENTS}/{folder} says why")
        self.upstream = Scripted(reply)
        self.gateway = Dialects(self.upstream, extra="  auto: {arms: [gpt]}\n")
        self.addCleanup(self.gateway.kill)

    def placed(self, text):
        self.assertIn("127.0.0.1:4000", text)
        return text.replace("127.0.0.1:4000", f"127.0.0.1:{self.gateway.port}")

    def says_hello(self, words, text, **options):
        done = subprocess.run(words, input=None, stdin=subprocess.DEVNULL, timeout=100, capture_output=True, text=True, **options)
        self.assertEqual(done.returncode, 0, f"{text}\n{done.stderr}\n{self.gateway.output()}")
        self.assertIn("Hello, real-gpt.", done.stdout, text)

    def python(self, page, package=None):
        self.start("python_sdks")
        interpreter = CLIENTS / "python_sdks/venv/bin/python"
        if package and subprocess.run([interpreter, "-c", f"import {package}"], capture_output=True).returncode != 0:
            world.skip(f"{package} is not among the installed Python clients")
        env = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False"}
        for text in blocks(page, "python"):
            self.says_hello([interpreter, "-c", self.placed(text)], text, env=env)

    def node(self, page):
        self.start("node_sdks")
        for number, text in enumerate(blocks(page, "js")):
            file = CLIENTS / "node_sdks" / f"page-{page}-{os.getpid()}-{number}.mjs"  # imports are found from where it lies
            self.addCleanup(file.unlink)
            file.write_text(self.placed(text))
            self.says_hello(["node", file], text)

    def test_openai_python(self):
        self.python("openai")

    def test_openai_node(self):
        self.node("openai")

    def test_anthropic_python(self):
        self.python("anthropic")

    def test_anthropic_node(self):
        self.node("anthropic")

    def test_vercel_ai_sdk(self):
        self.node("vercel-ai-sdk")

    def test_langchain_python(self):
        self.python("langchain", "langchain_openai")

    def test_langchain_js(self):
        self.node("langchain")

    def test_litellm(self):
        self.python("litellm")

    def agent(self, words, files, **env):
        """A task of two tool calls with the page's own configuration."""
        home = world.scratch()
        for name, text in files.items():
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            (home / name).write_text(self.placed(text))
        work = home / "work"
        work.mkdir()
        done = subprocess.run([str(CLIENTS / "node_agents/node_modules/.bin" / words[0]), *words[1:]], cwd=work, stdin=subprocess.DEVNULL, timeout=110,
                              capture_output=True, text=True, env={"PATH": os.environ["PATH"], "HOME": str(home), **env})
        self.assertEqual(done.returncode, 0, f"{done.stdout}\n{done.stderr}\n{self.gateway.output()}")
        self.assertEqual((work / "notes.txt").read_text(), "alpha\nbeta\n")

    def test_codex(self):
        self.start("node_agents", lambda path, body: brain.reply(path, body, agents_test.steps))
        self.agent(["codex", "exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", agents_test.TASK],
                   {".codex/config.toml": blocks("codex", "toml")[0]}, RUNG_KEY="any")

    def test_opencode(self):
        self.start("node_agents", lambda path, body: brain.reply(path, body, agents_test.steps))
        config = json.loads(blocks("opencode", "json")[0])
        config.pop("$schema")  # it would be fetched
        quiet = {"autoupdate": False, "share": "disabled", "permission": {"bash": "allow", "edit": "allow"}}
        self.agent(["opencode", "run", agents_test.TASK], {".config/opencode/opencode.json": json.dumps({**config, **quiet})},
                   OPENCODE_DISABLE_AUTOUPDATE="1", OPENCODE_DISABLE_MODELS_FETCH="1", OPENCODE_DISABLE_LSP_DOWNLOAD="1")

    def test_the_address_of_claude_code_answers_what_it_asks(self):
        """Claude Code itself is not installed here: its first requests, by the page's variables, as its documentation has them."""
        self.start("python_sdks")
        text = self.placed(blocks("claude-code", "sh")[0])
        variables = dict(re.findall(r"(?m)^export (\w+)=(\S+)$", text))
        self.assertTrue(variables["ANTHROPIC_BASE_URL"].endswith(str(self.gateway.port)))
        headers = {"authorization": f"Bearer {variables['ANTHROPIC_AUTH_TOKEN']}", "anthropic-version": "2023-06-01", "anthropic-beta": "claude-code-20250219"}
        body = {"model": variables["ANTHROPIC_MODEL"], "messages": [{"role": "user", "content": "Say hello."}]}
        counted = self.gateway.request("POST", "/v1/messages/count_tokens?beta=true", json.dumps(body), headers)
        self.assertGreater(counted.json["input_tokens"], 0, counted)
        reply = self.gateway.request("POST", "/v1/messages?beta=true", json.dumps({**body, "max_tokens": 100, "stream": True}), headers)
        self.assertEqual(reply.status, 200, reply)
        self.assertIn(b"message_stop", reply.body)


if __name__ == "__main__":
    unittest.main(verbosity=2)
