#!/usr/bin/env python3
"""Unmodified Python clients (PyPI `anthropic`, `openai`, `litellm`) against `rung serve`, each in front of upstreams of every dialect.

usage: sdks_python_test.py [Class.test_name...]      CLIENTS names the folder of tests/clients/install (build/clients)
"""
import json
import os
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import world  # noqa: E402

CLIENTS = pathlib.Path(os.environ.get("CLIENTS", world.ROOT / "build/clients")) / "python_sdks"
PYTHON = CLIENTS / "venv/bin/python"
if pathlib.Path(sys.prefix) != PYTHON.parent.parent and __name__ == "__main__":
    if not (CLIENTS / "installed").exists():
        world.skip(f"the Python clients are not installed in {CLIENTS}; tests/clients/install python_sdks {CLIENTS} says why")
    os.execv(PYTHON, [str(PYTHON), *sys.argv])

os.environ.update(LITELLM_LOCAL_MODEL_COST_MAP="True", LITELLM_TELEMETRY="False", DO_NOT_TRACK="1")
import anthropic  # noqa: E402
import openai  # noqa: E402
import pydantic  # noqa: E402

import brain  # noqa: E402
from dialects import Dialects, Scripted  # noqa: E402

REAL = {"gpt": "real-gpt", "claude": "real-claude", "native": "real-native"}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
RESULTS = {"Porto": "rainy in Porto", "Lima": "dry in Lima"}
TOLD = "It is rainy in Porto and dry in Lima."
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


