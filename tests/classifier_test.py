#!/usr/bin/env python3
"""RouteLLM's classifiers behind `rung serve` as a whole process: who is asked, what is counted, what happens when it fails.

usage: classifier_test.py [Class.test_name...]       each test starts its own gateway on free ports
"""
import json
import math
import re
import sqlite3
import sys
import threading
import unittest

import world
from world import Gateway, RecordingUpstream, wait_for

WEAK, STRONG = "rung-small", "rung-large"
LOW, HIGH = (0, 0, 0, 9, 9), (9, 9, 0, 0, 0)  # logits of [[1]] to [[5]]: weak is good enough, or it is not


class Classifying(RecordingUpstream):
    """The recorder with a judge: it answers questions that ask for logprobs with `logits`, or does what `mode` says."""

    def __init__(self):
        super().__init__()
        self.logits, self.mode = LOW, "answer"
        self.release = threading.Event()  # of mode "hold"
        self.usage = {"prompt_tokens": 150, "completion_tokens": 1, "total_tokens": 151}

    def asked(self):
        return [s for s in self.seen if self.is_judge(s)]

    def answered(self):
        return [json.loads(s.body)["model"] for s in self.seen if not self.is_judge(s)]

    @staticmethod
    def is_judge(seen):
        return b'"logprobs":true' in seen.body or b" /classify " in seen.head or b" /predict " in seen.head

    def answer(self, seen):
        if not self.is_judge(seen):
            return super().answer(seen)
        if self.mode == "hang":
            return not self.gone(seen, 30) and False
        if self.mode == "hold":
            self.release.wait(30)
        if self.mode == "cut":
            return False
        head, extra = b"HTTP/1.1 200 OK", b""
        if b" /classify " in seen.head:
            body = {"object": "list", "data": [{"index": 0, "label": "LABEL_0", "probs": [0.7, 0.1, 0.2], "num_classes": 3}],
                    "usage": {"prompt_tokens": 40, "total_tokens": 40}}
        elif b" /predict " in seen.head:
            body, extra = [{"score": 0.7, "label": "LABEL_0"}, {"score": 0.2, "label": "LABEL_2"}, {"score": 0.1, "label": "LABEL_1"}], \
                b"x-compute-tokens: 40\r\n"
        else:
            logits = self.logits(json.loads(seen.body)["messages"][1]["content"]) if callable(self.logits) else self.logits
            total = math.log(sum(math.exp(x) for x in logits))
            top = sorted(({"token": f"[[{i + 1}]]", "logprob": x - total} for i, x in enumerate(logits)), key=lambda t: -t["logprob"])
            body = {"choices": [{"index": 0, "message": {"role": "assistant", "content": top[0]["token"]}, "finish_reason": "stop",
                                 "logprobs": {"content": [{**top[0], "top_logprobs": top}]}}], "usage": self.usage}
            if self.mode == "no logprobs":
                body["choices"][0]["logprobs"] = None
        text = json.dumps(body).encode()
        if self.mode == "error":
            head, text = b"HTTP/1.1 500 No", b'{"error":{"message":"out of memory"}}'
        seen.connection.sendall(b"%s\r\ncontent-type: application/json\r\n%scontent-length: %d\r\n\r\n%s" % (head, extra, len(text), text))
        return True


