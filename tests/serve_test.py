#!/usr/bin/env python3
"""`rung serve` as a whole process: what it passes on, what it refuses, how it reloads, stops and survives.

usage: serve_test.py [Class.test_name...]       each test starts its own gateway on free ports
"""
import json
import os
import pwd
import re
import resource
import shutil
import signal
import socket
import sqlite3
import sys
import time
import unittest

import world
from world import Gateway, RecordingUpstream, wait_for

HARD = "Derive the answer step by step and prove that every step is forced."


class Serve(unittest.TestCase):
    def setUp(self):
        self.upstream = RecordingUpstream()
        self.gateway = None

    def start(self, **options):
        self.gateway = Gateway(self.upstream.port, **options)
        return self.gateway

    def tearDown(self):
        if self.gateway:
            self.gateway.kill()

    def assert_error(self, reply, status, kind=None, code=None):
        """An OpenAI error body with the right status and a sentence."""
        self.assertEqual(reply.status, status, reply)
        self.assertIn("application/json", reply.headers.get("content-type", ""), reply)
        error = reply.json["error"]
        self.assertEqual(set(error), {"message", "type", "param", "code"}, reply)
        self.assertGreater(len(error["message"]), 15, f"that is no sentence: {error}")
        if kind:
            self.assertEqual(error["type"], kind, reply)
        if code:
            self.assertEqual(error["code"], code, reply)
        return error


class Faithful(Serve):
    ODD = ('{ "zeta":1,"model" : "MODEL" ,\n "messages":[{"role":"user","content":"hi \\ud83d\\ude00 \\u0000 é 😀 \\ud83d lone"}],'
           '"seed":9007199254740993,"temperature":1.0,"top_p":0.10,"x_unknown":{"k":[1e21,0.10,-0.0,1E400],"big":12345678901234567890},'
           '"z":null,"alpha":"\\/ \\u00e9","empty":{},"list":[ ]}')

    def post(self, text):
        return self.gateway.request("POST", "/v1/chat/completions", text.encode("utf-8"))

    def test_a_body_that_needs_no_edit_arrives_byte_for_byte(self):
        self.start()
        sent = self.ODD.replace("MODEL", "rung-small")
        self.assertEqual(self.post(sent).status, 200)
        self.assertEqual(self.upstream.seen[0].body.decode("utf-8"), sent)

    def test_a_routed_body_differs_only_in_the_model_name(self):
        self.start()
        self.assertEqual(self.post(self.ODD.replace("MODEL", "auto")).status, 200)
        arrived = self.upstream.seen[0].body.decode("utf-8")
        served = json.loads(arrived)["model"]
        self.assertIn(served, ("rung-small", "rung-medium", "rung-large"))
        self.assertEqual(arrived, self.ODD.replace("MODEL", served))

    def test_a_model_key_inside_another_object_is_left_alone(self):
        self.start()
        sent = '{"metadata":{"model":"auto"},"model":"auto","messages":[{"role":"user","content":"\\"model\\":\\"auto\\""}]}'
        self.assertEqual(self.post(sent).status, 200)
        arrived = self.upstream.seen[0].body.decode()
        served = json.loads(arrived)["model"]
        self.assertEqual(arrived, sent.replace('},"model":"auto"', '},"model":"%s"' % served))

    def test_the_answer_comes_back_byte_for_byte_with_its_headers(self):
        self.start()
        reply = self.gateway.chat(model="rung-large")
        self.assertEqual(reply.body, world.ANSWER)
        self.assertEqual(reply.headers.get("x-ratelimit-remaining-requests"), "41")

    def test_the_events_of_a_stream_come_back_unchanged_and_in_order(self):
        self.start()
        reply = self.gateway.chat(model="rung-small", stream=True)
        self.assertEqual(reply.status, 200, reply)
        self.assertIn("text/event-stream", reply.headers["content-type"])
        self.assertEqual(reply.body, b"".join(world.stream_pieces()) + b"data: [DONE]\n\n")

    def test_the_usage_chunk_reaches_only_the_client_that_asked_for_it(self):
        self.start()
        asked = self.gateway.chat(model="auto", stream=True, stream_options={"include_usage": True})
        self.assertIn(world.USAGE_CHUNK, asked.body)
        silent = self.gateway.chat(model="auto", stream=True)
        self.assertNotIn(b'"usage"', silent.body)
        self.assertTrue(silent.body.endswith(b"data: [DONE]\n\n"), silent)

    def test_a_stream_arrives_piece_by_piece_and_not_in_one_lump(self):
        self.start()
        connection = self.gateway.open_chat("[[slow]]", stream=True)
        began, first = time.monotonic(), None
        data = b""
        while b"[DONE]" not in data:
            more = connection.recv(65536)
            self.assertTrue(more, data)
            data += more
            if first is None and b"data:" in data:
                first = time.monotonic() - began
        self.assertLess(first, 0.5 * (time.monotonic() - began))

    def test_a_cut_stream_never_ends_cleanly(self):
        self.start()
        connection = self.gateway.open_chat("[[cut]]", model="rung-small", stream=True)
        connection.settimeout(10)
        data = b""
        try:
            while more := connection.recv(65536):
                data += more
        except ConnectionError:
            pass
        self.assertNotIn(b"[DONE]", data)
        self.assertTrue(b'"error"' in data or not data.endswith(b"0\r\n\r\n"), data)

    def test_upstream_errors_keep_status_body_and_retry_after(self):
        self.start()
        for status in (400, 422, 429, 500):
            reply = self.gateway.chat(f"[[status:{status}]]", model="rung-small")
            self.assertEqual(reply.status, status, reply)
            self.assertEqual(reply.json["error"]["message"], "upstream says no")
            if status == 429:
                self.assertEqual(reply.headers.get("retry-after"), "7")


