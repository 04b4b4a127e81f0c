// Unmodified Node clients (npm `@anthropic-ai/sdk`, `openai`, `ai` with two providers, `@langchain/openai`) against `rung serve`,
// each in front of upstreams of every dialect.
//
// usage: with_brain.py node_sdks node sdks_node_test.mjs [NAME...]; GATEWAY_URL names the gateway, CLIENTS the folder of
// tests/clients/install (build/clients). Prints one line for each test; exit 1 if one failed.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const require = createRequire(path.join(process.env.CLIENTS, "node_sdks", "package.json"));
const load = (name) => import(pathToFileURL(require.resolve(name)).href);
const { z } = await load("zod");

globalThis.AI_SDK_LOG_WARNINGS = false;
const url = process.env.GATEWAY_URL;
const tests = [];
const test = (name, run) => tests.push({ name, run });
const models = { gpt: "real-gpt", claude: "real-claude", native: "real-native" };
const RESULTS = { Porto: "rainy in Porto", Lima: "dry in Lima" };
const TOLD = "It is rainy in Porto and dry in Lima.";
const WEATHER = "How is the weather in Porto and Lima?";
const SCHEMA = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const person = z.object({ name: z.string(), age: z.number() });
const each = async (run) => {
  for (const model of Object.keys(models)) {
    try {
      await run(model, `Hello, ${models[model]}.`);
    } catch (error) {
      error.message = `${model}: ${error.message}`;
      throw error;
    }
  }
};

const anthropic = async () => {
  const module = await load("@anthropic-ai/sdk");
  return new (module.default ?? module.Anthropic)({ baseURL: url, apiKey: "sk-anything", maxRetries: 0, timeout: 30_000 });
};

test("anthropic_answers_and_streams", async () => {
  const client = await anthropic();
  await each(async (model, hello) => {
    const asked = { model, max_tokens: 64, messages: [{ role: "user", content: "Say hello." }] };
    const reply = await client.messages.create(asked);
    assert.equal(reply.content[0].text, hello);
    assert.equal(reply.usage.cache_read_input_tokens, 8);
    const streamed = await client.messages.stream(asked).finalMessage();
    assert.equal(streamed.content[0].text, hello);
    assert.equal(streamed.stop_reason, "end_turn");
    assert.equal(streamed.usage.output_tokens, 10);
  });
});

test("anthropic_calls_two_tools_at_once", async () => {
  const client = await anthropic();
  await each(async (model) => {
    const messages = [{ role: "user", content: WEATHER }];
    const asked = { model, max_tokens: 64, messages, tools: [{ name: "get_weather", description: "d", input_schema: SCHEMA }] };
    const first = await client.messages.stream(asked).finalMessage();
    const calls = first.content.filter((block) => block.type === "tool_use");
    assert.deepEqual(calls.map((call) => call.input), [{ city: "Porto" }, { city: "Lima" }]);
    messages.push({ role: "assistant", content: first.content },
      { role: "user", content: calls.map((call) => ({ type: "tool_result", tool_use_id: call.id, content: RESULTS[call.input.city] })) });
    assert.equal((await client.messages.create(asked)).content[0].text, TOLD);
  });
});

test("anthropic_errors_are_its_own", async () => {
  const client = await anthropic();
  const { default: Anthropic } = await load("@anthropic-ai/sdk");
  const ask = (model, content) => client.messages.create({ model, max_tokens: 64, messages: [{ role: "user", content }] });
  await each(async (model) => {
    await assert.rejects(ask(model, "[[429]]"), (error) => error instanceof Anthropic.RateLimitError && error.message.includes("slow down"));
    await assert.rejects(client.messages.stream({ model, max_tokens: 64, messages: [{ role: "user", content: "[[cut]]" }] }).finalMessage());
  });
  await assert.rejects(ask("nobody", "hi"), (error) => error instanceof Anthropic.NotFoundError);
});

test("openai_responses_answer_and_stream", async () => {
  const module = await load("openai");
  const client = new (module.default ?? module.OpenAI)({ baseURL: `${url}/v1`, apiKey: "sk-anything", maxRetries: 0, timeout: 30_000 });
  await each(async (model, hello) => {
    assert.equal((await client.responses.create({ model, input: "Say hello." })).output_text, hello);
    const stream = client.responses.stream({ model, input: "Say hello." });
    assert.equal((await stream.finalResponse()).output_text, hello);
  });
});

