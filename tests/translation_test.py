#!/usr/bin/env python3
"""Clients of one dialect in front of upstreams of another, through `rung serve`.

usage: translation_test.py [Class.test_name...]
"""
import json
import time
import unittest

import world
from dialects import CLAUDE, DONE, GPT, DialectTest, chat_chunk, events_of, message_events, sse

class Translated(DialectTest):
    def messages(self, model="gpt", **more):
        return self.gateway.post("/v1/messages", {"model": model, "max_tokens": 64, "messages": [{"role": "user", "content": "hi"}], **more},
                                 anthropic_version="2023-06-01", anthropic_beta="some-beta")

    def test_an_anthropic_client_reaches_a_chat_upstream(self):
        self.start(lambda path, body: GPT)
        reply = self.messages()
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual(reply.json["content"], [{"type": "text", "text": "Hello."}])
        self.assertEqual(reply.json["usage"], {"input_tokens": 6, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 3, "output_tokens": 2})
        self.assertEqual(reply.headers["x-rung-dropped"], "anthropic-beta")
        self.assertTrue(reply.headers["request-id"])
        self.assertEqual(self.upstream.paths(), ["/v1/chat/completions"])
        self.assertEqual(self.upstream.bodies(), [{"model": "real-gpt", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 64}])
        self.assertEqual((self.upstream.seen[0].header("anthropic-version"), self.upstream.seen[0].header("authorization")), (None, "Bearer " + world.KEY))
        self.assertEqual(self.row("prompt_tokens, cached_tokens, completion_tokens, usage_source"), (9, 3, 2, "provider"))

    def test_a_chat_client_reaches_an_anthropic_upstream(self):
        self.start(lambda path, body: CLAUDE)
        reply = self.gateway.chat("hi", model="claude", seed=7)
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual(reply.json["choices"][0]["message"]["content"], "Hello.")
        self.assertEqual(reply.json["usage"]["prompt_tokens"], 130)
        self.assertEqual(reply.headers["x-rung-dropped"], "seed")
        self.assertEqual(self.upstream.bodies(), [{"model": "real-claude", "max_tokens": 8192, "messages": [{"role": "user", "content": "hi"}]}])
        self.assertEqual((self.upstream.seen[0].header("anthropic-version"), self.upstream.seen[0].header("x-api-key")), ("2023-06-01", world.KEY))

    def test_streams_cross_both_ways_however_they_are_split(self):
        chat = sse(chat_chunk({"role": "assistant", "content": ""}), chat_chunk({"content": "Hé"}), chat_chunk({"content": "llo 😀"}),
                   chat_chunk({}, "stop"), chat_chunk(usage={"prompt_tokens": 9, "completion_tokens": 2}), DONE).replace(b"\n", b"\r\n")
        claude = sse(*message_events(({"type": "text", "text": ""}, [{"type": "text_delta", "text": "Hé"}, {"type": "text_delta", "text": "llo 😀"}])))
        for size in (1, 7, 100000):
            self.start(lambda path, body: [s[i:i + size] for s in [chat if path.endswith("completions") else claude] for i in range(0, len(s), size)])
            events = events_of(self.messages(stream=True).body)
            self.assertEqual([name for name, _ in events], ["message_start", "content_block_start", "content_block_delta", "content_block_delta",
                                                            "content_block_stop", "message_delta", "message_stop"])
            self.assertEqual("".join(d["delta"].get("text", "") for n, d in events if n == "content_block_delta"), "Héllo 😀")
            self.assertEqual(events[-2][1]["usage"]["output_tokens"], 2)
            reply = self.gateway.chat("hi", model="claude", stream=True, stream_options={"include_usage": True})
            chunks = [d for _, d in events_of(reply.body)]
            self.assertEqual(chunks[-1], "[DONE]")
            self.assertEqual("".join(c["choices"][0]["delta"].get("content", "") for c in chunks[:-2]), "Héllo 😀")
            self.assertEqual([c["choices"][0]["finish_reason"] for c in chunks[:-2]], [None] * 3 + ["stop"])
            self.assertEqual(chunks[-2]["usage"], {"prompt_tokens": 12, "completion_tokens": 7, "total_tokens": 19})
            self.assertEqual({(c["id"], c["model"]) for c in chunks[:-1]}, {("msg_1", "real-claude")})
            self.gateway.kill()

    def test_errors_before_and_in_the_stream_have_the_clients_form(self):
        self.start(lambda path, body: (429, {"error": {"message": "slow down", "type": "t", "param": None, "code": "c"}}))
        reply = self.messages()
        self.assertEqual((reply.status, reply.json["type"], reply.json["error"]), (429, "error", {"type": "rate_limit_error", "message": "slow down"}))
        self.upstream.reply = lambda path, body: (529, {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}})
        reply = self.gateway.chat("hi", model="claude")
        self.assertEqual((reply.status, reply.json["error"]["message"]), (529, "busy"))
        self.upstream.reply = lambda path, body: {"unexpected": 1}
        reply = self.gateway.chat("hi", model="claude")
        self.assertEqual((reply.status, reply.json["error"]["code"]), (502, "upstream_error"))

    def test_a_reply_that_cannot_be_translated_is_billed_as_its_host_counts(self):
        self.start(lambda path, body: {"unexpected": 1, "usage": {"input_tokens": 12, "output_tokens": 7}})
        self.assertEqual(self.gateway.chat("hi", model="claude").status, 502)
        self.assertEqual(self.row("prompt_tokens, completion_tokens, usage_source, outcome"), (12, 7, "provider", "upstream_error"))

    def test_a_cut_upstream_is_never_a_clean_end(self):
        self.start(lambda path, body: [sse(chat_chunk({"content": "a"})), None])
        body = {"model": "gpt", "max_tokens": 5, "messages": [{"role": "user", "content": "x"}], "stream": True}
        data = self.cut(b"/v1/messages", body)
        self.assertIn(b'event: error\ndata: {"type":"error","error":{"type":"api_error"', data)
        self.assertNotIn(b"message_stop", data)
        events = list(message_events(({"type": "text", "text": ""}, [{"type": "text_delta", "text": "a"}])))
        self.upstream.reply = lambda path, body: sse(*events[:4])  # ends as if it were whole
        data = self.cut(b"/v1/chat/completions", {**body, "model": "claude"})
        self.assertIn(b'data: {"error":', data)
        self.assertNotIn(b"[DONE]", data)

    def test_comments_keep_a_silent_stream_alive_where_they_are_asked_for(self):
        def silence(seen):
            time.sleep(0.4)
        chat = [sse(chat_chunk({"content": "a"})), silence, sse(chat_chunk({"content": "b"}), chat_chunk({}, "stop"), DONE)]

        def slow(path, body):
            time.sleep(0.4)
            return (429, {"error": {"message": "slow down"}}) if "[[429]]" in json.dumps(body) else chat
        self.start(slow, top="keep_alive_ms: 100")
        body = self.messages(stream=True).body
        self.assertTrue(body.startswith(b": keep-alive\n\n"), body)
        self.assertGreaterEqual(body[body.index(b"content_block_delta"):].count(b": keep-alive\n\n"), 2)
        self.assertEqual([n for n, _ in events_of(body) if n][-1], "message_stop")
        data = self.cut(b"/v1/chat/completions", {"model": "gpt", "messages": [{"role": "user", "content": "[[429]]"}], "stream": True})
        self.assertTrue(data.startswith(b"HTTP/1.1 200"), data)
        self.assertIn(b'data: {"error":{"message":"slow down","type":"rate_limit_error"', data)
        self.gateway.kill()
        self.start(slow)
        self.assertNotIn(b": keep-alive", self.messages(stream=True).body)

    def test_a_whole_reply_in_a_stream_that_has_begun_is_an_error_and_no_success(self):
        def slow(path, body):
            time.sleep(0.4)
            return GPT
        self.start(slow, top="keep_alive_ms: 100")
        data = self.cut(b"/v1/chat/completions", {"model": "gpt", "messages": [{"role": "user", "content": "x"}], "stream": True})
        self.assertIn(b"answered a request for a stream without one", data)
        self.assertEqual(self.row("prompt_tokens, outcome"), (9, "ok"), "the call is billed as it went")
        outcome, error = self.row("outcome, error", "requests")
        self.assertEqual(outcome, "upstream_error")
        self.assertIn("without one", error)

    def test_what_cannot_be_carried_is_refused_before_anybody_is_asked(self):
        self.start(lambda path, body: GPT)
        reply = self.gateway.chat("hi", model="claude", n=2)
        self.assertEqual(reply.status, 400, reply)
        self.assertIn("n is 2, which Anthropic Messages has no form for", reply.json["error"]["message"])
        reply = self.messages("gpt", tools=[{"type": "web_search_20250305", "name": "web_search"}])
        self.assertEqual((reply.status, reply.json["error"]["type"]), (400, "invalid_request_error"), reply)
        self.assertEqual(self.gateway.chat("hi", model="only-claude", n=2).status, 400)
        self.assertEqual(self.upstream.seen, [])

    def test_reasoning_goes_back_where_it_is_taken(self):
        self.start(lambda path, body: GPT)
        turns = [{"role": "user", "content": "q"}, {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "hm", "signature": "rung:unsigned"}, {"type": "text", "text": "a"}]}, {"role": "user", "content": "r"}]
        self.messages("thinker", messages=turns)
        self.messages("gpt", messages=turns)
        self.messages("claude", messages=turns)
        thinker, gpt, claude = self.upstream.bodies()
        self.assertEqual(thinker["messages"][1], {"role": "assistant", "content": "a", "reasoning_content": "hm"})
        self.assertEqual(gpt["messages"][1], {"role": "assistant", "content": "a"})
        self.assertEqual(claude["messages"][1], {"role": "assistant", "content": [{"type": "text", "text": "a"}]})


if __name__ == "__main__":
    unittest.main(verbosity=2)