class Person(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")
    name: str
    age: int


class Client(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.upstream = Scripted(brain.reply)
        cls.gateway = Dialects(cls.upstream)
        cls.url = f"http://127.0.0.1:{cls.gateway.port}"

    @classmethod
    def tearDownClass(cls):
        cls.gateway.kill()

    def each(self, models=REAL):
        for model in models:
            with self.subTest(model=model):
                yield model


class AnthropicClient(Client):
    TOOLS = [{"name": "get_weather", "description": "The weather", "input_schema": SCHEMA}]

    def setUp(self):
        self.client = anthropic.Anthropic(base_url=self.url, api_key="sk-anything", max_retries=0, timeout=30)

    def ask(self, model, content="Say hello.", **more):
        return self.client.messages.create(model=model, max_tokens=4000, messages=[{"role": "user", "content": content}], **more)

    def test_a_question_and_its_usage(self):
        for model in self.each():
            reply = self.ask(model)
            self.assertEqual((reply.content[0].text, reply.stop_reason), (f"Hello, {REAL[model]}.", "end_turn"))
            self.assertEqual((reply.usage.input_tokens, reply.usage.cache_read_input_tokens, reply.usage.output_tokens), (12, 8, 10))
            self.assertTrue(reply._request_id)

    def test_a_stream(self):
        for model in self.each():
            with self.client.messages.stream(model=model, max_tokens=64, messages=[{"role": "user", "content": "Say hello."}]) as stream:
                text = "".join(stream.text_stream)
                final = stream.get_final_message()
            self.assertEqual((text, final.content[0].text, final.stop_reason), (f"Hello, {REAL[model]}.",) * 2 + ("end_turn",))
            self.assertEqual(final.usage.output_tokens, 10)

    def loop(self, model, ask):
        turns = [{"role": "user", "content": "How is the weather in Porto and Lima?"}]
        first = ask(model=model, max_tokens=4000, messages=turns, tools=self.TOOLS)
        self.assertEqual(first.stop_reason, "tool_use")
        calls = [block for block in first.content if block.type == "tool_use"]
        self.assertEqual([call.input for call in calls], [{"city": "Porto"}, {"city": "Lima"}])
        turns += [{"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in first.content]},
                  {"role": "user", "content": [{"type": "tool_result", "tool_use_id": c.id, "content": RESULTS[c.input["city"]]} for c in calls]}]
        self.assertEqual(ask(model=model, max_tokens=4000, messages=turns, tools=self.TOOLS).content[-1].text, TOLD)

    def test_two_tools_at_once(self):
        for model in self.each():
            self.loop(model, self.client.messages.create)

    def test_two_tools_at_once_in_streams(self):
        def ask(**fields):
            with self.client.messages.stream(**fields) as stream:
                return stream.get_final_message()
        for model in self.each():
            self.loop(model, ask)

    def test_a_session_that_changes_its_model_after_thinking(self):
        turns = []
        for model in ("claude", "thinker", "claude", "gpt", "claude"):
            turns.append({"role": "user", "content": "Say hello."})
            with self.client.messages.stream(model=model, max_tokens=4000, messages=turns, thinking={"type": "adaptive"},
                                             extra_body={"output_config": {"effort": "low"}}) as stream:
                reply = stream.get_final_message()
            turns.append({"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in reply.content]})
            self.assertEqual(reply.content[-1].text, f"Hello, real-{model}.")
            self.assertEqual(reply.content[0].type, "text" if model == "thinker" else "thinking")

    def test_an_image_and_a_schema(self):
        for model in self.each():
            image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
            self.assertEqual(self.ask(model, [image, {"type": "text", "text": "What is it?"}]).content[0].text, "I see a picture.")
            reply = self.ask(model, "Who is Ada?", extra_body={"output_config": {"format": {"type": "json_schema", "schema": Person.model_json_schema()}}})
            self.assertEqual(json.loads(reply.content[0].text), {"name": "Ada", "age": 36})

    def test_tokens_and_models(self):
        self.assertEqual(self.client.messages.count_tokens(model="claude", messages=[{"role": "user", "content": "hi"}]).input_tokens, 42)
        self.assertGreater(self.client.messages.count_tokens(model="gpt", messages=[{"role": "user", "content": "hi"}]).input_tokens, 0)
        self.assertIn("claude", [model.id for model in self.client.models.list()])

    def test_errors(self):
        for model in self.each():
            with self.assertRaises(anthropic.RateLimitError) as raised:
                self.ask(model, "[[429]]")
            self.assertIn("slow down", str(raised.exception))
            with self.assertRaises(Exception):  # a cut stream is never a short answer
                with self.client.messages.stream(model=model, max_tokens=64, messages=[{"role": "user", "content": "[[cut]]"}]) as stream:
                    stream.get_final_message()
        with self.assertRaises(anthropic.NotFoundError):
            self.ask("nobody")


class OpenAiClient(Client):
    TOOLS = [{"type": "function", "function": {"name": "get_weather", "parameters": SCHEMA}}]

    def setUp(self):
        self.client = openai.OpenAI(base_url=self.url + "/v1", api_key="sk-anything", max_retries=0, timeout=30)

    def chat(self, model, content="Say hello.", **more):
        return self.client.chat.completions.create(model=model, messages=[{"role": "user", "content": content}], **more)

    def test_chat_and_its_usage(self):
        for model in self.each():
            reply = self.chat(model)
            self.assertEqual((reply.choices[0].message.content, reply.choices[0].finish_reason), (f"Hello, {REAL[model]}.", "stop"))
            self.assertEqual((reply.usage.prompt_tokens, reply.usage.prompt_tokens_details.cached_tokens, reply.usage.total_tokens), (20, 8, 30))

    def test_chat_streams(self):
        for model in self.each():
            chunks = list(self.chat(model, stream=True, stream_options={"include_usage": True}))
            self.assertEqual("".join(c.choices[0].delta.content or "" for c in chunks if c.choices), f"Hello, {REAL[model]}.")
            self.assertEqual(chunks[-1].usage.total_tokens, 30)

    def test_chat_with_two_tools_at_once(self):
        for model in self.each():
            for streaming in (False, True):
                turns = [{"role": "user", "content": "How is the weather in Porto and Lima?"}]
                if streaming:
                    with self.client.chat.completions.stream(model=model, messages=turns, tools=self.TOOLS) as stream:
                        message = stream.get_final_completion().choices[0].message
                else:
                    message = self.client.chat.completions.create(model=model, messages=turns, tools=self.TOOLS).choices[0].message
                self.assertEqual([json.loads(c.function.arguments) for c in message.tool_calls], [{"city": "Porto"}, {"city": "Lima"}])
                turns.append({"role": "assistant", "content": message.content, "tool_calls": [c.model_dump(include={"id", "type"}) | {
                    "function": {"name": c.function.name, "arguments": c.function.arguments}} for c in message.tool_calls]})
                turns += [{"role": "tool", "tool_call_id": c.id, "content": RESULTS[json.loads(c.function.arguments)["city"]]} for c in message.tool_calls]
                reply = self.client.chat.completions.create(model=model, messages=turns, tools=self.TOOLS)
                self.assertEqual(reply.choices[0].message.content, TOLD)

    def test_chat_with_an_image_a_schema_and_an_effort(self):
        for model in self.each():
            image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + PIXEL}}
            self.assertEqual(self.chat(model, [image, {"type": "text", "text": "What?"}]).choices[0].message.content, "I see a picture.")
            parsed = self.client.chat.completions.parse(model=model, messages=[{"role": "user", "content": "Who is Ada?"}], response_format=Person)
            self.assertEqual(parsed.choices[0].message.parsed, Person(name="Ada", age=36))
        self.assertEqual(self.chat("claude", reasoning_effort="low").choices[0].message.reasoning_content, "Let me see.")

    def test_responses_and_their_streams(self):
        for model in self.each():
            reply = self.client.responses.create(model=model, input="Say hello.")
            self.assertEqual((reply.output_text, reply.status, reply.usage.total_tokens), (f"Hello, {REAL[model]}.", "completed", 30))
            with self.client.responses.stream(model=model, input="Say hello.") as stream:
                text = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
                final = stream.get_final_response()
            self.assertEqual((text, final.output_text), (f"Hello, {REAL[model]}.",) * 2)

    def test_responses_with_two_tools_at_once(self):
        tools = [{"type": "function", "name": "get_weather", "description": "The weather", "parameters": SCHEMA, "strict": False}]
        for model in self.each():
            for streaming in (False, True):
                items = [{"role": "user", "content": "How is the weather in Porto and Lima?"}]
                if streaming:
                    with self.client.responses.stream(model=model, input=items, tools=tools, store=False) as stream:
                        first = stream.get_final_response()
                else:
                    first = self.client.responses.create(model=model, input=items, tools=tools, store=False)
                calls = [item for item in first.output if item.type == "function_call"]
                self.assertEqual([json.loads(call.arguments) for call in calls], [{"city": "Porto"}, {"city": "Lima"}])
                items += [item.model_dump(exclude_none=True) for item in first.output]
                items += [{"type": "function_call_output", "call_id": c.call_id, "output": RESULTS[json.loads(c.arguments)["city"]]} for c in calls]
                self.assertEqual(self.client.responses.create(model=model, input=items, tools=tools, store=False).output_text, TOLD)

    def test_responses_with_a_schema_and_reasoning_that_goes_back(self):
        for model in self.each():
            self.assertEqual(self.client.responses.parse(model=model, input="Who is Ada?", text_format=Person).output_parsed, Person(name="Ada", age=36))
        items = [{"role": "user", "content": "Say hello."}]
        first = self.client.responses.create(model="claude", input=items, reasoning={"effort": "low"}, store=False, include=["reasoning.encrypted_content"])
        self.assertEqual([item.type for item in first.output], ["reasoning", "message"])
        items += [item.model_dump(exclude_none=True) for item in first.output] + [{"role": "user", "content": "Say it again."}]
        for model in ("claude", "native", "gpt"):  # only the first of them may see the reasoning
            self.assertEqual(self.client.responses.create(model=model, input=items, store=False).output_text, f"Hello, {REAL[model]}.")
        sent = [body for path, body in zip(self.upstream.paths(), self.upstream.bodies()) if path == "/v1/messages"][-1]
        self.assertEqual(sent["messages"][1]["content"][0], {"type": "thinking", "thinking": "Let me see.", "signature": brain.SIGNATURE})

    def test_responses_that_follow_others_by_id(self):
        for model in self.each(("gpt", "claude")):
            tools = [{"type": "function", "name": "get_weather", "parameters": SCHEMA, "strict": False}]
            first = self.client.responses.create(model=model, input="How is the weather in Porto and Lima?", tools=tools)
            self.assertTrue(first.store)
            results = [{"type": "function_call_output", "call_id": c.call_id, "output": RESULTS[json.loads(c.arguments)["city"]]}
                       for c in first.output if c.type == "function_call"]
            with self.client.responses.stream(model=model, input=results, tools=tools, previous_response_id=first.id) as stream:
                second = stream.get_final_response()
            self.assertEqual(second.output_text, TOLD)
            third = self.client.responses.create(model=model, input="Say hello.", previous_response_id=second.id)
            self.assertEqual(third.output_text, f"Hello, {REAL[model]}.")
            unkept = self.client.responses.create(model=model, input="Say hello.", store=False)
            with self.assertRaises(openai.BadRequestError):
                self.client.responses.create(model=model, input="Again.", previous_response_id=unkept.id)

    def test_embeddings(self):
        self.assertEqual([d.embedding for d in self.client.embeddings.create(model="embed", input=["a", "b"], encoding_format="float").data],
                         [[0.25, -0.5]] * 2)

    def test_errors(self):
        for model in self.each():
            for call in (lambda: self.chat(model, "[[429]]"), lambda: self.client.responses.create(model=model, input="[[429]]")):
                with self.assertRaises(openai.RateLimitError) as raised:
                    call()
                self.assertIn("slow down", str(raised.exception))
            with self.assertRaises(Exception):
                list(self.chat(model, "[[cut]]", stream=True))
        with self.assertRaises(openai.BadRequestError) as raised:
            self.client.responses.create(model="gpt", input="hi", previous_response_id="resp_1")
        self.assertIn("previous_response_id", str(raised.exception))


class LiteLlm(Client):
    TOOLS = OpenAiClient.TOOLS

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        import litellm
        litellm.telemetry, litellm.suppress_debug_info = False, True
        litellm.drop_params = True
        cls.litellm = litellm

    def ask(self, model, provider, turns, **more):
        base = self.url + ("/v1" if provider == "openai" else "")
        return self.litellm.completion(model=f"{provider}/{model}", api_base=base, api_key="sk-anything", messages=turns, num_retries=0, timeout=30, **more)

    def test_both_of_its_providers_answer_and_stream(self):
        for model in self.each():
            for provider in ("openai", "anthropic"):
                turns = [{"role": "user", "content": "Say hello."}]
                reply = self.ask(model, provider, turns)
                self.assertEqual(reply.choices[0].message.content, f"Hello, {REAL[model]}.")
                self.assertEqual(reply.usage.prompt_tokens, 20)
                chunks = list(self.ask(model, provider, turns, stream=True))
                self.assertEqual("".join(c.choices[0].delta.content or "" for c in chunks if c.choices), f"Hello, {REAL[model]}.")

    def test_two_tools_at_once(self):
        for model in self.each():
            for provider in ("openai", "anthropic"):
                turns = [{"role": "user", "content": "How is the weather in Porto and Lima?"}]
                message = self.litellm.stream_chunk_builder(
                    list(self.ask(model, provider, turns, tools=self.TOOLS, stream=True)), messages=turns).choices[0].message
                self.assertEqual([json.loads(c.function.arguments) for c in message.tool_calls], [{"city": "Porto"}, {"city": "Lima"}])
                turns.append(message.model_dump(include={"role", "content", "tool_calls"}))
                turns += [{"role": "tool", "tool_call_id": c.id, "content": RESULTS[json.loads(c.function.arguments)["city"]]} for c in message.tool_calls]
                self.assertEqual(self.ask(model, provider, turns, tools=self.TOOLS).choices[0].message.content, TOLD)


if __name__ == "__main__":
    unittest.main(verbosity=2)
