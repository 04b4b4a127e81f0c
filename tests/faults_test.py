#!/usr/bin/env python3
"""What `rung serve` makes of upstreams that fail: who is asked next, what the client gets, what the ledger and the metrics say.

usage: faults_test.py [Class.test_name...]       each test starts its own gateway and upstreams on free ports
"""
import json
import re
import signal
import socket
import sqlite3
import sys
import time
import unittest

import fault_run
import world
from world import wait_for


def until(ask, is_it):
    """What `ask` gave up to the first that `is_it`; hosts are drawn by chance, so a fixed few might all miss one."""
    got = []
    while not got or not is_it(got[-1]) and len(got) < 60:
        got.append(ask())
    return got


class Faults(unittest.TestCase):
    def start(self, resilience="", hosts="", models="", **options):
        self.world = fault_run.World(resilience=resilience, hosts=hosts, models=models, **options)
        self.gateway = self.world.gateway
        self.addCleanup(self.world.stop)
        return self.gateway

    def chat(self, fault, model="pair", where="", **fields):
        headers = fields.pop("headers", None)
        return self.gateway.chat(f"[[fault:{fault}{where}]]" if fault else "hello", model=model, headers=headers, **fields)

    def calls(self, where="1"):
        """(upstream, outcome, status, attempt, cost) of each call in the ledger, oldest first."""
        self.gateway.stop()
        with sqlite3.connect(f"file:{self.gateway.ledger}?mode=ro", uri=True) as db:
            return db.execute(f"select upstream, outcome, status, attempt, cost_nano, error from calls where {where} order by request, seq").fetchall()

    def requests(self):
        self.gateway.stop()
        with sqlite3.connect(f"file:{self.gateway.ledger}?mode=ro", uri=True) as db:
            return db.execute("select outcome, http_status, arm, served_model, propensity, spent_nano, cost_unknown, call_count, reason from requests order by n").fetchall()

    def metric(self, name):
        found = re.search(rf"(?m)^{re.escape(name)} ([0-9.e+]+)$", self.gateway.request("GET", "/metrics").text)
        return float(found[1]) if found else None


class AnotherHost(Faults):
    """`pair` has two hosts; a fails, b does not. `home` is asked at a first."""

    def test_answers_where_the_first_fails_before_any_content(self):
        self.start(hosts="first")
        for fault in ("reset-before", "reset-after", "stall", "429", "429-after", "429-date", "500", "529", "401", "error-200", "empty", "malformed"):
            for stream in (False, True):
                with self.subTest(fault=fault, stream=stream):
                    reply = self.chat(fault, stream=stream)
                    self.assertEqual(reply.status, 200, reply)
                    self.assertIn(b" eight", reply.body)
                    if reply.headers["x-rung-attempts"] == "1":
                        continue  # b was asked at once
                    self.assertEqual(reply.headers["x-rung-upstream"], "b")
                    self.assertRegex(reply.headers["x-rung-attempt-errors"], r"^rung-small at a: [a-z_]+")
                    self.assertNotIn("stands in", reply.headers["x-rung-reason"])

    def test_answers_where_a_stream_fails_before_its_first_content(self):
        self.start()
        for fault in ("stall-stream", "cut-early", "error-event"):
            tried = until(lambda: self.chat(fault, stream=True), lambda reply: reply.headers["x-rung-attempts"] == "2")
            self.assertTrue(all(reply.status == 200 and reply.body.endswith(b"data: [DONE]\n\n") for reply in tried), tried)
            self.assertTrue(any(reply.headers["x-rung-attempts"] == "2" for reply in tried), "a was never asked")
            self.assertTrue(all(reply.body.count(b'"role"') == 1 for reply in tried), "nothing of the first try is passed on")

    def test_is_not_asked_after_the_first_content(self):
        self.start()
        ends = set()

        def ask():
            connection = self.gateway.open_chat("[[fault:cut]]", model="pair", stream=True)
            data = fault_run.read_all(connection)
            self.assertLessEqual(data.count(b'"role"'), 1, data)
            ends.add(b"[DONE]" in data)
            if b"[DONE]" not in data:
                self.assertIn(b'"error"', data)
                self.assertFalse(data.endswith(b"0\r\n\r\n"), data)
        until(ask, lambda _: len(ends) == 2)
        self.assertEqual(ends, {False, True}, "each host should have been asked")

    def test_is_not_asked_for_a_mistake_of_the_client(self):
        self.start()
        for _ in range(6):
            reply = self.chat("400", where="@both")
            self.assertEqual((reply.status, reply.headers["x-rung-attempts"]), (400, "1"), reply)

    def test_takes_over_from_one_that_refuses_connections(self):
        self.start()
        for reply in until(lambda: self.chat("", model="dead"), lambda reply: reply.headers["x-rung-attempts"] == "2"):
            self.assertEqual(reply.status, 200, reply)
        refused = [call for call in self.calls("upstream = 'gone'")]
        self.assertTrue(refused)
        self.assertTrue(all(call[1] == "upstream_error" and call[4] == 0 for call in refused), "who was not reached charges nothing")


