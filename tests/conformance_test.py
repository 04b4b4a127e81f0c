#!/usr/bin/env python3
"""A corpus of exchanges, every client dialect in front of every upstream dialect, whole and streamed: however the upstream's bytes
are split, end their lines or dawdle, the client gets the same; wherever they are cut, it never gets a proper end.

usage: conformance_test.py [Class.test_name...]
"""
import http.client
import json
import pathlib
import random
import re
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "clients"))
import brain  # noqa: E402
from dialects import Dialects, Scripted, events_of  # noqa: E402

MODELS = ("gpt", "claude", "native")
SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}, "required": ["name", "age"], "additionalProperties": False}
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
ODD = 'é 😀 "quoted" \\ back / \u2028 \x7f tab\t line\n'
# What is asked, whatever the dialect: words, and what else of {system, turns, tools, results, schema, image, think, limit, odd}.
KINDS = {
    "plain": {}, "system": {"system": "Be brief."}, "turns": {"turns": True}, "tools": {"tools": True}, "results": {"tools": True, "results": True},
    "schema": {"schema": True}, "image": {"image": True}, "think": {"think": True}, "odd": {"odd": True},
    "all": {"system": "Be brief.", "turns": True, "tools": True, "results": True, "think": True},
}


def chat(kind):
    messages = [{"role": "system", "content": kind["system"]}] if "system" in kind else []
    if "turns" in kind:
        messages += [{"role": "user", "content": "Hello."}, {"role": "assistant", "content": "Hello to you."}]
    words = ODD if "odd" in kind else "Go on."
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + PIXEL}}
    messages.append({"role": "user", "content": [picture, {"type": "text", "text": words}] if "image" in kind else words})
    if "results" in kind:
        calls = [{"id": i, "type": "function", "function": {"name": "get_weather", "arguments": json.dumps({"city": c})}} for i, c in (("a", "Porto"), ("b", "Lima"))]
        messages.append({"role": "assistant", "content": None, "tool_calls": calls})
        messages += [{"role": "tool", "tool_call_id": i, "content": r} for i, r in (("a", "wet"), ("b", "dry"))]
    body = {"messages": messages}
    if "tools" in kind:
        body["tools"] = [{"type": "function", "function": {"name": "get_weather", "parameters": CITY}}]
    if "schema" in kind:
        body["response_format"] = {"type": "json_schema", "json_schema": {"name": "person", "schema": SCHEMA, "strict": True}}
    if "think" in kind:
        body["reasoning_effort"] = "low"
    return "/v1/chat/completions", body


def messages(kind):
    turns = [{"role": "user", "content": "Hello."}, {"role": "assistant", "content": "Hello to you."}] if "turns" in kind else []
    words = ODD if "odd" in kind else "Go on."
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
    turns.append({"role": "user", "content": [picture, {"type": "text", "text": words}] if "image" in kind else words})
    if "results" in kind:
        turns.append({"role": "assistant", "content": [{"type": "tool_use", "id": i, "name": "get_weather", "input": {"city": c}} for i, c in (("a", "Porto"), ("b", "Lima"))]})
        turns.append({"role": "user", "content": [{"type": "tool_result", "tool_use_id": i, "content": r} for i, r in (("a", "wet"), ("b", "dry"))]})
    body = {"max_tokens": 4000, "messages": turns}
    if "system" in kind:
        body["system"] = [{"type": "text", "text": kind["system"]}]
    if "tools" in kind:
        body["tools"] = [{"name": "get_weather", "input_schema": CITY}]
    if "schema" in kind:
        body["output_config"] = {"format": {"type": "json_schema", "schema": SCHEMA}}
    if "think" in kind:
        body.update(thinking={"type": "adaptive"}, output_config={"effort": "low"})
    return "/v1/messages", body


def responses(kind):
    items = [{"role": "user", "content": "Hello."}, {"role": "assistant", "content": "Hello to you."}] if "turns" in kind else []
    words = ODD if "odd" in kind else "Go on."
    picture = {"type": "input_image", "image_url": "data:image/png;base64," + PIXEL, "detail": "auto"}
    items.append({"role": "user", "content": [picture, {"type": "input_text", "text": words}] if "image" in kind else words})
    if "results" in kind:
        items += [{"type": "function_call", "call_id": i, "name": "get_weather", "arguments": json.dumps({"city": c})} for i, c in (("a", "Porto"), ("b", "Lima"))]
        items += [{"type": "function_call_output", "call_id": i, "output": r} for i, r in (("a", "wet"), ("b", "dry"))]
    body = {"input": items, "store": False}
    if "system" in kind:
        body["instructions"] = kind["system"]
    if "tools" in kind:
        body["tools"] = [{"type": "function", "name": "get_weather", "parameters": CITY, "strict": False}]
    if "schema" in kind:
        body["text"] = {"format": {"type": "json_schema", "name": "person", "schema": SCHEMA, "strict": True}}
    if "think" in kind:
        body["reasoning"] = {"effort": "low"}
    return "/v1/responses", body


