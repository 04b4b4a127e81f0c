#!/usr/bin/env python3
"""Anthropic Messages through `rung serve`, to an upstream that speaks it too.

usage: messages_test.py [Class.test_name...]
"""
import json
import socket
import time
import unittest

from dialects import CLAUDE, DialectTest, message_events, sse
from world import KEY

ODD = ('{ "max_tokens":64,"zeta":1,"model" : "MODEL" ,\n "messages":[{"role":"user","content":"hi \\ud83d\\ude00 \\u0000 é 😀 \\ud83d lone"}],'
       '"x_unknown":{"k":[1e21,0.10,-0.0,1E400],"big":12345678901234567890},"thinking":{"type":"enabled","budget_tokens":1024},'
       '"system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral","ttl":"1h"}}]}')


class Messages(DialectTest):
    def body(self, model="claude", **more):
        return {"model": model, "max_tokens": 64, "messages": [{"role": "user", "content": "hi"}], **more}

    def test_a_body_crosses_byte_for_byte_but_for_the_model(self):
        gateway = self.start(lambda path, body: CLAUDE)
        reply = gateway.post("/v1/messages", ODD.replace("MODEL", "real-claude").replace("real-claude", "claude"), anthropic_version="2023-06-01")
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual(self.upstream.seen[0].body.decode(), ODD.replace("MODEL", "real-claude"))
        self.assertEqual(reply.body, json.dumps(CLAUDE).encode())
        self.assertEqual(self.upstream.paths(), ["/v1/messages"])

    def test_credentials_version_and_beta(self):
        gateway = self.start(lambda path, body: CLAUDE)
        gateway.request("POST", "/v1/messages?beta=true", json.dumps(self.body()), {
            "x-api-key": "sk-client", "authorization": "Bearer client", "anthropic-beta": "context-1m-2025-08-07", "anthropic-version": "2023-01-01"})
        gateway.post("/v1/messages", self.body(), **{"x-api-key": "sk-client"})
        seen = self.upstream.seen
        self.assertEqual([s.header("x-api-key") for s in seen], [KEY, KEY])
        self.assertEqual([s.header("authorization") for s in seen], [None, None])
        self.assertEqual([s.header("anthropic-version") for s in seen], ["2023-01-01", "2023-06-01"])
        self.assertEqual(seen[0].header("anthropic-beta"), "context-1m-2025-08-07")
        self.assertEqual(self.upstream.paths(), ["/v1/messages?beta=true", "/v1/messages"])

    def test_a_route_and_the_mark_of_the_long_window(self):
        gateway = self.start(lambda path, body: CLAUDE)
        for model in ("only-claude", "claude[1m]"):
            reply = gateway.post("/v1/messages", self.body(model))
            self.assertEqual(reply.status, 200, reply)
            self.assertEqual(reply.headers["x-rung-model"], "claude")
        self.assertEqual([b["model"] for b in self.upstream.bodies()], ["real-claude"] * 2)

    def test_usage_with_cache_reads_and_writes_reaches_the_ledger(self):
        gateway = self.start(lambda path, body: CLAUDE)
        gateway.post("/v1/messages", self.body())
        self.assertEqual(self.row("prompt_tokens, cached_tokens, completion_tokens, usage_source", "calls"), (130, 100, 5, "provider"))
        self.assertEqual(json.loads(self.row("usage", "calls")[0]), CLAUDE["usage"])

    def test_a_stream_comes_back_byte_for_byte_and_is_counted(self):
        stream = sse(*message_events(({"type": "text", "text": ""}, [{"type": "text_delta", "text": "Hé"}, {"type": "text_delta", "text": "llo"}])))
        pieces = [stream[i:i + 7] for i in range(0, len(stream), 7)]
        gateway = self.start(lambda path, body: pieces)
        reply = gateway.post("/v1/messages", self.body(stream=True))
        self.assertEqual(reply.status, 200, reply)
        self.assertEqual(reply.body, stream)
        self.assertEqual(self.row("prompt_tokens, completion_tokens, usage_source", "calls"), (12, 7, "provider"))

    def test_carriage_returns_comments_and_data_of_several_lines_cross_unchanged(self):
        stream = sse(*message_events(({"type": "text", "text": ""}, [{"type": "text_delta", "text": "a"}])))
        stream = b": a comment\r\n\r\n" + stream.replace(b"\n", b"\r\n").replace(b'data: {"type": "ping"', b'data: {\r\ndata: "type": "ping"')
        gateway = self.start(lambda path, body: [stream[i:i + 1] for i in range(len(stream))])
        reply = gateway.post("/v1/messages", self.body(stream=True))
        self.assertEqual(reply.body, stream)
        self.assertEqual(self.row("completion_tokens", "calls"), (7,))

    def test_a_cut_stream_ends_with_an_error_event_and_an_estimate(self):
        events = list(message_events(({"type": "text", "text": ""}, [{"type": "text_delta", "text": "a"}, {"type": "text_delta", "text": "b"}])))
        gateway = self.start(lambda path, body: [sse(*events[:5]), None])
        body = json.dumps(self.body(stream=True)).encode()
        connection = socket.create_connection(("127.0.0.1", gateway.port), timeout=10)
        connection.sendall(b"POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        data = b""
        try:
            while more := connection.recv(65536):
                data += more
        except ConnectionError:
            pass
        self.assertIn(b'event: error\ndata: {"type":"error","error":{"type":"api_error","message":"', data)
        self.assertFalse(data.endswith(b"0\r\n\r\n"), data)
        self.assertEqual(self.row("prompt_tokens, completion_tokens, usage_source, outcome", "calls"), (12, 2, "estimate", "upstream_error"))

    def test_every_refusal_has_the_form_that_anthropics_clients_read(self):
        gateway = self.start(lambda path, body: (529, {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}, "x": 1}))
        cases = [(b"{", 400, "invalid_request_error"), (b'{"model":"claude"}', 400, "invalid_request_error"),
                 (json.dumps(self.body("nobody")), 404, "not_found_error"), (json.dumps(self.body()), 529, "overloaded_error")]
        for body, status, kind in cases:
            reply = gateway.post("/v1/messages", body)
            self.assertEqual(reply.status, status, reply)
            self.assertEqual((reply.json["type"], reply.json["error"]["type"]), ("error", kind), reply)
            self.assertTrue(reply.headers.get("request-id"), reply)
        self.assertEqual(gateway.request("GET", "/v1/messages").json["type"], "error")
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
            connection.sendall(b"POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: 3000000000\r\n\r\n{")
            self.assertIn(b'413 ', answer := connection.recv(65536))
            self.assertIn(b'{"type":"error","error":{"message":"the body is larger', answer)
        gzip = gateway.post("/v1/messages", b"not gzip", content_encoding="br")
        self.assertEqual((gzip.status, gzip.json["type"]), (415, "error"))

    def test_tokens_are_counted_by_anthropic_where_it_serves_the_model(self):
        gateway = self.start(lambda path, body: {"input_tokens": 77})
        for model in ("claude", "only-claude"):
            reply = gateway.post("/v1/messages/count_tokens", {"model": model, "messages": [{"role": "user", "content": "hi"}]})
            self.assertEqual((reply.status, reply.json), (200, {"input_tokens": 77}), reply)
            self.assertNotIn("x-rung-estimated", reply.headers)
        self.assertEqual(self.upstream.paths(), ["/v1/messages/count_tokens"] * 2)
        self.assertEqual([b["model"] for b in self.upstream.bodies()], ["real-claude"] * 2)

    def test_a_count_of_ours_is_marked_as_an_estimate(self):
        gateway = self.start(None)
        reply = gateway.post("/v1/messages/count_tokens", {"model": "gpt", "messages": [{"role": "user", "content": "x" * 400}]})
        self.assertEqual((reply.status, reply.json, reply.headers.get("x-rung-estimated")), (200, {"input_tokens": 101}, "input_tokens"), reply)
        reply = gateway.post("/v1/messages/count_tokens", {"model": "nobody", "messages": [{"role": "user", "content": "x"}]})
        self.assertEqual((reply.status, reply.json["error"]["type"]), (404, "not_found_error"), reply)
        self.assertEqual(self.upstream.seen, [])

    def test_models_are_listed_in_the_form_of_who_asks(self):
        gateway = self.start(None)
        theirs = gateway.request("GET", "/v1/models", headers={"anthropic-version": "2023-06-01"}).json
        self.assertEqual(theirs["data"][0], {"type": "model", "id": "only-claude", "display_name": "only-claude", "created_at": "1970-01-01T00:00:00Z"})
        self.assertEqual((theirs["has_more"], theirs["last_id"]), (False, "embed"))
        self.assertEqual(gateway.request("GET", "/v1/models").json["object"], "list")

    def test_the_client_leaving_cancels_upstream(self):
        events = list(message_events(({"type": "text", "text": ""}, [{"type": "text_delta", "text": "a"}])))
        gateway = self.start(lambda path, body: [sse(*events[:4]), lambda seen: self.upstream.gone(seen, 5)])
        body = json.dumps(self.body(stream=True)).encode()
        connection = socket.create_connection(("127.0.0.1", gateway.port), timeout=10)
        connection.sendall(b"POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        connection.recv(1000)
        connection.close()
        left = time.monotonic()
        self.assertTrue(self.upstream.seen[0].gone.wait(2))
        self.assertLess(time.monotonic() - left, 1.0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