class SameHost(Faults):
    def test_is_asked_once_more_after_an_accident(self):
        self.start()
        for number, fault in enumerate(("reset-before", "reset-after", "500", "empty", "malformed", "error-200")):
            reply = self.gateway.chat(f"{number} [[fault:{fault}@once]]", model="rung-small")
            self.assertEqual((reply.status, reply.headers["x-rung-attempts"]), (200, "2"), reply)
            self.assertIn(b" eight", reply.body)

    def test_is_given_up_after_the_configured_attempts_and_its_own_words_come_back(self):
        self.start()
        reply = self.chat("500", "rung-small")
        self.assertEqual((reply.status, reply.headers["x-rung-attempts"]), (500, "3"), reply)
        self.assertEqual(reply.json["error"]["message"], "upstream says no")
        reply = self.chat("reset-before", "rung-small")
        self.assertEqual((reply.status, reply.headers["x-rung-attempts"]), (502, "3"), reply)
        self.assertEqual(self.requests()[0][0:2], ("upstream_error", 500))

    def test_is_not_asked_again_where_retries_are_off(self):
        self.start(resilience="attempts: 1")
        self.assertEqual(self.chat("500", "rung-small").headers["x-rung-attempts"], "1")

    def test_is_waited_for_as_long_as_it_asks_if_that_is_not_long(self):
        self.start()
        began = time.monotonic()
        reply = self.gateway.chat("[[fault:429-date@once]]", model="rung-small")
        self.assertEqual((reply.status, reply.headers["x-rung-attempts"]), (200, "2"), reply)
        self.assertGreater(time.monotonic() - began, 0.8)
        reply = self.chat("429-after", "rung-small")
        self.assertEqual((reply.status, reply.headers["retry-after"], reply.headers["x-rung-attempts"]), (429, "7", "1"), "7 s are left to the client")

    def test_an_empty_reply_is_passed_on_if_it_comes_twice(self):
        self.start()
        for stream in (False, True):
            reply = self.chat("empty", "rung-small", stream=stream)
            self.assertEqual((reply.status, reply.headers["x-rung-attempts"]), (200, "2"), reply)
        rows = self.requests()
        self.assertEqual([row[7] for row in rows], [2, 2])
        self.assertEqual([row[5] for row in rows], [2 * 9 * 50] * 2, "both calls were paid for")

    def test_an_empty_reply_is_passed_on_at_once_where_the_policy_says_so(self):
        self.start(resilience="retry_empty: false")
        self.assertEqual(self.chat("empty", "rung-small").headers["x-rung-attempts"], "1")

    def test_retries_stop_when_their_budget_is_spent(self):
        self.start(resilience="retry_share: 0")
        attempts = [int(self.chat("500", "rung-small").headers["x-rung-attempts"]) for _ in range(12)]
        self.assertLessEqual(sum(attempts) - len(attempts), 12, "ten to begin with and one a second")
        self.assertEqual(attempts[-1], 1)
        self.assertGreater(self.metric("rung_retries_over_budget_total"), 0)