def exchanges(streams):
    """(name, path, body) of every exchange."""
    for make in (chat, messages, responses):
        for model in MODELS:
            for name, kind in KINDS.items():
                path, body = make(kind)
                yield f"{make.__name__} {model} {name} {'stream' if streams else 'whole'}", path, {"model": model, **body, **({"stream": True} if streams else {})}


def said(path, reply):
    """(text, reasoning, calls, why it ended) of a whole reply."""
    if path == "/v1/chat/completions":
        message = reply["choices"][0]["message"]
        calls = [(c["id"], c["function"]["name"], json.loads(c["function"]["arguments"])) for c in message.get("tool_calls") or []]
        return message["content"], message.get("reasoning_content") or "", calls, reply["choices"][0]["finish_reason"]
    if path == "/v1/messages":
        of = lambda kind: [b for b in reply["content"] if b["type"] == kind]  # noqa: E731
        return ("".join(b["text"] for b in of("text")), "".join(b["thinking"] for b in of("thinking")),
                [(b["id"], b["name"], b["input"]) for b in of("tool_use")], reply["stop_reason"])
    of = lambda kind: [i for i in reply["output"] if i["type"] == kind]  # noqa: E731
    return ("".join(p["text"] for i in of("message") for p in i["content"]), "".join(p["text"] for i in of("reasoning") for p in i["summary"]),
            [(i["call_id"], i["name"], json.loads(i["arguments"])) for i in of("function_call")], reply["status"])


def said_in(path, events):
    """The same of a stream, put together from its pieces as clients do."""
    text, thinking, calls, stop = "", "", {}, None
    for name, data in events:
        if data == "[DONE]":
            continue
        if path == "/v1/chat/completions":
            for choice in data["choices"]:
                delta, stop = choice["delta"], choice["finish_reason"] or stop
                text, thinking = text + (delta.get("content") or ""), thinking + (delta.get("reasoning_content") or "")
                for call in delta.get("tool_calls", []):
                    known = calls.setdefault(call["index"], [call.get("id"), call["function"].get("name"), ""])
                    known[2] += call["function"].get("arguments", "")
        elif path == "/v1/messages":
            delta = data.get("delta", {})
            text, thinking, stop = text + delta.get("text", ""), thinking + delta.get("thinking", ""), delta.get("stop_reason") or stop
            if name == "content_block_start" and data["content_block"]["type"] == "tool_use":
                calls[data["index"]] = [data["content_block"]["id"], data["content_block"]["name"], ""]
            elif "partial_json" in delta:
                calls[data["index"]][2] += delta["partial_json"]
        elif name == "response.output_text.delta":
            text += data["delta"]
        elif name == "response.reasoning_summary_text.delta":
            thinking += data["delta"]
        elif name == "response.output_item.added" and data["item"]["type"] == "function_call":
            calls[data["item"]["id"]] = [data["item"]["call_id"], data["item"]["name"], ""]
        elif name == "response.function_call_arguments.delta":
            calls[data["item_id"]][2] += data["delta"]
        elif name == "response.completed":
            stop = data["response"]["status"]
    return text, thinking, [(i, n, json.loads(a)) for i, n, a in calls.values()], stop


def plain(body):
    """What the client got, without what differs between two requests: the time, and the names of our responses."""
    return re.sub(rb'(resp|msg|fc|rs)_[0-9A-Z]{26}', rb'\1_x', re.sub(rb'"created(_at)?":\d+', b'"created":0', body))


