#!/usr/bin/env python3
"""Sessions of the whole process: what keeps a conversation on its model, across workers and connections.

usage: sessions_test.py [Class.test_name...]
"""
import json
import re
import unittest

import world
from world import Gateway, RecordingUpstream

HARD = "Derive the answer step by step and prove that every step is forced."
CALL = {"role": "assistant", "content": None, "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": "42"}
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]


class Sessions(unittest.TestCase):
    def start(self, top="workers: 2"):
        self.upstream = RecordingUpstream()

        class Held(Gateway):
            def config_text(self, **more):
                return super().config_text(top=top, **more)

        self.gateway = Held(self.upstream.port)
        self.addCleanup(self.gateway.kill)
        return self.gateway

    def ask(self, messages, headers=None, **fields):
        reply = self.gateway.request("POST", "/v1/chat/completions", json.dumps({"model": "auto", "messages": messages, "tools": TOOLS, **fields}), headers)
        self.assertEqual(reply.status, 200, reply)
        return reply.headers["x-rung-arm"], reply.headers["x-rung-reason"]

    def other_arm(self, arm):
        return "rung-large" if arm != "rung-large" else "rung-small"

    def start_on(self, arm, messages, headers=None, **fields):
        """A first turn that `arm` answers."""
        self.assertEqual(self.ask(messages, {"x-rung-arm": arm, **(headers or {})}, **fields)[0], arm)

    def test_an_open_tool_call_goes_back_to_the_model_that_asked_from_any_worker(self):
        self.start()
        user = {"role": "user", "content": "What is 17 + 26?"}
        wanted = self.ask([user])[0]
        other = self.other_arm(wanted)
        for attempt in range(12):  # each on a connection of its own: both workers are met
            first = {"role": "user", "content": f"What is 17 + {attempt}?"}
            self.start_on(other, [first])
            arm, reason = self.ask([first, CALL, RESULT])
            self.assertEqual(arm, other)
            self.assertIn("a tool call is open", reason)

    def test_the_arithmetic_is_in_the_header_and_in_the_ledger(self):
        gateway = self.start()
        first = {"role": "user", "content": HARD}
        self.start_on("rung-medium", [first])
        turn = [first, {"role": "assistant", "content": "Done."}, {"role": "user", "content": "Again."}]
        reply = gateway.request("POST", "/v1/chat/completions", json.dumps({"model": "auto", "messages": turn}))
        self.assertRegex(reply.headers["x-rung-reason"], r"session (stays with|leaves) rung-medium: over 1 turns it costs [0-9.]+ USD")
        stored = world.fetch(gateway.admin_port, "GET", f"/api/decisions/{reply.headers['x-rung-decision-id']}")
        whole = world.wait_for(lambda: world.fetch(gateway.admin_port, "GET", f"/api/decisions/{reply.headers['x-rung-decision-id']}").json.get("reason"))
        self.assertIn("prompt tokens warm", whole, stored)
        self.assertIn("points a turn is worth", whole)

    def test_a_session_is_known_by_its_header_its_metadata_and_its_beginning(self):
        self.start()
        wanted = self.ask([{"role": "user", "content": "hi"}])[0]
        other = self.other_arm(wanted)
        user, later = {"role": "user", "content": "one"}, [{"role": "user", "content": "two"}, CALL, RESULT]
        self.start_on(other, [user], {"x-rung-session": "s-1"})
        self.assertEqual(self.ask(later, {"x-rung-session": "s-1"})[0], other)
        self.start_on(other, [user], metadata={"user_id": "user_1_account_2_session_77"})
        self.assertEqual(self.ask(later, metadata={"user_id": "user_1_account_2_session_77"})[0], other)
        self.assertNotIn("tool call", self.ask(later, metadata={"user_id": "user_1_account_2_session_78"})[1])
        self.assertNotIn("session", self.ask([user])[1], "a conversation that begins is nobody's second turn")

    def test_what_only_its_provider_reads_keeps_the_model(self):
        self.start()
        first = {"role": "user", "content": "think"}
        other = self.other_arm(self.ask([first])[0])
        self.start_on(other, [first])
        signed = {"role": "assistant", "content": [{"type": "text", "text": "hm"}], "reasoning_details": [{"type": "reasoning.encrypted", "data": "gAAA"}]}
        arm, reason = self.ask([first, signed, {"role": "user", "content": "go on"}])
        self.assertEqual(arm, other)
        self.assertIn("encrypted reasoning", reason)

    def test_the_header_stays_here_and_the_counts_are_in_the_metrics(self):
        gateway = self.start()
        first = {"role": "user", "content": "count"}
        other = self.other_arm(self.ask([first])[0])
        self.start_on(other, [first], {"x-rung-session": "s-9"})
        self.ask([first, CALL, RESULT], {"x-rung-session": "s-9"})
        self.assertIsNone(self.upstream.seen[-1].header("x-rung-session"))
        self.assertEqual(re.search(r"(?m)^rung_session_locked_total (\d+)", gateway.request("GET", "/metrics").text)[1], "1")

    def test_off_means_that_each_request_is_chosen_for_itself(self):
        self.start("sessions: off")
        first = {"role": "user", "content": "off"}
        other = self.other_arm(self.ask([first])[0])
        self.start_on(other, [first])
        self.assertNotIn("session", self.ask([first, CALL, RESULT])[1])

    def test_mistakes_in_the_configuration_are_named(self):
        for text, says in (("sessions: {cache_ttl_s: -1}", "sessions.cache_ttl_s"), ("sessions: {max: 1}", "sessions.max"), ("sessions: {ttl: 3}", "unknown key"),
                           ("sessions: yes", "expected a mapping")):
            file = world.scratch() / "rung.yaml"
            file.write_text(text + "\nupstreams: {a: {base_url: http://127.0.0.1:1/v1}}\nmodels: {m: {upstream: a}}\n")
            done = world.cli("check-config", file)
            self.assertEqual(done.returncode, 2, text)
            self.assertIn(says, done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