const providers = async () => {
  const { createOpenAI } = await load("@ai-sdk/openai");
  const { createAnthropic } = await load("@ai-sdk/anthropic");
  const openai = createOpenAI({ baseURL: `${url}/v1`, apiKey: "sk-anything" });
  const claude = createAnthropic({ baseURL: `${url}/v1`, apiKey: "sk-anything" });
  return { chat: (model) => openai.chat(model), responses: (model) => openai.responses(model), anthropic: (model) => claude(model) };
};
const with_providers = async (run) => {
  const ai = await load("ai");
  for (const [name, make] of Object.entries(await providers()))
    await each(async (model, hello) => {
      try {
        await run(ai, make(model), hello, name);
      } catch (error) {
        error.message = `${name}: ${error.message}`;
        throw error;
      }
    });
};

test("vercel_ai_answers_and_streams", () => with_providers(async (ai, model, hello) => {
  const reply = await ai.generateText({ model, prompt: "Say hello.", maxRetries: 0 });
  assert.equal(reply.text, hello);
  assert.equal(reply.finishReason, "stop");
  assert.equal(reply.usage.outputTokens, 10);
  const streamed = ai.streamText({ model, prompt: "Say hello.", maxRetries: 0 });
  let text = "";
  for await (const piece of streamed.textStream) text += piece;
  assert.equal(text, hello);
  assert.equal(await streamed.finishReason, "stop");
}));

test("vercel_ai_goes_through_two_tools_at_once", () => with_providers(async (ai, model) => {
  const tools = { get_weather: ai.tool({ description: "d", inputSchema: z.object({ city: z.string() }), execute: async ({ city }) => RESULTS[city] }) };
  // By default the Responses provider refers to items by their ids; with store: false it sends them.
  for (const providerOptions of [{}, { openai: { store: false } }]) {
    const reply = await ai.generateText({ model, prompt: WEATHER, tools, stopWhen: ai.stepCountIs(3), maxRetries: 0, providerOptions });
    assert.equal(reply.text, TOLD);
  }
  const streamed = ai.streamText({ model, prompt: WEATHER, tools, stopWhen: ai.stepCountIs(3), maxRetries: 0 });
  let text = "";
  for await (const piece of streamed.textStream) text += piece;
  assert.ok(text.endsWith(TOLD), text);
}));

test("vercel_ai_makes_objects", () => with_providers(async (ai, model, hello, provider) => {
  // The provider of Anthropic knows by their names which models take schemas, and uses a tool for others.
  if (provider === "anthropic") return;
  const reply = await ai.generateObject({ model, prompt: "Who is Ada?", schema: person, maxRetries: 0 });
  assert.deepEqual(reply.object, { name: "Ada", age: 36 });
}));

test("langchain_answers_streams_and_calls_tools", async () => {
  if (Number(process.versions.node.split(".")[0]) < 20) {
    console.log("SKIPPED: @langchain/openai needs Node 20");
    process.exit(77);
  }
  const { ChatOpenAI } = await load("@langchain/openai");
  const { tool } = await load("@langchain/core/tools");
  const { HumanMessage, ToolMessage } = await load("@langchain/core/messages");
  for (const useResponsesApi of [false, true]) await each(async (name, hello) => {
    const model = new ChatOpenAI({ model: name, apiKey: "sk-anything", configuration: { baseURL: `${url}/v1` }, maxRetries: 0, useResponsesApi });
    assert.equal((await model.invoke("Say hello.")).text, hello);
    let text = "", usage = null;
    for await (const chunk of await model.stream("Say hello.")) {
      text += chunk.text;
      usage = chunk.usage_metadata ?? usage;
    }
    assert.equal(text, hello);
    assert.equal(usage.output_tokens, 10);
    const weather = tool(async ({ city }) => RESULTS[city], { name: "get_weather", description: "d", schema: z.object({ city: z.string() }) });
    const messages = [new HumanMessage(WEATHER)];
    const first = await model.bindTools([weather]).invoke(messages);
    assert.deepEqual(first.tool_calls.map((call) => call.args), [{ city: "Porto" }, { city: "Lima" }]);
    messages.push(first, ...first.tool_calls.map((call) => new ToolMessage({ tool_call_id: call.id, content: RESULTS[call.args.city] })));
    assert.equal((await model.bindTools([weather]).invoke(messages)).text, TOLD);
    const made = await model.withStructuredOutput(person, { name: "person", method: "jsonSchema" }).invoke("Who is Ada?");
    assert.deepEqual(made, { name: "Ada", age: 36 });
  });
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
