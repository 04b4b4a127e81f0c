// The unmodified Node client (npm `openai`) against `rung serve` in front of `rung replay`.
//
// usage: with_gateway.py node openai_node_test.mjs [NAME...]; GATEWAY_URL and REPLAY_URL name the two programs, CLIENTS
// the folder of tests/clients/install (build/clients). Prints one line for each test; exit 1 if one failed.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const require = createRequire(path.join(process.env.CLIENTS, "node", "package.json"));
const load = (name) => import(pathToFileURL(require.resolve(name)).href);
const openai = await load("openai");
const OpenAI = openai.default ?? openai.OpenAI;
const { zodResponseFormat } = await load("openai/helpers/zod");
const { z } = await load("zod");

const url = process.env.GATEWAY_URL;
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "sk-anything", maxRetries: 0, timeout: 30_000 });
const tests = [];
const test = (name, run) => tests.push({ name, run });
const user = (content) => [{ role: "user", content }];
const ask = (content, more = {}) => client.chat.completions.create({ model: "auto", messages: user(content), ...more });
const EASY = "What is 17 + 26?";
const WEATHER = [{ type: "function", function: { name: "get_weather", description: "The weather in a city", parameters: {
  type: "object", properties: { city: { type: "string" } }, required: ["city"] } } }];
const stats = async () => (await fetch(`${process.env.REPLAY_URL}/stats`)).json();

test("chat_answers_with_content_and_usage", async () => {
  const reply = await ask(EASY);
  assert.equal(reply.choices[0].message.content, "43");
  assert.ok(reply.usage.prompt_tokens > 0);
  assert.match(reply.model, /^rung-/);
});

test("chat_with_response_shows_the_decision", async () => {
  const { data, response } = await client.chat.completions.create({ model: "auto", messages: user(EASY) }).withResponse();
  const named = [...response.headers].filter(([name]) => name.startsWith("x-rung-"));
  assert.ok(named.some(([name]) => name.includes("decision")), JSON.stringify(named));
  assert.ok(named.some(([, value]) => value === data.model), JSON.stringify(named));
});

test("stream_has_content_and_no_usage_unless_asked", async () => {
  let text = "", last = null;
  for await (const chunk of await ask(EASY, { stream: true })) {
    assert.equal(chunk.choices.length, 1);
    assert.ok(chunk.usage == null);
    text += chunk.choices[0].delta.content ?? "";
    last = chunk.choices[0].finish_reason ?? last;
  }
  assert.equal(text, "43");
  assert.equal(last, "stop");
});

test("stream_ends_with_one_usage_chunk_when_asked", async () => {
  const chunks = [];
  for await (const chunk of await ask(EASY, { stream: true, stream_options: { include_usage: true } })) chunks.push(chunk);
  assert.equal(chunks.filter((chunk) => chunk.usage).length, 1);
  assert.deepEqual(chunks.at(-1).choices, []);
  assert.ok(chunks.at(-1).usage.completion_tokens > 0);
});

test("stream_helper_collects_the_final_message", async () => {
  const stream = client.chat.completions.stream({ model: "auto", messages: user(EASY) });
  assert.equal(await stream.finalContent(), "43");
});

test("tool_call_without_streaming", async () => {
  const reply = await ask("What is the weather in Porto?", { tools: WEATHER, tool_choice: "required" });
  assert.equal(reply.choices[0].finish_reason, "tool_calls");
  const call = reply.choices[0].message.tool_calls[0];
  assert.equal(call.function.name, "get_weather");
  assert.ok("city" in JSON.parse(call.function.arguments));
});

test("tool_call_in_a_stream", async () => {
  const stream = client.chat.completions.stream({ model: "auto", messages: user("What is the weather in Porto?"), tools: WEATHER, tool_choice: "required" });
  const message = await stream.finalMessage();
  assert.equal(message.tool_calls.length, 1);
  assert.equal(message.tool_calls[0].function.name, "get_weather");
  assert.ok("city" in JSON.parse(message.tool_calls[0].function.arguments));
});

test("structured_output_by_schema", async () => {
  const schema = { type: "object", additionalProperties: false, required: ["name", "age"], properties: { name: { type: "string" }, age: { type: "integer" } } };
  const reply = await ask("Who is Ada?", { response_format: { type: "json_schema", json_schema: { name: "person", strict: true, schema } } });
  assert.deepEqual(Object.keys(JSON.parse(reply.choices[0].message.content)).sort(), ["age", "name"]);
});

test("structured_output_by_the_parse_helper", async () => {
  const person = z.object({ name: z.string(), age: z.number() });
  const reply = await client.chat.completions.parse({ model: "auto", messages: user("Who is Ada?"), response_format: zodResponseFormat(person, "person") });
  assert.equal(typeof reply.choices[0].message.parsed.age, "number");
});

test("unknown_model_is_not_found", async () => {
  await assert.rejects(ask("hi", { model: "no-such-model" }), (error) => error instanceof OpenAI.NotFoundError && error.code === "model_not_found");
});

test("bad_request_is_said_to_be_one", async () => {
  await assert.rejects(client.chat.completions.create({ model: "auto", messages: [] }), (error) => error instanceof OpenAI.BadRequestError);
});

test("upstream_429_is_a_rate_limit_error_with_its_retry_after", async () => {
  await assert.rejects(ask("[[fault:429]] hello", { model: "rung-small" }),
    (error) => error instanceof OpenAI.RateLimitError && Boolean(error.headers.get("retry-after")));
});

test("upstream_500_is_an_internal_server_error", async () => {
  await assert.rejects(ask("[[fault:500]] hello", { model: "rung-small" }), (error) => error instanceof OpenAI.InternalServerError);
});

test("a_cut_stream_is_an_error", async () => {
  await assert.rejects(async () => {
    for await (const chunk of await ask("[[fault:cut]] hello", { model: "rung-small", stream: true })) void chunk;
  });
});

test("leaving_a_stream_cancels_upstream", async () => {
  const before = (await stats()).aborted;
  const stream = await ask("[[fault:slow]] Write a long story about a lighthouse.", { model: "rung-small", stream: true });
  for await (const chunk of stream) { void chunk; break; }
  stream.controller.abort();
  for (let wait = 0; wait < 100; ++wait) {
    if ((await stats()).aborted > before) return;
    await new Promise((done) => setTimeout(done, 50));
  }
  assert.fail("the upstream call went on for 5 s");
});

test("models_are_listed", async () => {
  const names = [];
  for await (const model of await client.models.list()) names.push(model.id);
  assert.deepEqual(names.sort(), ["auto", "rung-large", "rung-medium", "rung-small"]);
});

test("feedback_by_decision_id", async () => {
  const { response } = await client.chat.completions.create({ model: "auto", messages: user(EASY) }).withResponse();
  const decision = [...response.headers].find(([name]) => name.startsWith("x-rung-decision"))[1];
  await client.post("/feedback", { body: { decision_id: decision, score: 1 } });
});

test("twenty_questions_at_once", async () => {
  const replies = await Promise.all(Array.from({ length: 20 }, () => ask(EASY)));
  assert.ok(replies.every((reply) => reply.choices[0].message.content === "43"));
});

const wanted = process.argv.slice(2);
let failed = wanted.some((name) => !tests.some((t) => t.name === name)) ? 1 : 0;
for (const { name, run } of tests.filter((t) => wanted.length === 0 || wanted.includes(t.name))) {
  try {
    await run();
    console.log(`ok ${name}`);
  } catch (error) {
    ++failed;
    console.log(`FAILED ${name}\n${error?.stack ?? error}`);
  }
}
process.exit(failed ? 1 : 0);