class Classifier(unittest.TestCase):
    def setUp(self):
        self.upstream, self.gateway = Classifying(), None

    def tearDown(self):
        self.upstream.release.set()
        if self.gateway:
            self.gateway.kill()

    def start(self, predictor="{kind: causal_llm, model: judge, timeout_ms: 20000}", price="{input: 0.2, output: 0.4}", url=None, share="",
              workers=1):
        port, admin = world.free_port(), world.free_port()
        folder = world.scratch()
        self.ledger = folder / "ledger.db"
        text = f"""\
listen: 127.0.0.1:{port}
ledger: {{path: {self.ledger}}}
workers: {workers}
admin: 127.0.0.1:{admin}
upstreams:
  recorder: {{base_url: http://127.0.0.1:{self.upstream.port}/v1}}
  judges: {{base_url: "{url or f'http://127.0.0.1:{self.upstream.port}/v1'}", api_key: "${{UPSTREAM_KEY}}"}}
models:
  {WEAK}: {{upstream: recorder, price: {{input: 0.05, output: 0.20}}, supports: [tools]}}
  {STRONG}: {{upstream: recorder, price: {{input: 2.50, output: 10.00}}, supports: [tools, vision]}}
  judge: {{upstream: judges, name: judge-8b, price: {price}}}
routes:
  auto:
    arms: [{WEAK}, {STRONG}]
    predictor: {predictor}
    policy: {{kind: threshold, threshold: 0.5, strong: {STRONG}, weak: {WEAK}{share}}}
"""
        self.gateway = Gateway.__new__(Gateway)
        self.gateway.config = folder / "rung.yaml"
        self.gateway.config.write_text(text)
        self.gateway.admin_port = admin
        world.Process.__init__(self.gateway, [world.BIN, "serve", "--config", self.gateway.config], port,
                               env={"UPSTREAM_KEY": world.KEY}, cwd=folder)
        return self.gateway

    def rows(self, sql, at_least=1):
        """The ledger is written a moment after the answer."""
        def read():
            with sqlite3.connect(f"file:{self.ledger}?mode=ro", uri=True) as db:
                found = db.execute(sql).fetchall()
                return found if len(found) >= at_least else None
        return wait_for(read, 5)

    def test_its_labels_choose_the_arm_and_a_threshold_on_the_wire_another(self):
        self.start()
        easy = self.gateway.chat("What is 2 + 2?")
        self.assertEqual((easy.status, easy.headers["x-rung-arm"]), (200, WEAK), easy)
        message = {"model": "auto", "max_tokens": 50, "messages": [{"role": "user", "content": "What is 2 + 2?"}]}
        other = self.gateway.request("POST", "/v1/messages", json.dumps(message))
        self.assertEqual((other.status, other.headers["x-rung-arm"]), (200, WEAK), other)
        self.upstream.logits = HIGH
        hard = self.gateway.chat("Prove it.")
        self.assertEqual(hard.headers["x-rung-arm"], STRONG, hard)
        self.assertRegex(hard.headers["x-rung-reason"], "rung-large beats rung-small with chance 1.000, at or above the threshold 0.5")
        self.upstream.logits = (0.1, 0.4, 1.0, 0.2, -0.3)  # s = 0.7304
        for model, arm in (("router-causal-llm-0.73", STRONG), ("router-causal-llm-0.74", WEAK), ("router-causal_llm-0.74", WEAK)):
            self.assertEqual(self.gateway.chat(model=model).headers["x-rung-arm"], arm, model)
        asked = json.loads(self.upstream.asked()[0].body)
        self.assertEqual((asked["model"], asked["top_logprobs"], asked["max_tokens"], asked["temperature"]), ("judge-8b", 20, 6, 0))
        self.assertIn("What is 2 + 2?", asked["messages"][1]["content"])
        self.assertEqual(self.upstream.asked()[0].header("authorization"), "Bearer " + world.KEY)

    def test_its_tokens_and_cost_belong_to_the_request_and_not_to_the_answer(self):
        self.start()
        reply = self.gateway.chat()
        nano = {"judge": 150 * 200 + 1 * 400, "answer": 9 * 50 + 2 * 200}  # USD 1e-9
        self.assertAlmostEqual(float(reply.headers["x-rung-cost"]), sum(nano.values()) * 1e-9, 12)
        calls = self.rows("SELECT step, model, prompt_tokens, completion_tokens, cost_nano, outcome FROM calls ORDER BY start_us", at_least=2)
        self.assertEqual(calls, [("classify", "judge-8b", 150, 1, nano["judge"], "ok"), (None, WEAK, 9, 2, nano["answer"], "ok")])
        spent, reference, predictor, policy = self.rows("SELECT spent_nano, reference_nano, predictor, policy FROM requests")[0]
        self.assertEqual((spent, predictor, policy), (sum(nano.values()), "causal_llm", "threshold"))
        self.assertEqual(reference, 9 * 2500 + 2 * 10000)  # the answer's tokens alone: without a router nobody asks a judge
        metrics = self.gateway.request("GET", "/metrics").text
        of = lambda name, labels: float(re.search(rf"^{name}{{{labels}}} (\S+)", metrics, re.M)[1])
        self.assertEqual(of("rung_tokens_total", 'model="judge",kind="prompt"'), 150)
        self.assertEqual(of("rung_tokens_total", f'model="{WEAK}",kind="prompt"'), 9)
        self.assertAlmostEqual(of("rung_cost_usd_total", 'model="judge"'), nano["judge"] * 1e-9, 12)

    def test_whatever_fails_goes_to_strong_and_says_so(self):
        self.start("{kind: causal_llm, model: judge, timeout_ms: 300}")
        for mode, why in (("no logprobs", "gave no score: the reply has no logprobs.content"), ("error", "answered with status 500"),
                          ("cut", "could not be asked: "), ("hang", "did not answer within 300 ms")):
            self.upstream.mode = mode
            reply = self.gateway.chat(model="router-causal-llm-1")
            self.assertEqual((reply.status, reply.headers["x-rung-arm"]), (200, STRONG), reply)
            self.assertTrue(reply.headers["x-rung-reason"].startswith(f"{STRONG}, since the classifier causal_llm (model judge) {why}"), reply)
            self.assertEqual("x-rung-cost" in reply.headers, mode == "no logprobs", reply)  # what it cost is not known
        outcomes = self.rows("SELECT outcome, cost_nano IS NULL FROM calls WHERE step = 'classify' ORDER BY request", at_least=4)
        self.assertEqual(outcomes, [("upstream_error", 0), ("upstream_error", 1), ("upstream_error", 1), ("timeout", 1)])
        arms = json.loads(self.rows("SELECT arms FROM requests")[0][0])
        self.assertFalse(any("quality" in arm for arm in arms), arms)  # nobody has measured it

    def test_an_upstream_that_is_not_there_costs_nothing_and_goes_to_strong(self):
        self.start(url=f"http://127.0.0.1:{world.free_port()}/v1")
        reply = self.gateway.chat()
        self.assertEqual((reply.status, reply.headers["x-rung-arm"]), (200, STRONG), reply)
        self.assertAlmostEqual(float(reply.headers["x-rung-cost"]), (9 * 2500 + 2 * 10000) * 1e-9, 12)

    def test_nobody_is_asked_where_there_is_nothing_to_choose(self):
        self.start()
        image = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]}]
        self.assertEqual(self.gateway.chat(messages=image).headers["x-rung-arm"], STRONG)
        self.assertEqual(self.gateway.chat(headers={"x-rung-arm": WEAK}).headers["x-rung-arm"], WEAK)
        self.assertEqual(self.gateway.chat(model=STRONG).status, 200)
        self.assertEqual(self.gateway.chat(headers={"x-rung-max-cost": "1"}).status, 400)
        self.assertEqual(self.upstream.asked(), [])

    def test_other_requests_of_the_worker_pass_while_it_thinks(self):
        self.start()
        self.upstream.mode = "hold"
        held = {}
        thread = threading.Thread(target=lambda: held.update(reply=self.gateway.chat()))
        thread.start()
        self.assertTrue(wait_for(self.upstream.asked))
        self.assertEqual(self.gateway.chat(model=STRONG).status, 200)  # the only worker answers: nobody has let go of the judge yet
        self.assertNotIn("reply", held)
        self.upstream.release.set()
        thread.join(20)
        self.assertEqual(held["reply"].headers["x-rung-arm"], WEAK)

    def test_a_client_that_leaves_takes_the_question_back(self):
        self.start()
        self.upstream.mode = "hang"
        connection = self.gateway.open_chat("Say hello.")
        self.assertTrue(wait_for(self.upstream.asked))
        connection.close()
        self.assertTrue(self.upstream.asked()[0].gone.wait(10))
        self.assertEqual(self.rows("SELECT outcome, http_status FROM requests"), [("client_gone", 499)])
        self.assertEqual(self.upstream.answered(), [])

    def test_a_request_that_no_arm_can_serve_is_refused_unasked(self):
        self.start()
        schema = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}
        reply = self.gateway.chat(response_format=schema)
        self.assertGreaterEqual(reply.status, 400, reply)
        self.assertEqual(self.upstream.asked(), [])
        self.assertEqual(self.rows("SELECT outcome FROM requests"), [("refused",)])

    def test_bert_is_asked_in_the_forms_of_two_servers(self):
        for path, word in (("/classify", "input"), ("/predict", "inputs")):
            self.start(f"{{kind: bert, model: judge, path: {path}}}")  # s = 0.7
            self.assertEqual(self.gateway.chat("Prove it.").headers["x-rung-arm"], STRONG)
            self.assertEqual(self.gateway.chat(model="router-bert-0.71").headers["x-rung-arm"], WEAK)
            seen = self.upstream.asked()[0]
            self.assertIn(f"POST {path} HTTP/1.1".encode(), seen.head)
            self.assertEqual(json.loads(seen.body)[word], "Prove it.")
            self.assertEqual(self.rows("SELECT prompt_tokens, completion_tokens, cost_nano FROM calls WHERE step = 'classify'")[0],
                             (40, 0, 40 * 200))
            self.gateway.kill()
            self.upstream.seen.clear()

    def test_a_threshold_for_a_share_is_found_by_asking_and_holds_on_the_wire(self):
        gateway = self.start()
        self.upstream.logits = lambda text: (sum(text.encode()) % 17 / 4, 0, 0, 0, 1)
        calibrate = ["calibrate", "--config", gateway.config, "--outcomes", world.OUTCOMES, "--share", "0.4", "--json"]
        done = world.cli(*calibrate, env={"UPSTREAM_KEY": world.KEY})
        self.assertEqual(done.returncode, 0, done)
        found = json.loads(done.stdout)
        rows = [json.loads(line) for line in world.OUTCOMES.read_text().splitlines()]
        self.assertEqual((found["rows"], len(self.upstream.asked())), (len(rows), len(rows)))
        self.assertEqual((found["policy"]["strong"], found["policy"]["weak"]), (STRONG, WEAK))
        self.assertEqual(self.upstream.asked()[0].header("authorization"), "Bearer " + world.KEY)
        self.assertAlmostEqual(found["strong_share"], 0.4, delta=0.15)  # scores have ties
        model = f"router-causal-llm-{found['policy']['threshold']}"
        strong = sum(gateway.chat(row["prompt"], model=model).headers["x-rung-arm"] == STRONG for row in rows)
        self.assertAlmostEqual(strong / len(rows), found["strong_share"], 6)
        self.upstream.mode = "no logprobs"
        none = world.cli(*calibrate, env={"UPSTREAM_KEY": world.KEY})
        self.assertEqual(none.returncode, 2, none)
        self.assertIn("the classifier causal_llm scored no prompt", none.stderr)
        other = world.cli(*calibrate, "--route", "nobody", env={"UPSTREAM_KEY": world.KEY})
        self.assertIn('route "nobody" has no classifier; expected --route with one of', other.stderr)

    def test_a_share_that_drifts_is_told_once_and_so_is_its_end(self):
        self.start(share=", share: 0.5, share_window: 40", workers=2)

        def send(highs, lows, **more):
            for logits, count in ((HIGH, highs), (LOW, lows)):
                self.upstream.logits = logits
                for _ in range(count):
                    self.assertEqual(self.gateway.chat(**more).status, 200)

        def metric(name):
            found = re.search(rf'^{name}{{route="auto"}} (\S+)', self.gateway.request("GET", "/metrics").text, re.M)
            return float(found[1]) if found else None

        self.assertEqual((metric("rung_strong_share_expected"), metric("rung_strong_share_drifted"), metric("rung_strong_share")), (0.5, 0, None))
        send(20, 20)
        self.assertTrue(wait_for(lambda: metric("rung_strong_share") == 0.5))
        self.assertEqual(metric("rung_strong_share_drifted"), 0)
        send(0, 60, model="router-causal-llm-0.9")  # another threshold, a pinned arm: not the route's share
        send(0, 60, headers={"x-rung-arm": WEAK})
        send(38, 2)
        self.assertTrue(wait_for(lambda: metric("rung_strong_share_drifted") == 1))
        self.assertEqual(metric("rung_strong_share"), 0.95)
        warning = "route auto: the share has drifted: 95.0 % of the last 40 requests went to rung-large, 50.0 % were expected"
        self.assertTrue(wait_for(lambda: warning in self.gateway.output()), self.gateway.output())
        routes = world.fetch(self.gateway.admin_port, "GET", "/api/routes").json["routes"]
        self.assertTrue(routes[0]["drifted"], routes)
        self.assertEqual(routes[0]["share"], "95.0 % of the last 40 requests went to rung-large, 50.0 % were expected")
        send(20, 20)
        self.assertTrue(wait_for(lambda: metric("rung_strong_share_drifted") == 0))
        self.assertEqual(self.gateway.output().count("the share has drifted"), 1)
        self.assertTrue(wait_for(lambda: "route auto: the share is as calibrated again: 50.0 % of" in self.gateway.output()))


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[1:]])