class AnotherArm(Faults):
    """The route `auto`: rung-small at a, rung-medium at a, rung-large at b."""

    def test_answers_in_the_order_of_the_policy(self):
        self.start(resilience="attempts: 5")
        good = self.gateway.chat("hello")
        self.assertEqual(good.headers["x-rung-attempts"], "1")
        reply = self.chat("500", "auto")
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual(reply.headers["x-rung-arm"], "rung-large")
        self.assertIn("rung-large stands in for", reply.headers["x-rung-reason"])
        rows = self.requests()
        self.assertEqual(rows[1][2:5], ("rung-large", "rung-large", None), "what an accident chose is no choice of the policy")
        self.assertGreater(int(rows[1][7]), 1)

    def test_is_never_one_that_lacks_what_the_request_needs(self):
        self.start(resilience="attempts: 9")
        tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
        picture = [{"type": "text", "text": "[[fault:500@both]]"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]
        self.assertEqual(self.gateway.chat(picture, tools=[tool]).status, 500)
        asked = {call[0] for call in self.calls()}
        self.assertEqual(asked, {"b"}, "only rung-large can see")

    def test_is_not_asked_where_the_client_pinned_one_or_named_a_model(self):
        self.start()
        for fields in ({"model": "auto", "headers": {"x-rung-arm": "rung-small"}}, {"model": "rung-small"}):
            self.assertEqual(self.chat("500", **fields).status, 500)
        self.assertEqual({call[0] for call in self.calls()}, {"a"})

    def test_stands_in_for_a_named_model_where_the_configuration_says_so(self):
        self.start(models="  first: {upstream: a, name: rung-small, fallback: [second], price: {input: 0.05, output: 0.20}}\n"
                          "  second: {upstream: b, name: rung-large, price: {input: 2.50, output: 10.00}}\n")
        reply = self.chat("500", "first")
        self.assertEqual((reply.status, reply.headers["x-rung-model"]), (200, "second"), reply)
        tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
        self.assertEqual(self.chat("500", "first", tools=[tool]).status, 500, "second does not say that it takes tools")

    def test_is_not_asked_where_fallback_is_off(self):
        self.start(resilience="fallback: false")
        self.assertEqual(self.chat("500", "auto").status, 500)


class Deadlines(Faults):
    def test_hold_for_all_attempts_together(self):
        self.start(resilience="total_timeout_ms: 700")
        began = time.monotonic()
        reply = self.chat("stall", where="@both")
        self.assertEqual(reply.status, 504, reply)
        self.assertLess(time.monotonic() - began, 2)

    def test_are_shorter_where_the_client_asks_for_it(self):
        self.start()
        reply = self.chat("stall", "rung-small", headers={"x-rung-timeout-ms": "120"})
        self.assertEqual((reply.status, reply.headers["x-rung-attempts"]), (504, "1"), reply)
        self.assertEqual(self.chat("", "rung-small", headers={"x-rung-timeout-ms": "soon"}).status, 400)

    def test_of_the_first_token_holds_where_the_stream_has_begun(self):
        self.start(resilience="hold_ms: 50, idle_timeout_ms: 200, first_token_timeout_ms: 5000")
        reply = self.chat("role-then-wait", "rung-small", stream=True)
        self.assertIn(b"[DONE]", reply.body, "0.6 s of thought are no silence between tokens")

    def test_between_tokens_end_a_stream_with_an_error(self):
        self.start(resilience="hold_ms: 50")
        connection = self.gateway.open_chat("[[fault:stall-stream]]", model="rung-small", stream=True)
        data = fault_run.read_all(connection)
        self.assertIn(b'"role"', data)
        self.assertIn(b"timed out", data)
        self.assertEqual(self.requests()[0][0], "timeout")

    def test_a_slow_start_is_not_kept_from_the_client_for_long(self):
        self.start(resilience="hold_ms: 50, first_token_timeout_ms: 5000, idle_timeout_ms: 5000")
        began = time.monotonic()
        connection = self.gateway.open_chat("[[fault:role-then-wait]]", model="rung-small", stream=True)
        self.assertIn(b'"role"', connection.recv(65536))
        self.assertLess(time.monotonic() - began, 0.5)
        self.assertIn(b"[DONE]", fault_run.read_all(connection))


class Breaker(Faults):
    BROKEN = "breaker: {failures: 3, cool_down_ms: 700}, attempts: 1"

    def test_opens_answers_at_once_and_closes_after_a_good_trial(self):
        self.start(resilience=self.BROKEN)
        for _ in range(3):
            self.assertEqual(self.chat("500", "rung-small").status, 500)
        before = self.world.bill()["calls"]["a"]
        reply = self.chat("", "rung-small")
        self.assertEqual((reply.status, reply.headers["x-rung-attempts"], reply.headers["retry-after"]), (503, "0", "1"), reply)
        self.assertEqual(self.world.bill()["calls"]["a"], before)
        self.assertEqual(self.metric('rung_breaker_open{upstream="a"}'), 1)
        self.assertEqual(self.metric('rung_shed_total{reason="breaker_open"}'), 1)
        time.sleep(0.8)
        self.assertEqual(self.chat("", "rung-small").status, 200)
        self.assertEqual(self.metric('rung_breaker_open{upstream="a"}'), 0)
        self.assertEqual(self.requests()[3][0:2], ("refused", 503))
        self.assertRegex(self.gateway.output(), "upstream a is left alone for 700 ms: a answered with status 500")

    def test_sends_the_route_to_another_arm_meanwhile(self):
        self.start(resilience=self.BROKEN)
        for _ in range(3):
            self.chat("500", "rung-small")
        for _ in range(5):
            reply = self.gateway.chat("hello")
            self.assertEqual((reply.status, reply.headers["x-rung-arm"], reply.headers["x-rung-attempts"]), (200, "rung-large", "1"), reply)

    def test_is_kept_over_a_reload(self):
        self.start(resilience="breaker: {failures: 3, cool_down_ms: 60000}, attempts: 1")
        for _ in range(3):
            self.chat("500", "rung-small")
        self.gateway.config.write_text(self.gateway.config.read_text() + "\n# touched\n")
        self.gateway.popen.send_signal(signal.SIGHUP)
        self.assertTrue(wait_for(lambda: "is in force" in self.gateway.output() or "is in force" in "".join(self.gateway.lines)))
        self.assertEqual(self.chat("", "rung-small").status, 503)


class Ejection(Faults):
    def test_takes_a_host_out_that_fails_more_than_its_peer(self):
        self.start(resilience="ejection: {min_requests: 5, pause_ms: 60000}, breaker: {failures: 0}")
        for number in range(60):
            self.assertEqual(self.gateway.chat(f"{number} [[fault:500]]", model="pair").status, 200)
        self.assertEqual(self.metric('rung_ejected{upstream="a"}'), 1)
        before = self.world.bill()["calls"]["a"]
        self.assertLess(before, 30)
        for _ in range(20):
            self.assertEqual(self.chat("500").headers["x-rung-attempts"], "1")
        self.assertEqual(self.world.bill()["calls"]["a"], before)
        self.assertEqual(self.chat("", "rung-small").status, 200, "where it is the only one it is asked all the same")


class Checks(Faults):
    def test_find_a_host_that_is_down_before_a_request_does(self):
        self.start(resilience="health: {path: /health, interval_ms: 50, timeout_ms: 500, fall: 2, rise: 1}", models="")
        self.assertTrue(wait_for(lambda: self.metric('rung_upstream_down{upstream="gone"}') == 1))
        self.assertEqual(self.metric('rung_upstream_down{upstream="a"}'), 0)
        for _ in range(10):
            self.assertEqual(self.chat("", "dead").headers["x-rung-attempts"], "1")
        listener = socket.create_server(("127.0.0.1", self.world.gone_port), reuse_port=True)
        self.addCleanup(listener.close)

        def serve():
            connection, _ = listener.accept()
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            connection.close()
        serve()
        self.assertTrue(wait_for(lambda: self.metric('rung_upstream_down{upstream="gone"}') == 0))
        self.assertEqual(self.gateway.stop(), 0)
        self.assertIn("upstream gone is down: 2 checks of /health failed in a row", self.gateway.output())


class Hedges(Faults):
    HEDGED = "hedge: {after_ms: 60, share: 1, max_usd: 1}"

    def test_take_the_faster_answer_and_cancel_the_other(self):
        self.start(resilience=self.HEDGED + ", first_token_timeout_ms: 5000", first_byte=5000)
        for number in range(6):
            began = time.monotonic()
            reply = self.gateway.chat(f"{number} [[fault:stall]]", model="pair", max_tokens=10)
            self.assertEqual(reply.status, 200, reply)
            self.assertLess(time.monotonic() - began, 2)
        won = self.metric('rung_hedges_total{result="won"}')
        self.assertGreater(won, 0)
        self.assertTrue(wait_for(lambda: self.world.bill()["left"] == won, 1), "the slow call goes on though nobody wants it")
        lost = self.calls("outcome = 'cancelled'")
        self.assertTrue(lost)
        self.assertTrue(all(call[0] == "a" and call[4] is None for call in lost), "what a cancelled call cost is not known")

    def test_are_streams_too_and_deliver_one_of_them_alone(self):
        self.start(resilience=self.HEDGED + ", first_token_timeout_ms: 5000", first_byte=5000)
        for number in range(6):
            reply = self.gateway.chat(f"{number} [[fault:stall-stream]]", model="pair", max_tokens=10, stream=True)
            self.assertEqual((reply.status, reply.body.count(b'"role"'), reply.body.count(b"[DONE]")), (200, 1, 1), reply)

    def test_never_happen_beyond_their_cost_or_share(self):
        self.start(resilience="hedge: {after_ms: 30, share: 1, max_usd: 0.0000001}")
        self.chat("slow", max_tokens=1000)
        self.chat("slow")  # without a limit nobody knows what it may cost
        self.assertEqual(self.metric('rung_hedges_total{result="sent"}'), 0)

    def test_are_cancelled_both_when_the_client_leaves(self):
        self.start(resilience=self.HEDGED + ", first_token_timeout_ms: 5000", first_byte=5000)
        connection = self.gateway.open_chat("[[fault:stall@both]]", model="pair", max_tokens=10)
        self.assertTrue(wait_for(lambda: sum(self.world.bill()["calls"].values()) == 2))
        connection.close()
        time.sleep(0.3)
        calls = self.calls()
        self.assertEqual([call[1] for call in calls], ["client_gone", "client_gone"], calls)


class Balance(Faults):
    def test_spreads_over_the_hosts_of_a_model(self):
        self.start()
        for number in range(40):
            self.assertEqual(self.gateway.chat(f"question {number}", model="pair").status, 200)
        calls = self.world.bill()["calls"]
        self.assertGreater(min(calls["a"], calls["b"]), 8, calls)

    def test_by_prefix_keeps_a_conversation_where_it_was(self):
        self.start(models="  kept: {upstream: [a, b], name: rung-small, balance: prefix}\n")
        hosts = set()
        for number in range(12):
            turns = [{"role": "user", "content": f"conversation {number}"}]
            own = set()
            for turn in range(3):
                body = json.dumps({"model": "kept", "messages": turns})
                reply = self.gateway.request("POST", "/v1/chat/completions", body)
                own.add(reply.headers["x-rung-upstream"])
                turns += [{"role": "assistant", "content": "One two"}, {"role": "user", "content": f"and then {turn}?"}]
            self.assertEqual(len(own), 1, "a turn went elsewhere")
            hosts |= own
        self.assertEqual(hosts, {"a", "b"})


class Overload(Faults):
    def test_is_shed_with_503_and_when_to_come_back(self):
        self.start(resilience="max_requests: 3, shed_retry_after_s: 4", first_byte=5000)
        running = [self.gateway.open_chat("[[fault:stall]]", model="rung-small") for _ in range(3)]
        self.assertTrue(wait_for(lambda: self.world.bill()["calls"]["a"] == 3))
        reply = self.chat("")
        self.assertEqual((reply.status, reply.headers["retry-after"]), (503, "4"), reply)
        self.assertEqual(self.metric('rung_shed_total{reason="gateway_busy"}'), 1)
        for connection in running:
            connection.close()
        self.assertTrue(wait_for(lambda: self.chat("").status == 200))

    def test_of_the_hosts_of_a_model_is_429_and_goes_to_another_arm_first(self):
        self.start(resilience="max_waiting: 0", hosts="few", first_byte=5000)
        running = [self.gateway.open_chat("[[fault:stall]]", model="rung-small") for _ in range(2)]
        self.assertTrue(wait_for(lambda: self.world.bill()["calls"]["a"] == 2))
        reply = self.chat("", "rung-small")
        self.assertEqual((reply.status, reply.headers["retry-after"]), (429, "1"), reply)
        self.assertEqual(reply.json["error"]["type"], "rate_limit_error")
        self.assertEqual(self.gateway.chat("hello").headers["x-rung-arm"], "rung-large")
        for connection in running:
            connection.close()


class OtherDialects(Faults):
    """Anthropic's in front of the same upstreams: what is asked again is translated again."""

    def messages(self, fault, model="pair", **fields):
        body = {"model": model, "max_tokens": 50, "messages": [{"role": "user", "content": f"[[fault:{fault}]]"}], **fields}
        return self.gateway.request("POST", "/v1/messages", json.dumps(body))

    def test_fall_over_as_well(self):
        self.start()
        for fault in ("reset-before", "500", "stall-stream", "cut-early", "error-event", "empty", "malformed", "429"):
            for stream in (False, True):
                for _ in range(2):
                    reply = self.messages(fault, stream=stream)
                    self.assertEqual(reply.status, 200, (fault, stream, reply))
                    self.assertIn(b" eight", reply.body)
                    self.assertEqual(reply.body.count(b"event: message_start"), 1 if stream else 0, reply)

    def test_say_in_their_own_form_that_nobody_answered(self):
        self.start()
        reply = self.messages("429-after", "rung-small")
        self.assertEqual((reply.status, reply.headers["retry-after"], reply.json["type"], reply.json["error"]["type"]),
                         (429, "7", "error", "rate_limit_error"), reply)


class WrongModel(Faults):
    def test_is_named_in_a_header_and_counted(self):
        self.start()
        for stream in (False, True):
            reply = self.chat("wrong-model", "rung-small", stream=stream)
            self.assertEqual((reply.status, reply.headers["x-rung-served-model"]), (200, "another-model"), reply)
        self.assertNotIn("x-rung-served-model", self.chat("", "rung-small").headers)
        self.assertEqual(self.metric('rung_wrong_model_total{upstream="a"}'), 2)


class Run(unittest.TestCase):
    def test_every_request_ends_once_and_the_ledger_agrees_with_the_upstreams_bill(self):
        problems = fault_run.run(requests=3000, connections=48, say=lambda line: print(line, flush=True))
        self.assertEqual(problems, [])


if __name__ == "__main__":
    sys.argv[0] = "faults_test.py"
    unittest.main(verbosity=2)
