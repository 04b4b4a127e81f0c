#!/usr/bin/env python3
"""OpenAI Responses and embeddings through `rung serve`: passed on, and translated.

usage: responses_test.py [Class.test_name...]
"""
import json
import unittest

from dialects import CLAUDE, DONE, GPT, DialectTest, chat_chunk, events_of, message_events, sse

RESPONSE = {"id": "resp_1", "object": "response", "created_at": 1700000000, "status": "completed", "model": "real-native", "output": [
    {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "content": [{"type": "output_text", "text": "Hi", "annotations": []}]}],
    "usage": {"input_tokens": 9, "input_tokens_details": {"cached_tokens": 4}, "output_tokens": 2, "output_tokens_details": {"reasoning_tokens": 1},
              "total_tokens": 11}, "x_new": [1e21]}
EVENTS = [{"type": "response.created", "sequence_number": 0, "response": {**RESPONSE, "status": "in_progress", "output": [], "usage": None}},
          {"type": "response.output_text.delta", "sequence_number": 1, "item_id": "msg_1", "output_index": 0, "content_index": 0, "delta": "Hi"},
          {"type": "response.completed", "sequence_number": 2, "response": RESPONSE}]


class Responses(DialectTest):
    def respond(self, model="native", **more):
        return self.gateway.post("/v1/responses", {"model": model, "input": "hi", **more})

    def test_a_body_crosses_byte_for_byte_to_an_upstream_that_speaks_it(self):
        self.start(lambda path, body: RESPONSE)
        sent = '{ "input":[{"role":"user","content":"\\ud83d"}],"model" : "native","x":1e21,"store":true,"previous_response_id":"resp_0"}'
        reply = self.gateway.post("/v1/responses", sent)
        self.assertEqual((reply.status, reply.body), (200, json.dumps(RESPONSE).encode()), reply)
        self.assertEqual(self.upstream.paths(), ["/v1/responses"])
        self.assertEqual(self.upstream.seen[0].body.decode(), sent.replace("native", "real-native"))
        self.assertEqual(self.row("prompt_tokens, cached_tokens, completion_tokens, reasoning_tokens, usage_source"), (9, 4, 2, 1, "provider"))

    def test_a_stream_crosses_byte_for_byte(self):
        stream = sse(*EVENTS)
        self.start(lambda path, body: [stream[i:i + 11] for i in range(0, len(stream), 11)])
        reply = self.respond(stream=True)
        self.assertEqual((reply.status, reply.body), (200, stream))
        self.assertEqual(self.row("prompt_tokens, completion_tokens, usage_source"), (9, 2, "provider"))

    def test_a_chat_upstream_and_anthropic_answer_in_the_form_of_responses(self):
        self.start(lambda path, body: GPT if path.endswith("completions") else CLAUDE)
        for model in ("gpt", "claude"):
            reply = self.respond(model, store=False)
            self.assertEqual((reply.status, reply.json["object"], reply.json["status"]), (200, "response", "completed"), reply)
            self.assertEqual(reply.json["output"][0]["content"][0]["text"], "Hello.")
            self.assertNotIn("x-rung-dropped", reply.headers)
        self.assertEqual(self.upstream.bodies(), [{"model": "real-gpt", "messages": [{"role": "user", "content": "hi"}]},
                                                  {"model": "real-claude", "max_tokens": 8192, "messages": [{"role": "user", "content": "hi"}]}])

    def test_streams_of_both_end_with_response_completed(self):
        chat = sse(chat_chunk({"role": "assistant", "content": ""}), chat_chunk({"content": "Hello"}), chat_chunk({}, "stop"),
                   chat_chunk(usage={"prompt_tokens": 9, "completion_tokens": 2}), DONE)
        claude = sse(*message_events(({"type": "text", "text": ""}, [{"type": "text_delta", "text": "Hello"}])))
        self.start(lambda path, body: chat if path.endswith("completions") else claude)
        for model in ("gpt", "claude"):
            events = events_of(self.respond(model, stream=True).body)
            names = [name for name, _ in events if name]
            self.assertEqual(names[0], "response.created")
            self.assertEqual(names[-1], "response.completed")
            self.assertEqual([data["sequence_number"] for name, data in events if name], list(range(len(names))))
            self.assertEqual(events[-1][1]["response"]["output"][0]["content"][0]["text"], "Hello")
            self.assertGreater(events[-1][1]["response"]["usage"]["total_tokens"], 0)

    def test_what_needs_state_elsewhere_is_refused(self):
        self.start(lambda path, body: GPT)
        for model in ("gpt", "claude", "only-claude"):
            reply = self.respond(model, previous_response_id="resp_0")
            self.assertEqual(reply.status, 400, reply)
            self.assertIn("previous_response_id is set, which ", reply.json["error"]["message"])
        self.assertEqual(self.upstream.seen, [])

    def test_a_cut_stream_ends_with_response_failed(self):
        self.start(lambda path, body: [sse(chat_chunk({"content": "a"})), None])
        data = self.cut(b"/v1/responses", {"model": "gpt", "input": "hi", "stream": True})
        self.assertIn(b"event: response.failed\ndata: ", data)
        self.assertNotIn(b"response.completed", data)
        self.upstream.reply = lambda path, body: sse(*EVENTS[:2])  # ends as if it were whole
        data = self.cut(b"/v1/responses", {"model": "native", "input": "hi", "stream": True})
        self.assertIn(b'"type":"response.failed","sequence_number":2,"response":{"id":"resp_1"', data)

    def test_embeddings_pass_with_their_tokens_in_the_ledger(self):
        answer = {"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.1, -1e-9]}], "model": "real-embed",
                  "usage": {"prompt_tokens": 4, "total_tokens": 4}}
        self.start(lambda path, body: answer)
        reply = self.gateway.post("/v1/embeddings", {"model": "embed", "input": ["a", "b"], "encoding_format": "float"})
        self.assertEqual((reply.status, reply.body), (200, json.dumps(answer).encode()), reply)
        self.assertEqual((self.upstream.paths(), self.upstream.bodies()[0]["model"]), (["/v1/embeddings"], "real-embed"))
        self.assertEqual(self.row("prompt_tokens, completion_tokens, cost_nano"), (4, 0, 4000))
        reply = self.gateway.post("/v1/embeddings", {"model": "claude", "input": "a"})
        self.assertEqual(reply.status, 400, reply)
        self.assertIn("embeddings are asked for, which Anthropic Messages has no form for", reply.json["error"]["message"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
