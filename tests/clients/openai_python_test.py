#!/usr/bin/env python3
"""The unmodified Python client (PyPI `openai`) against `rung serve` in front of `rung replay`.

usage: openai_python_test.py [Chat.test_name...]      CLIENTS names the folder of tests/clients/install (build/clients)
"""
import asyncio
import json
import os
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import world  # noqa: E402
from world import wait_for  # noqa: E402

CLIENTS = pathlib.Path(os.environ.get("CLIENTS", world.ROOT / "build/clients")) / "python"
PYTHON = CLIENTS / "venv/bin/python"
if pathlib.Path(sys.prefix) != PYTHON.parent.parent and __name__ == "__main__":
    if not (CLIENTS / "installed").exists():
        world.skip(f"the Python client is not installed in {CLIENTS}; tests/clients/install python {CLIENTS} says why")
    os.execv(PYTHON, [str(PYTHON), *sys.argv])

import openai  # noqa: E402
import pydantic  # noqa: E402

EASY = "What is 17 + 26?"
WEATHER = [{"type": "function", "function": {"name": "get_weather", "description": "The weather in a city", "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]}},
    "required": ["city"]}}}]


class Person(pydantic.BaseModel):
    name: str
    age: int


class Chat(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.replay = world.Replay("--first-token-ms", "5", "--tokens-per-second", "400")
        cls.gateway = world.Gateway(cls.replay.port)
        cls.url = f"http://127.0.0.1:{cls.gateway.port}/v1"
        cls.client = openai.OpenAI(base_url=cls.url, api_key="sk-anything", max_retries=0, timeout=30)

    @classmethod
    def tearDownClass(cls):
        cls.gateway.kill()
        cls.replay.kill()

    def ask(self, content=EASY, model="auto", **options):
        return self.client.chat.completions.create(model=model, messages=[{"role": "user", "content": content}], **options)

    def test_chat_answers_with_content_and_usage(self):
        reply = self.ask()
        self.assertEqual(reply.choices[0].message.content, "43")
        self.assertEqual(reply.choices[0].finish_reason, "stop")
        self.assertGreater(reply.usage.prompt_tokens, 0)
        self.assertEqual(reply.usage.total_tokens, reply.usage.prompt_tokens + reply.usage.completion_tokens)
        self.assertIn(reply.model, ("rung-small", "rung-medium", "rung-large"))

    def test_chat_with_a_named_model(self):
        self.assertEqual(self.ask(model="rung-large").model, "rung-large")

    def test_chat_takes_fields_that_the_client_does_not_know(self):
        self.assertEqual(self.ask(extra_body={"x_own": {"big": 9007199254740993}}).choices[0].message.content, "43")

    def test_raw_response_shows_the_decision(self):
        raw = self.client.chat.completions.with_raw_response.create(model="auto", messages=[{"role": "user", "content": EASY}])
        named = {name: value for name, value in raw.headers.items() if name.lower().startswith("x-rung-")}
        self.assertTrue(any("decision" in name.lower() for name in named), named)
        self.assertIn(raw.parse().model, named.values())

    def test_stream_has_role_content_and_a_finish_reason_but_no_usage_unless_asked(self):
        chunks = list(self.ask(stream=True))
        self.assertEqual(chunks[0].choices[0].delta.role, "assistant")
        self.assertEqual("".join(c.choices[0].delta.content or "" for c in chunks if c.choices), "43")
        self.assertEqual([c.choices[0].finish_reason for c in chunks if c.choices][-1], "stop")
        self.assertTrue(all(c.choices and c.usage is None for c in chunks))
        self.assertEqual(len({c.id for c in chunks}), 1)

    def test_stream_ends_with_one_usage_chunk_when_asked(self):
        chunks = list(self.ask(stream=True, stream_options={"include_usage": True}))
        with_usage = [c for c in chunks if c.usage is not None]
        self.assertEqual(len(with_usage), 1)
        self.assertIs(with_usage[0], chunks[-1])
        self.assertEqual(chunks[-1].choices, [])
        self.assertGreater(chunks[-1].usage.completion_tokens, 0)

    def test_stream_helper_collects_the_final_message(self):
        with self.client.chat.completions.stream(model="auto", messages=[{"role": "user", "content": EASY}]) as stream:
            for _ in stream:
                pass
            self.assertEqual(stream.get_final_completion().choices[0].message.content, "43")

    def test_tool_call_without_streaming(self):
        reply = self.ask("What is the weather in Porto?", tools=WEATHER, tool_choice="required")
        self.assertEqual(reply.choices[0].finish_reason, "tool_calls")
        call = reply.choices[0].message.tool_calls[0]
        self.assertEqual(call.function.name, "get_weather")
        self.assertTrue(call.id)
        self.assertIn("city", json.loads(call.function.arguments))

    def test_tool_call_in_a_stream_has_whole_indexes_and_arguments_in_pieces(self):
        calls = {}
        for chunk in self.ask("What is the weather in Porto?", tools=WEATHER, tool_choice="required", stream=True):
            for delta in chunk.choices[0].delta.tool_calls or [] if chunk.choices else []:
                call = calls.setdefault(delta.index, {"id": None, "name": None, "arguments": ""})
                call["id"] = call["id"] or delta.id
                call["name"] = call["name"] or delta.function.name
                call["arguments"] += delta.function.arguments or ""
        self.assertEqual(list(calls), [0])
        self.assertTrue(calls[0]["id"])
        self.assertEqual(calls[0]["name"], "get_weather")
        self.assertIn("city", json.loads(calls[0]["arguments"]))

    def test_tool_results_go_back(self):
        first = self.ask("What is the weather in Porto?", tools=WEATHER, tool_choice="required")
        call = first.choices[0].message.tool_calls[0]
        reply = self.client.chat.completions.create(model="auto", tools=WEATHER, messages=[
            {"role": "user", "content": "What is the weather in Porto?"}, first.choices[0].message.model_dump(exclude_none=True),
            {"role": "tool", "tool_call_id": call.id, "content": "17 degrees and rain"}])
        self.assertEqual(reply.choices[0].finish_reason, "stop")

    def test_structured_output_by_schema(self):
        schema = {"name": "person", "strict": True, "schema": {"type": "object", "additionalProperties": False, "required": ["name", "age"],
                  "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}}}
        reply = self.ask("Who is Ada?", response_format={"type": "json_schema", "json_schema": schema})
        self.assertEqual(set(json.loads(reply.choices[0].message.content)), {"name", "age"})

    def test_structured_output_by_the_parse_helper(self):
        reply = self.client.chat.completions.parse(model="auto", messages=[{"role": "user", "content": "Who is Ada?"}], response_format=Person)
        self.assertIsInstance(reply.choices[0].message.parsed, Person)

    def test_unknown_model_is_not_found(self):
        with self.assertRaises(openai.NotFoundError) as raised:
            self.ask(model="no-such-model")
        self.assertEqual(raised.exception.status_code, 404)
        self.assertEqual(raised.exception.code, "model_not_found")
        self.assertIn("no-such-model", str(raised.exception))

    def test_bad_request_is_said_to_be_one(self):
        with self.assertRaises(openai.BadRequestError) as raised:
            self.client.chat.completions.create(model="auto", messages=[])
        self.assertEqual(raised.exception.type, "invalid_request_error")

    def test_upstream_429_is_a_rate_limit_error_with_its_retry_after(self):
        with self.assertRaises(openai.RateLimitError) as raised:
            self.ask("[[fault:429]] hello", model="rung-small")
        self.assertTrue(raised.exception.response.headers.get("retry-after"))

    def test_upstream_500_is_an_internal_server_error(self):
        with self.assertRaises(openai.InternalServerError):
            self.ask("[[fault:500]] hello", model="rung-small")

    def test_a_cut_stream_is_an_error_and_not_a_short_answer(self):
        with self.assertRaises((openai.APIError, Exception)):
            chunks = list(self.ask("[[fault:cut]] hello", model="rung-small", stream=True))
            self.assertEqual([c.choices[0].finish_reason for c in chunks if c.choices][-1], "never", "the cut was hidden")

    def test_leaving_a_stream_cancels_upstream(self):
        before = self.replay.request("GET", "/stats").json["aborted"]
        stream = self.ask("[[fault:slow]] Write a long story about a lighthouse.", model="rung-small", stream=True)
        next(iter(stream))
        stream.close()
        self.assertTrue(wait_for(lambda: self.replay.request("GET", "/stats").json["aborted"] > before, 5))

    def test_models_are_listed(self):
        self.assertEqual({m.id for m in self.client.models.list()}, {"auto", "rung-small", "rung-medium", "rung-large"})

    def test_feedback_by_decision_id(self):
        raw = self.client.chat.completions.with_raw_response.create(model="auto", messages=[{"role": "user", "content": EASY}])
        decision = next(value for name, value in raw.headers.items() if name.lower().startswith("x-rung-decision"))
        self.client.post("/feedback", body={"decision_id": decision, "score": 1.0}, cast_to=object)

    def test_twenty_questions_at_once(self):
        async def all_of_them():
            async with openai.AsyncOpenAI(base_url=self.url, api_key="x", max_retries=0) as client:
                return await asyncio.gather(*(client.chat.completions.create(
                    model="auto", messages=[{"role": "user", "content": EASY}]) for _ in range(20)))
        self.assertEqual({r.choices[0].message.content for r in asyncio.run(all_of_them())}, {"43"})


if __name__ == "__main__":
    unittest.main(verbosity=2)
