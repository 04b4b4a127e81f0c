#!/usr/bin/env python3
"""Traces by OTLP to a scripted collector, and structured logs, of the whole process.

usage: trace_test.py [Class.test_name...]
"""
import http.server
import json
import re
import threading
import time
import unittest

import world
from world import Gateway, RecordingUpstream, wait_for

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Collector:
    """Keeps what it is sent. `script` holds the statuses of the next answers; empty: 200. "hang" never answers."""

    def __init__(self, script=()):
        self.script, self.bodies, self.heads = list(script), [], []
        self.leave = threading.Event()
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                step = collector.script.pop(0) if collector.script else 200
                if step == "hang":
                    collector.leave.wait(60)
                    return
                collector.heads.append((self.path, dict(self.headers)))
                if step == 200:
                    collector.bodies.append(json.loads(body))
                self.send_response(step)
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def spans(self):
        return [span for body in self.bodies for resource in body["resourceSpans"] for scope in resource["scopeSpans"] for span in scope["spans"]]

    def close(self):
        self.leave.set()
        self.server.shutdown()


def attributes(span):
    return {a["key"]: next(iter(a["value"].values())) for a in span["attributes"]}


class Traces(unittest.TestCase):
    def start(self, collector=None, top=None, **options):
        self.upstream = RecordingUpstream()
        self.collector = collector
        line = top if top is not None else f"otlp: {{endpoint: http://127.0.0.1:{collector.port}, headers: {{x-api-token: \"${{OTLP_TOKEN}}\"}}}}"

        class Traced(Gateway):
            def config_text(self, **more):
                return super().config_text(top=line, **more)

        self.gateway = Traced(self.upstream.port, env={"OTLP_TOKEN": "collector-token"}, **options)
        self.addCleanup(self.gateway.kill)
        if collector:
            self.addCleanup(collector.close)
        return self.gateway

    def metric(self, name):
        found = re.search(rf"(?m)^{name} ([0-9.e+]+)$", self.gateway.request("GET", "/metrics").text)
        return float(found[1]) if found else None

    def test_a_request_is_three_spans_under_the_callers_span_and_the_upstream_gets_the_last(self):
        gateway = self.start(Collector())
        reply = gateway.chat("hello", headers={"traceparent": PARENT, "tracestate": "vendor=1"})
        self.assertEqual(reply.status, 200, reply)
        spans = wait_for(lambda: self.collector.spans())
        by_name = {s["name"]: s for s in spans}
        root, decide = by_name["POST /v1/chat/completions"], by_name["rung.decide"]
        call = next(s for s in spans if s["name"].startswith("chat "))
        self.assertEqual({s["traceId"] for s in spans}, {"4bf92f3577b34da6a3ce929d0e0e4736"})
        self.assertEqual(root["parentSpanId"], "00f067aa0ba902b7")
        self.assertEqual({decide["parentSpanId"], call["parentSpanId"]}, {root["spanId"]})
        passed = self.upstream.seen[0].header("traceparent")
        self.assertEqual(passed, f"00-{root['traceId']}-{call['spanId']}-01")
        self.assertEqual(self.upstream.seen[0].header("tracestate"), "vendor=1")
        model = reply.headers["x-rung-model"]
        facts = attributes(call)
        self.assertEqual((facts["gen_ai.operation.name"], facts["gen_ai.request.model"]), ("chat", model))
        self.assertEqual((facts["gen_ai.usage.input_tokens"], facts["gen_ai.usage.output_tokens"]), ("9", "2"))
        self.assertEqual(facts["gen_ai.usage.cache_read.input_tokens"], "3")
        self.assertEqual(attributes(root)["rung.decision_id"], reply.headers["x-rung-decision-id"])
        self.assertEqual(attributes(decide)["rung.reason"].replace("±", "+/-"), reply.headers["x-rung-reason"])
        for span in (root, decide):
            self.assertFalse([k for k in attributes(span) if k.startswith("gen_ai.")], "these are no calls of a model")
        for span in spans:
            self.assertLessEqual(int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"]))
            self.assertLess(abs(int(span["startTimeUnixNano"]) / 1e9 - time.time()), 60)
        self.assertEqual(self.collector.heads[0][0], "/v1/traces")
        self.assertEqual(self.collector.heads[0][1]["x-api-token"], "collector-token")
        text = json.dumps(self.collector.bodies)
        for secret in (world.KEY, "collector-token", "hello"):
            self.assertNotIn(secret, text)

    def test_a_stream_and_a_failure_are_traced_too(self):
        gateway = self.start(Collector())
        gateway.chat("hi", model="rung-small", stream=True)
        gateway.chat("[[status:500]]", model="rung-large")
        gateway.chat("hi", model="nobody")
        roots = lambda: [s for s in self.collector.spans() if s["kind"] == 2]
        self.assertEqual(len(wait_for(lambda: len(roots()) == 3 and roots())), 3)
        codes = sorted(int(attributes(s)["http.response.status_code"]) for s in roots())
        self.assertEqual(codes, [200, 404, 500])
        failed = [s for s in self.collector.spans() if s.get("status", {}).get("code") == 2]
        self.assertEqual({attributes(s)["error.type"] for s in failed}, {"500"})

    def test_a_collector_that_is_busy_is_asked_again_and_nothing_is_lost(self):
        gateway = self.start(Collector([503, 429]))
        gateway.chat("hi")
        self.assertTrue(wait_for(lambda: self.collector.spans(), 15))
        self.assertEqual([s["name"] for s in self.collector.spans()].count("rung.decide"), 1)
        self.assertEqual(self.metric("rung_trace_spans_dropped_total"), 0)

    def test_a_collector_that_refuses_costs_its_spans_and_nothing_else(self):
        gateway = self.start(Collector([400] * 100))
        for _ in range(3):
            self.assertEqual(gateway.chat("hi").status, 200)
        self.assertTrue(wait_for(lambda: self.metric("rung_trace_spans_dropped_total") == 9, 10), gateway.output())
        self.assertIn("does not take spans", gateway.output())
        self.assertEqual(gateway.output().count("does not take spans"), 1, "once, not for each batch")

    def test_a_collector_that_hangs_or_is_gone_makes_no_request_wait(self):
        for collector in (Collector(["hang"] * 100), Collector()):
            if not collector.script:
                collector.close()
                collector.server.server_close()
            gateway = self.start(collector)
            for _ in range(10):
                began = time.monotonic()
                self.assertEqual(gateway.chat("hi").status, 200)
                self.assertLess(time.monotonic() - began, 5)
            self.assertEqual(gateway.stop(), 0, "nor the end of the process")

    def test_what_waits_is_sent_when_the_process_ends(self):
        gateway = self.start(Collector())
        self.assertEqual(gateway.chat("hi").status, 200)
        self.assertEqual(gateway.stop(), 0)
        self.assertEqual(len(self.collector.spans()), 3)

    def test_a_share_of_none_traces_only_what_the_caller_traces(self):
        collector = Collector()
        gateway = self.start(collector, top=f"otlp: {{endpoint: http://127.0.0.1:{collector.port}, sample: 0}}")
        gateway.chat("hi")
        gateway.chat("hi", headers={"traceparent": PARENT})
        self.assertEqual(gateway.stop(), 0)
        self.assertEqual({s["traceId"] for s in collector.spans()}, {"4bf92f3577b34da6a3ce929d0e0e4736"})
        first = self.upstream.seen[0].header("traceparent")
        self.assertRegex(first, "^00-[0-9a-f]{32}-[0-9a-f]{16}-00$")

    def test_without_otlp_the_callers_header_passes_as_it_came(self):
        gateway = self.start(top="")
        gateway.chat("hi", headers={"traceparent": PARENT, "tracestate": "vendor=1"})
        self.assertEqual(self.upstream.seen[0].header("traceparent"), PARENT)
        self.assertIsNone(self.metric("rung_trace_spans_sent_total"))


class Logs(unittest.TestCase):
    def start(self, top):
        class Logged(Gateway):
            def config_text(self, **more):
                return super().config_text(top=top, **more)

        self.gateway = Logged(RecordingUpstream().port)
        self.addCleanup(self.gateway.kill)
        return self.gateway

    def test_as_json_every_line_is_an_object_and_a_request_is_one_line(self):
        gateway = self.start("log: {format: json, requests: true}")
        reply = gateway.chat("a \"quoted\" prompt")
        gateway.chat("hi", model="nobody \"odd\"")
        gateway.stop()
        lines = [json.loads(line) for line in gateway.output().splitlines() if line.strip()]
        self.assertTrue(all({"time", "level", "message"} <= set(line) for line in lines), lines)
        requests = [line for line in lines if line["message"] == "request"]
        self.assertEqual(len(requests), 2)
        self.assertEqual(requests[0]["decision_id"], reply.headers["x-rung-decision-id"])
        self.assertEqual(requests[0]["status"], 200)
        self.assertAlmostEqual(requests[0]["cost_usd"], float(reply.headers["x-rung-cost"]))
        self.assertEqual((requests[1]["status"], requests[1]["outcome"]), (404, "refused"))
        self.assertNotIn("quoted", requests[0].get("error", ""))

    def test_as_text_a_request_is_a_line_only_if_that_is_asked_for(self):
        gateway = self.start("log: {requests: true}")
        reply = gateway.chat("hi")
        gateway.stop()
        self.assertIn(f"{reply.headers['x-rung-decision-id']} 200 ok", gateway.output())
        gateway = self.start("")
        reply = gateway.chat("hi")
        gateway.stop()
        self.assertNotIn(reply.headers["x-rung-decision-id"], gateway.output())

    def test_mistakes_in_both_keys_are_named(self):
        for text, says in (("log: {format: xml}", "text or json"), ("otlp: {endpoint: nowhere}", "otlp.endpoint"), ("otlp: {}", "endpoint is missing"),
                           ("otlp: {endpoint: http://x, sample: 2}", "from 0 to 1"), ("otlp: {endpoint: http://x, headers: {\"a b\": c}}", "header")):
            file = world.scratch() / "rung.yaml"
            file.write_text(text + "\nupstreams: {a: {base_url: http://127.0.0.1:1/v1}}\nmodels: {m: {upstream: a}}\n")
            done = world.cli("check-config", file)
            self.assertEqual(done.returncode, 2, text)
            self.assertIn(says, done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