class Refuses(Serve):
    def test_bytes_that_are_not_json(self):
        self.start()
        for bad, says in ((b'{"model":', "byte 9: the text ends; expected a value"), (b"", "byte 0"), (b"\xff\xfe", "byte 0: found 0xff"),
                          (b"[1,2", "byte 4"), (b'{"model":"auto"} trailing', "byte 17: found 't'; expected the end")):
            error = self.assert_error(self.gateway.request("POST", "/v1/chat/completions", bad), 400, "invalid_request_error", "invalid_json")
            self.assertIn("not valid JSON: " + says, error["message"])
        self.assertEqual(self.upstream.seen, [])
        self.assertEqual(self.gateway.chat().status, 200)

    def test_nesting_without_end(self):
        self.start()
        deep = b'{"model":"auto","messages":' + b"[" * 200_000 + b"]" * 200_000 + b"}"
        self.assert_error(self.gateway.request("POST", "/v1/chat/completions", deep), 400, "invalid_request_error")
        self.assertEqual(self.gateway.chat().status, 200)

    def test_a_body_without_a_model(self):
        self.start()
        for bad in ('{"messages":[{"role":"user","content":"hi"}]}', '{"model":7,"messages":[]}', '{"model":"","messages":[]}', "[]", '"auto"'):
            error = self.assert_error(self.gateway.request("POST", "/v1/chat/completions", bad), 400, "invalid_request_error")
            self.assertRegex(error["message"], r"model: found .*; expected the name of a model|expected an object")
        self.assertEqual(self.upstream.seen, [])
        self.assertEqual(self.gateway.chat().status, 200)

    def test_a_model_that_nobody_configured(self):
        self.start()
        error = self.assert_error(self.gateway.chat(model="no-such-model"), 404, "invalid_request_error", "model_not_found")
        self.assertIn("no-such-model", error["message"])

    def test_an_arm_that_the_route_does_not_have(self):
        self.start()
        error = self.assert_error(self.gateway.chat(headers={"x-rung-arm": "rung-huge"}), 400, "invalid_request_error")
        self.assertIn('"rung-huge", which route auto does not have', error["message"])
        self.assertEqual(self.gateway.chat(headers={"x-rung-arm": "rung-large"}).status, 200)

    def test_a_routed_body_without_messages(self):
        self.start()
        for bad in ('{"model":"auto"}', '{"model":"auto","messages":"hi"}', '{"model":"auto","messages":[]}'):
            self.assert_error(self.gateway.request("POST", "/v1/chat/completions", bad), 400, "invalid_request_error")

    def test_a_path_that_does_not_exist(self):
        self.start()
        self.assert_error(self.gateway.request("GET", "/v1/nothing"), 404)
        self.assertIn(self.gateway.request("GET", "/v1/chat/completions").status, (404, 405))

    def test_a_body_over_the_limit_while_one_of_20_mb_passes(self):
        gateway = self.start()
        image = "data:image/png;base64," + "a" * 20_000_000
        body = {"model": "rung-large", "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": image}}]}]}
        text = json.dumps(body)
        self.assertEqual(gateway.request("POST", "/v1/chat/completions", text).status, 200)
        self.assertEqual(len(self.upstream.seen[0].body), len(text))
        connection = socket.create_connection(("127.0.0.1", gateway.port), timeout=10)
        connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 3000000000\r\n\r\n{")
        answer = connection.recv(65536)
        self.assertTrue(answer.startswith(b"HTTP/1.1 413"), answer)
        self.assertIn(b"larger than 67108864 bytes", answer)
        self.assertEqual(gateway.chat().status, 200)

    def test_garbage_instead_of_http(self):
        self.start()
        for bad in (b"\x16\x03\x01\x02\x00\x01\x00", b"GET\r\n\r\n", b"POST / HTTP/1.1\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabc"):
            connection = socket.create_connection(("127.0.0.1", self.gateway.port), timeout=15)
            connection.sendall(bad + b"\r\n\r\n")
            answer = b""
            try:
                answer = connection.recv(65536)
            except OSError:
                pass
            self.assertTrue(answer == b"" or answer.startswith(b"HTTP/1.1 400"), answer)
        self.assertEqual(self.gateway.chat().status, 200)

    def test_an_upstream_that_is_not_there(self):
        self.upstream.close()
        self.start()
        reply = self.gateway.chat(model="rung-small")
        self.assertIn(reply.status, (502, 503), reply)
        self.assertIn("error", reply.json)
        self.assertEqual(self.gateway.request("GET", "/healthz").status, 200)


class Decides(Serve):
    def test_the_headers_say_what_was_decided(self):
        self.start()
        reply = self.gateway.chat()
        names = {name for name in reply.headers if name.startswith("x-rung-")}
        for word in ("decision", "model", "arm", "reason"):
            self.assertTrue(any(word in name for name in names), f"no x-rung-*{word}* header among {sorted(names)}")
        self.assertTrue(any("cost" in name for name in names), f"no cost header among {sorted(names)}")
        served = json.loads(self.upstream.seen[0].body)["model"]
        self.assertIn(served, [reply.headers[name] for name in names])

    def test_a_named_model_is_never_replaced(self):
        self.start()
        for model in ("rung-small", "rung-medium", "rung-large"):
            self.assertEqual(self.gateway.chat(HARD, model=model).status, 200)
            self.assertEqual(json.loads(self.upstream.seen[-1].body)["model"], model)

    def test_an_arm_that_lacks_what_the_request_needs_is_never_chosen(self):
        self.start()
        picture = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]
        for _ in range(5):
            self.assertEqual(self.gateway.chat(picture).status, 200)
            self.assertEqual(json.loads(self.upstream.seen[-1].body)["model"], "rung-large")

    def test_the_same_question_gets_the_same_arm(self):
        self.start()
        for _ in range(3):
            self.gateway.chat(HARD)
        self.assertEqual(len({json.loads(seen.body)["model"] for seen in self.upstream.seen}), 1)

    def test_routes_and_models_are_listed(self):
        self.start()
        reply = self.gateway.request("GET", "/v1/models")
        self.assertEqual(reply.json["object"], "list")
        names = {item["id"] for item in reply.json["data"]}
        self.assertEqual(names, {"auto", "rung-small", "rung-medium", "rung-large"})
        self.assertTrue(all(item["object"] == "model" for item in reply.json["data"]))

    def test_feedback_is_taken_for_a_decision_and_refused_for_another(self):
        self.start()
        reply = self.gateway.chat()
        decision = next(value for name, value in reply.headers.items() if name.startswith("x-rung-decision"))
        give = lambda **body: self.gateway.request("POST", "/v1/feedback", json.dumps(body))
        self.assertEqual(give(decision_id=decision, score=1.0).status, 200)
        self.assert_error(give(decision_id="0" * len(decision), score=1.0), 404)
        for bad in (1.5, -0.1, "good", None):
            self.assert_error(give(decision_id=decision, score=bad), 400)

    def test_health_readiness_and_metrics(self):
        self.start()
        for _ in range(3):
            self.gateway.chat()
        self.assertEqual(self.gateway.request("GET", "/healthz").status, 200)
        self.assertEqual(self.gateway.request("GET", "/readyz").status, 200)
        reply = self.gateway.request("GET", "/metrics")
        self.assertEqual(reply.status, 200)
        counted = sum(float(line.rsplit(" ", 1)[1]) for line in reply.text.splitlines() if line.startswith("rung_requests_total{"))
        self.assertEqual(counted, 3, reply.text)
        for name in ("rung_decision_seconds", "rung_picks_total", "rung_cost_usd_total", "rung_build_info"):
            self.assertIn(name, reply.text)

    def test_every_request_is_in_the_ledger(self):
        self.start()
        for _ in range(5):
            self.gateway.chat()
        self.gateway.chat(model="rung-small", stream=True)
        self.assertEqual(self.gateway.stop(), 0)
        self.assertEqual(ledger_rows(self.gateway.ledger), 6)

    def test_the_dashboard_answers_only_on_its_own_listener(self):
        self.start()
        page = self.gateway.request("GET", "/", port=self.gateway.admin_port)
        self.assertEqual(page.status, 200)
        self.assertIn("text/html", page.headers["content-type"])
        self.assertNotEqual(self.gateway.request("GET", "/api/summary").status, 200)
        foreign = self.gateway.request("GET", "/api/summary", headers={"host": "evil.example"}, port=self.gateway.admin_port)
        self.assertIn(foreign.status, (400, 403, 421), foreign)