class Corpus(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cutter = None
        cls.upstream = Scripted(lambda path, body: cls.answer(path, body))
        cls.gateway = Dialects(cls.upstream)

    @classmethod
    def tearDownClass(cls):
        cls.gateway.kill()

    @classmethod
    def answer(cls, path, body):
        def echo(a, seen):
            if seen.words == ODD:
                a.text = ODD
        reply = brain.reply(path, body, echo)
        if isinstance(reply, list) and cls.cutter:
            return cls.cutter(b"".join(reply))
        return reply

    def ask(self, path, body, cutter=None):
        type(self).cutter = staticmethod(cutter) if cutter else None
        reply = self.gateway.post(path, body)
        self.assertEqual(reply.status, 200, reply)
        return reply

    def test_whole_replies_of_every_pair_say_what_was_asked(self):
        count = 0
        for name, path, body in exchanges(False):
            with self.subTest(name):
                reply = self.ask(path, body)
                text, thinking, calls, _ = said(path, reply.json)
                real = {"gpt": "real-gpt", "claude": "real-claude", "native": "real-native"}[body["model"]]
                kind = name.split()[2]
                expected = {"tools": "I will look.", "results": "It is wet and dry.", "all": "It is wet and dry.", "schema": '{"name": "Ada", "age": 36}',
                            "image": "I see a picture.", "odd": ODD}.get(kind, f"Hello, {real}.")
                self.assertEqual(text, expected)
                self.assertEqual([(n, a["city"]) for _, n, a in calls], [("get_weather", "Porto"), ("get_weather", "Lima")] if kind == "tools" else [])
                if kind in ("think", "all") and body["model"] != "native":
                    self.assertEqual(thinking, "Let me see.")
                self.assertNotIn("x-rung-dropped", reply.headers)
                count += 1
        self.assertEqual(count, 90)

    def test_streams_of_every_pair_are_the_same_however_they_come(self):
        chance, count = random.Random(7), 0

        def bytewise(stream):
            return [stream[i:i + 1] for i in range(len(stream))]

        def anyhow(stream):
            at = sorted(chance.sample(range(1, len(stream)), 40))
            return [stream[a:b] for a, b in zip([0] + at, at + [len(stream)])]

        def slowly(stream):
            third = len(stream) // 3
            pause = lambda seen: time.sleep(0.02)  # noqa: E731
            return [stream[:third], pause, stream[third:2 * third], pause, stream[2 * third:]]

        def crlf(stream):
            return anyhow(stream.replace(b"\n", b"\r\n"))

        def commented(stream):
            return anyhow(stream.replace(b"\n\n", b"\n\n: x\n\n", 5))

        for name, path, body in exchanges(True):
            with self.subTest(name):
                once = self.ask(path, body, lambda stream: [stream])
                self.assertEqual(plain(self.ask(path, body, bytewise).body), plain(once.body))
                self.assertEqual(plain(self.ask(path, body, anyhow).body), plain(once.body))
                if name.split()[2] in ("plain", "all"):
                    self.assertEqual(plain(self.ask(path, body, slowly).body), plain(once.body))
                events = events_of(plain(once.body))
                self.assertEqual(events_of(plain(self.ask(path, body, crlf).body)), events)
                self.assertEqual(events_of(plain(self.ask(path, body, commented).body)), events)
                whole = self.ask(path, {k: v for k, v in body.items() if k != "stream"}).json
                self.assertEqual(said_in(path, events), said(path, whole))
                count += 1
        self.assertEqual(count, 90)

    def test_a_stream_that_is_cut_anywhere_has_no_proper_end(self):
        chance, ends = random.Random(11), {"/v1/chat/completions": b"[DONE]", "/v1/messages": b"message_stop", "/v1/responses": b"response.completed"}
        for name, path, body in exchanges(True):
            for _ in range(3):
                with self.subTest(name):
                    def cut(stream):
                        # Up to the piece that says why it ended, which is an end for hosts without another.
                        stop = max(stream.rfind(b'"finish_reason": "'), stream.rfind(b"event: message_delta"), stream.rfind(b"event: response.completed"))
                        return [stream[:chance.randrange(1, stop)], None]
                    type(self).cutter = staticmethod(cut)
                    connection = http.client.HTTPConnection("127.0.0.1", self.gateway.port, timeout=10)
                    connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
                    reply = connection.getresponse()
                    try:
                        data, proper = reply.read(), True
                    except http.client.IncompleteRead as broken:
                        data, proper = broken.partial, False
                    connection.close()
                    self.assertFalse(proper and reply.status == 200, data)
                    self.assertNotIn(ends[path], data)
                    self.assertTrue(reply.status >= 500 or b"error" in data, data)


if __name__ == "__main__":
    unittest.main(verbosity=2)