class ClientLeaves(Serve):
    def check_cancel(self, content, wait_for_bytes, **fields):
        self.start()
        connection = self.gateway.open_chat(content, **fields)
        self.assertTrue(wait_for(lambda: self.upstream.seen), "the request did not reach the upstream")
        if wait_for_bytes:
            connection.recv(65536)
        connection.close()
        self.assertTrue(self.upstream.seen[0].gone.wait(3), "the upstream call was not cancelled within 3 s")
        self.assertEqual(self.gateway.chat(model="rung-small").status, 200)
        self.gateway.stop()
        self.assertEqual(ledger_rows(self.gateway.ledger, "http_status = 499"), 1)

    def test_before_an_answer_without_streaming(self):
        self.check_cancel("[[hang]]", False)

    def test_before_the_first_token_of_a_stream(self):
        self.check_cancel("[[hang]]", False, stream=True)

    def test_in_the_middle_of_a_stream(self):
        self.check_cancel("[[slow]]", True, stream=True)


class Reloads(Serve):
    NEW = "  extra: {upstream: recorder, name: extra-name, context: 1000, price: {input: 1, output: 1}}"

    def names(self):
        return {item["id"] for item in self.gateway.request("GET", "/v1/models").json["data"]}

    def test_on_hup_without_dropping_a_running_stream(self):
        self.start()
        running = self.gateway.open_chat("[[slow]]", stream=True)
        self.assertTrue(wait_for(lambda: self.upstream.seen))
        self.gateway.config.write_text(self.gateway.config_text(models=self.NEW))
        self.gateway.popen.send_signal(signal.SIGHUP)
        self.assertTrue(wait_for(lambda: "extra" in self.names()), self.gateway.output())
        self.assertEqual(self.gateway.chat(model="extra").status, 200)
        self.assertEqual(json.loads(self.upstream.seen[-1].body)["model"], "extra-name")
        data = read_all(running)
        self.assertIn(b"[DONE]", data)

    def test_when_the_file_changes(self):
        self.start()
        fresh = self.gateway.folder / "fresh.yaml"  # editors write beside and rename
        fresh.write_text(self.gateway.config_text(models=self.NEW))
        os.replace(fresh, self.gateway.config)
        self.assertTrue(wait_for(lambda: "extra" in self.names(), 15), self.gateway.output())

    def test_never_to_an_invalid_file(self):
        self.start()
        before = self.names()
        for bad, says in (("routes: [", "not valid YAML"), ("listen: 5\n", 'listen is "5"'),
                          (self.gateway.config_text(models="  broken: {upstream: nowhere, name: x}"), "models.broken.upstream"),
                          (self.gateway.config_text(models="  broken: {upstream: recorder, context: lots}"), 'context is "lots"; expected a whole'),
                          (self.gateway.config_text(models="  broken: {upstream: recorder, supports: tools}"), "supports is a text; expected a list"),
                          (self.gateway.config_text(top="workers: [1]"), "workers is a list; expected a whole number")):
            self.assertRegex(self.reload(bad, says), r"the old one stays: .*rung\.yaml: line \d+")
            self.assertEqual(self.names(), before)
            self.assertEqual(self.gateway.chat().status, 200)

    def reload(self, text, says):
        """Puts a configuration in place; what was said about it, once it holds `says`."""
        fresh = self.gateway.folder / "fresh.yaml"
        fresh.write_text(text)
        lines = len(self.gateway.lines)
        os.replace(fresh, self.gateway.config)
        self.gateway.popen.send_signal(signal.SIGHUP)
        said = lambda: "".join(self.gateway.lines[lines:])
        self.assertTrue(wait_for(lambda: says in said()), f"expected {says}; was said: {said()}")
        return said()

    def test_never_to_a_router_that_is_cut_not_even_when_it_is_the_one_in_use(self):
        whole = world.trained_router().read_bytes()
        folder = world.scratch()
        router = folder / "own.safetensors"
        router.write_bytes(whole)
        self.start()
        text = self.gateway.config_text().replace(str(world.trained_router()), str(router))
        self.reload(text, "is in force")
        want = self.gateway.chat(HARD).headers["x-rung-reason"]
        for cut, says in ((len(whole) // 2, "probably cut"), (100, "probably cut"), (0, "too few")):
            router.write_bytes(whole[:cut])  # in place, as a copy that broke off leaves it
            self.assertRegex(self.reload(text + f"# {cut}\n", says), r"the old one stays: .*rung\.yaml: .*own\.safetensors: ")
            self.assertEqual(self.gateway.chat(HARD).headers["x-rung-reason"], want)
        router.write_bytes(whole)
        self.reload(text, "is in force")
        self.assertEqual(self.gateway.chat(HARD).headers["x-rung-reason"], want)

    def test_never_to_a_missing_file(self):
        self.start()
        self.gateway.config.unlink()
        self.gateway.popen.send_signal(signal.SIGHUP)
        time.sleep(0.3)
        self.assertEqual(self.gateway.chat().status, 200)


class Stops(Serve):
    def test_on_term_after_the_running_stream_is_finished(self):
        self.start()
        running = self.gateway.open_chat("[[slow]]", stream=True)
        self.assertTrue(wait_for(lambda: self.upstream.seen))
        self.gateway.popen.send_signal(signal.SIGTERM)
        self.assertIn(b"[DONE]", read_all(running))
        self.assertEqual(self.gateway.popen.wait(10), 0, self.gateway.output())
        self.assertEqual(ledger_rows(self.gateway.ledger), 1)

    def test_at_once_when_nothing_runs_even_with_idle_connections(self):
        self.start()
        idle = socket.create_connection(("127.0.0.1", self.gateway.port))
        began = time.monotonic()
        self.assertEqual(self.gateway.stop(), 0)
        self.assertLess(time.monotonic() - began, 5)
        idle.close()

    def test_on_interrupt_too(self):
        self.start()
        self.gateway.popen.send_signal(signal.SIGINT)
        self.assertEqual(self.gateway.popen.wait(10), 0)

    def test_at_once_on_a_second_signal_with_what_was_cut_off_in_the_ledger(self):
        self.start()
        silent = self.gateway.open_chat("[[hang]]", model="rung-small")
        running = self.gateway.open_chat("[[slow]]", model="rung-small", stream=True)
        self.assertTrue(wait_for(lambda: len(self.upstream.seen) == 2))
        self.assertIn(b"data:", running.recv(65536))
        for _ in range(2):
            self.gateway.popen.send_signal(signal.SIGTERM)
            time.sleep(0.3)
        self.assertEqual(self.gateway.popen.wait(10), 0, self.gateway.output())
        self.assertEqual(ledger_rows(self.gateway.ledger, "outcome = 'internal' and error like '%stopped%'"), 2)
        self.assertEqual(ledger_rows(self.gateway.ledger, "completion_tokens > 0 and spent_nano > 0"), 1, "the stream had begun")
        silent.close()

    def test_with_status_2_and_a_sentence_when_the_port_is_taken(self):
        self.start()
        again = world.cli("serve", "--config", self.gateway.config, env={"UPSTREAM_KEY": "x"}, timeout=20)
        self.assertEqual(again.returncode, 2, again)
        self.assertIn(str(self.gateway.port), again.stderr)


class DoesNotStart(Serve):
    """A sentence and exit 2, at once, instead of a gateway that is half there."""

    def refused(self, text, *says):
        config = world.scratch() / "rung.yaml"
        config.write_text(text)
        done = world.cli("serve", "--config", config, timeout=20)
        self.assertEqual(done.returncode, 2, done)
        for word in ("rung.yaml", *says):
            self.assertIn(word, done.stderr)

    TEXT = ("listen: 127.0.0.1:0\nupstreams:\n  a: {base_url: 'http://127.0.0.1:1/v1'}\nmodels:\n"
            "  rung-small: {upstream: a, price: {input: 1, output: 1}}\n  rung-large: {upstream: a, price: {input: 2, output: 2}}\n"
            "routes:\n  auto: {arms: [rung-small, rung-large], predictor: ROUTER, policy: {kind: tradeoff, usd_per_point: 0.0001}}\n")

    def test_with_a_router_that_is_cut(self):
        whole = world.trained_router().read_bytes()
        half = world.scratch() / "half.safetensors"
        for cut, says in ((len(whole) // 2, "probably cut"), (100, "probably cut"), (0, "too few")):
            half.write_bytes(whole[:cut])
            self.refused(self.TEXT.replace("ROUTER", str(half)), "half.safetensors", "route auto", says)

    def test_with_a_value_of_the_wrong_kind(self):
        good = self.TEXT.replace("ROUTER", str(world.trained_router()))
        self.refused(good.replace("127.0.0.1:0", "[1, 2]"), "line 1: listen is a list; expected")
        self.refused(good.replace("input: 2", "input: dear"), 'line 6: models.rung-large.price.input is "dear"; expected a number')
        self.refused(good.replace("[rung-small, rung-large]", "rung-small"), "line 8: routes.auto.arms is a text; expected a list")
        self.refused("just a sentence\n", "the file is a text; expected a mapping")


class Survives(Serve):
    def test_a_disk_that_is_full_and_writes_the_records_when_there_is_room_again(self):
        # A limit on file size stands for the full disk; the ignored signal leaves the error to the writer.
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        self.start(restore_signals=False)
        for _ in range(3):
            self.assertEqual(self.gateway.chat().status, 200)
        time.sleep(0.5)
        limit = max((file.stat().st_size for file in self.gateway.folder.glob("ledger.db*")), default=0)
        unlimited = resource.prlimit(self.gateway.popen.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self.gateway.popen.pid, resource.RLIMIT_FSIZE, (limit, unlimited[1]))
        for number in range(60):
            self.assertEqual(self.gateway.chat(f"Question {number} " + "padding " * 50).status, 200)
        self.assertTrue(wait_for(lambda: metric(self.gateway, "rung_ledger_waiting") > 0), "nothing waits although nothing can be written")
        self.assertTrue(wait_for(lambda: re.search(r"ledger .*disk.*records wait in memory", self.gateway.output())), self.gateway.output())
        resource.prlimit(self.gateway.popen.pid, resource.RLIMIT_FSIZE, unlimited)
        self.assertTrue(wait_for(lambda: metric(self.gateway, "rung_ledger_waiting") == 0, 30), self.gateway.output())
        self.assertEqual(self.gateway.stop(), 0)
        self.assertEqual(ledger_rows(self.gateway.ledger), 63)

    def test_a_ledger_that_may_only_be_read(self):
        self.start()
        self.gateway.chat()
        self.assertEqual(self.gateway.stop(), 0)
        folder, options = self.gateway.folder, {}
        if os.getuid() == 0:  # root may write anywhere: the gateway runs as nobody, from a place that nobody can reach
            nobody = pwd.getpwnam("nobody")
            binary, router = folder / "rung", folder / "router.safetensors"
            shutil.copy(world.BIN, binary)
            shutil.copy(world.trained_router(), router)
            options = {"binary": binary, "user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            text = self.gateway.config.read_text().replace(str(world.trained_router()), str(router))
        else:
            text = self.gateway.config.read_text()
        for file in folder.glob("ledger.db*"):
            file.chmod(0o444)
        for port in (self.gateway.own_port, self.gateway.admin_port):
            text = text.replace(str(port), f"@{port}@")
        old = (self.gateway.own_port, self.gateway.admin_port)
        own, admin = world.free_port(), world.free_port()
        text = text.replace(f"@{old[0]}@", str(own)).replace(f"@{old[1]}@", str(admin))
        config = folder / "second.yaml"
        config.write_text(text)
        folder.chmod(0o555)
        try:
            self.gateway = world.Process([options.pop("binary", world.BIN), "serve", "--config", config], own,
                                         env={"UPSTREAM_KEY": world.KEY}, cwd="/", **options)
            for _ in range(5):
                self.assertEqual(self.gateway.request("POST", "/v1/chat/completions", '{"model":"auto","messages":[{"role":"user","content":"hi"}]}').status, 200)
            self.assertRegex(self.gateway.output(), r"(?i)ledger.*(read-?only|readonly|permission|denied|unable)")
        finally:
            folder.chmod(0o755)


class Secrets(Serve):
    def test_stay_out_of_logs_errors_headers_metrics_ledger_and_dashboard(self):
        self.start()
        client = "sk-client-own-77aa21"
        headers = {"authorization": f"Bearer {client}"}
        replies = [self.gateway.chat(content, model=model, headers=headers) for content, model in (
            ("hi", "auto"), ("[[status:401]]", "rung-small"), ("[[status:500]]", "rung-small"), ("[[odd]]", "auto"), ("hi", "nope"))]
        replies.append(self.gateway.chat("hi", headers=headers, stream=True))
        self.upstream.listener.close()
        for path in ("/metrics", "/readyz", "/healthz", "/v1/models"):
            replies.append(self.gateway.request("GET", path))
        for path in ("/", "/api/summary", "/api/decisions", "/api/routes"):
            replies.append(self.gateway.request("GET", path, port=self.gateway.admin_port))
        for seen in self.upstream.seen:
            self.assertEqual(seen.header("authorization"), f"Bearer {world.KEY}", "the upstream needs its own key")
            self.assertNotIn(client.encode(), seen.head + seen.body, "the client's key reached the upstream")
        self.gateway.stop()
        text = self.gateway.output() + "".join(repr(reply.headers) + reply.text for reply in replies)
        stored = b"".join(file.read_bytes() for file in self.gateway.folder.glob("ledger*"))
        for secret in (world.KEY, client):
            self.assertNotIn(secret, text)
            self.assertNotIn(secret.encode(), stored)
        names = {name for reply in replies for name in reply.headers}
        self.assertFalse({"authorization", "set-cookie", "x-api-key"} & names, names)

    def test_are_not_in_the_sentence_about_a_broken_configuration(self):
        folder = world.scratch()
        config = folder / "rung.yaml"
        config.write_text("listen: 127.0.0.1:1\nupstreams:\n  a: {dialect: telex, base_url: 'http://127.0.0.1:1', api_key: ${UPSTREAM_KEY}}\n")
        done = world.cli("check-config", config, env={"UPSTREAM_KEY": world.KEY})
        self.assertEqual(done.returncode, 2, done)
        self.assertNotIn(world.KEY, done.stdout + done.stderr)


def read_all(connection, seconds=20):
    connection.settimeout(seconds)
    data = b""
    while b"[DONE]" not in data:
        more = connection.recv(65536)
        if not more:
            break
        data += more
    return data


def metric(gateway, name):
    for line in gateway.request("GET", "/metrics").text.splitlines():
        if re.match(name + r"(\{|\s)", line):
            return float(line.rsplit(" ", 1)[1])
    return -1


def ledger_rows(path, where="1"):
    """How many requests the ledger holds; read from the file itself, so that nothing of ours stands between."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        return db.execute(f"select count(*) from requests where {where}").fetchone()[0]


if __name__ == "__main__":
    sys.argv[0] = "serve_test.py"
    unittest.main(verbosity=2)
