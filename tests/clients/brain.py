"""An upstream with a script instead of a mind, in three dialects; it is as strict about what it is sent as the real ones are.

It calls get_weather for Porto and Lima at once where it is offered and nothing came back yet, then tells what came back; it
answers a JSON schema with {"name": "Ada", "age": 36}; it thinks where it is asked to; else it says "Hello, <name of the model>."
"""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from dialects import DONE, chat_chunk, sse  # noqa: E402

SIGNATURE = "EqQBCkgIAhABGAI="  # what the thinking of its Messages side is signed with


class Refusal(Exception):
    pass


def need(condition, sentence):
    if not condition:
        raise Refusal(sentence)


class Seen:
    """What a request says, whatever its dialect."""

    def __init__(self):
        self.words, self.results, self.tools, self.schema, self.thinks, self.image = "", [], [], None, False, False
        self.calls = []  # ids of the calls so far

    def result(self, call, text):
        need(call in self.calls, f"there is no call {call!r}")
        self.results.append(text)


def texts(content, kinds):
    if isinstance(content, str):
        return content
    for part in content or []:
        need(part.get("type") in kinds, f"a part of type {part.get('type')!r}")
    return " ".join(part["text"] for part in content or [] if "text" in part)


def read_chat(body):
    need(set(body) <= {"model", "messages", "max_tokens", "max_completion_tokens", "temperature", "top_p", "stop", "tools", "tool_choice",
                       "parallel_tool_calls", "user", "stream", "stream_options", "response_format", "reasoning_effort", "n",
                       "frequency_penalty", "presence_penalty", "seed", "store", "metadata", "logprobs", "top_logprobs"}, f"unknown field among {sorted(body)}")
    seen, waiting = Seen(), []
    for message in body["messages"]:
        role, content = message["role"], message.get("content")
        need(role in ("system", "developer", "user", "assistant", "tool"), f"role {role}")
        need(not waiting or role == "tool", f"calls {waiting} have no result")
        need("reasoning_content" not in message or body["model"] == "real-thinker", "reasoning_content is not taken here")
        if role == "user":
            seen.words, seen.results = texts(content, ("text", "image_url", "file")), []
            seen.image = not isinstance(content, str) and any(p["type"] == "image_url" and p["image_url"]["url"] for p in content)
        elif role == "assistant":
            need(content or message.get("tool_calls"), "an empty message of the assistant")
            waiting = [call["id"] for call in message.get("tool_calls", [])]
            seen.calls += waiting
            for call in message.get("tool_calls", []):
                json.loads(call["function"]["arguments"])
        elif role == "tool":
            seen.result(message["tool_call_id"], texts(content, ("text",)))
            waiting.remove(message["tool_call_id"])
    seen.tools = [tool["function"]["name"] for tool in body.get("tools", [])]
    shape = body.get("response_format") or {}
    seen.schema = shape["json_schema"]["schema"] if shape.get("type") == "json_schema" else None
    seen.thinks = body.get("reasoning_effort") is not None
    return seen


def read_messages(body):
    need(set(body) <= {"model", "messages", "max_tokens", "system", "temperature", "top_p", "top_k", "stop_sequences", "tools", "tool_choice",
                       "metadata", "stream", "thinking", "output_config", "context_management"}, f"unknown field among {sorted(body)}")
    need(isinstance(body.get("max_tokens"), int), "max_tokens: Field required")
    seen, waiting = Seen(), []
    for message in body["messages"]:
        need(message["role"] in ("user", "assistant", "system"), f"role {message['role']}")
        content = message["content"]
        if message["role"] == "system":  # Claude Code says so what changes on the way
            texts(content, ("text",))
            continue
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        need(blocks, "messages: content must not be empty")
        for block in blocks:
            need(block["type"] != "text" or block["text"], "text content blocks must be non-empty")
        if message["role"] == "assistant":
            need(not waiting, f"tool_use {waiting} without tool_result")
            for block in blocks:
                if block["type"] == "thinking":
                    need(block["signature"] == SIGNATURE, f"Invalid `signature` {block['signature']!r} in `thinking` block")
                if block["type"] == "tool_use":
                    need(isinstance(block["input"], dict), "input must be an object")
                    waiting.append(block["id"])
            seen.calls += waiting
            continue
        for block in blocks:
            if block["type"] == "tool_result":
                seen.result(block["tool_use_id"], texts(block.get("content"), ("text", "image")))
                waiting.remove(block["tool_use_id"])
            elif block["type"] == "text":
                seen.words, seen.results = block["text"], seen.results if any(b["type"] == "tool_result" for b in blocks) else []
            elif block["type"] == "image":
                need(block["source"]["type"] in ("base64", "url"), "image source")
                seen.image = True
            else:
                need(block["type"] == "document", f"a block of type {block['type']}")
        need(not waiting, f"tool_use {waiting} without tool_result")
    for tool in body.get("tools", []):
        need(tool["input_schema"]["type"] == "object", "input_schema")
    seen.tools = [tool["name"] for tool in body.get("tools", [])]
    config = body.get("output_config") or {}
    seen.schema = config["format"]["schema"] if config.get("format") else None
    seen.thinks = (body.get("thinking") or {}).get("type") in ("enabled", "adaptive")
    need(not seen.thinks or body.get("temperature", 1) == 1, "temperature must be 1 with thinking")
    return seen


def read_responses(body):
    seen = Seen()
    items = [{"role": "user", "content": body["input"]}] if isinstance(body["input"], str) else body["input"]
    for item in items:
        kind = item.get("type", "message")
        if kind == "message" and item["role"] == "user":
            seen.words, seen.results = texts(item["content"], ("input_text", "input_image")), []
            seen.image = not isinstance(item["content"], str) and any(p["type"] == "input_image" for p in item["content"])
        elif kind == "function_call":
            seen.calls.append(item["call_id"])
        elif kind == "function_call_output":
            seen.result(item["call_id"], item["output"])
        elif kind == "reasoning":
            need(not item.get("encrypted_content", "").startswith("rung-"), "encrypted_content cannot be read")
    seen.tools = [tool["name"] for tool in body.get("tools", []) if tool["type"] == "function"]
    shape = (body.get("text") or {}).get("format") or {}
    seen.schema = shape.get("schema")
    return seen


class Answer:
    def __init__(self, model, seen):
        self.text, self.calls, self.thinking = f"Hello, {model}.", [], "Let me see." if seen.thinks else ""
        if seen.results:
            self.text = "It is " + " and ".join(seen.results) + "."
        elif "get_weather" in seen.tools:
            self.text = "I will look."
            self.calls = [("call_1", "get_weather", {"city": "Porto"}), ("call_2", "get_weather", {"city": "Lima"})]
        elif seen.schema:
            self.text = json.dumps({"name": "Ada", "age": 36})
        elif seen.image:
            self.text = "I see a picture."
        self.model = model


def pieces(text):
    return [text[i:i + 4] for i in range(0, len(text), 4)]


def chat_whole(a):
    message = {"role": "assistant", "content": a.text, "refusal": None}
    if a.thinking:
        message["reasoning_content"] = a.thinking
    if a.calls:
        message["tool_calls"] = [{"id": i, "type": "function", "function": {"name": n, "arguments": json.dumps(v)}} for i, n, v in a.calls]
    return {"id": "chatcmpl-9", "object": "chat.completion", "created": 1700000000, "model": a.model,
            "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls" if a.calls else "stop"}],
            "usage": {"prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30, "prompt_tokens_details": {"cached_tokens": 8}}}


def chat_stream(a, usage):
    events = [chat_chunk({"role": "assistant", "content": ""})]
    events += [chat_chunk({"reasoning_content": p}) for p in pieces(a.thinking)]
    events += [chat_chunk({"content": p}) for p in pieces(a.text)]
    for index, (call, name, arguments) in enumerate(a.calls):
        events.append(chat_chunk({"tool_calls": [{"index": index, "id": call, "type": "function", "function": {"name": name, "arguments": ""}}]}))
        events += [chat_chunk({"tool_calls": [{"index": index, "function": {"arguments": p}}]}) for p in pieces(json.dumps(arguments))]
    events.append(chat_chunk({}, "tool_calls" if a.calls else "stop"))
    if usage:
        events.append(chat_chunk(usage=chat_whole(a)["usage"]))
    return sse(*events, DONE)


def messages_whole(a):
    content = [{"type": "thinking", "thinking": a.thinking, "signature": SIGNATURE}] if a.thinking else []
    content += [{"type": "text", "text": a.text}] + [{"type": "tool_use", "id": i, "name": n, "input": v} for i, n, v in a.calls]
    return {"id": "msg_9", "type": "message", "role": "assistant", "model": a.model, "content": content,
            "stop_reason": "tool_use" if a.calls else "end_turn", "stop_sequence": None,
            "usage": {"input_tokens": 12, "cache_read_input_tokens": 8, "cache_creation_input_tokens": 0, "output_tokens": 10}}


def messages_stream(a):
    whole = messages_whole(a)
    events = [{"type": "message_start", "message": {**whole, "content": [], "stop_reason": None, "usage": {**whole["usage"], "output_tokens": 1}}},
              {"type": "ping"}]
    for index, block in enumerate(whole["content"]):
        if block["type"] == "thinking":
            opened, deltas = {"type": "thinking", "thinking": "", "signature": ""}, [{"type": "thinking_delta", "thinking": p} for p in pieces(a.thinking)]
            deltas.append({"type": "signature_delta", "signature": SIGNATURE})
        elif block["type"] == "text":
            opened, deltas = {"type": "text", "text": ""}, [{"type": "text_delta", "text": p} for p in pieces(block["text"])]
        else:
            opened = {**block, "input": {}}
            deltas = [{"type": "input_json_delta", "partial_json": p} for p in [""] + pieces(json.dumps(block["input"]))]
        events.append({"type": "content_block_start", "index": index, "content_block": opened})
        events += [{"type": "content_block_delta", "index": index, "delta": d} for d in deltas]
        events.append({"type": "content_block_stop", "index": index})
    events.append({"type": "message_delta", "delta": {"stop_reason": whole["stop_reason"], "stop_sequence": None}, "usage": {"output_tokens": 10}})
    return sse(*events, {"type": "message_stop"})


def responses_whole(a):
    output = [{"id": "msg_9", "type": "message", "status": "completed", "role": "assistant",
               "content": [{"type": "output_text", "text": a.text, "annotations": [], "logprobs": []}]}]
    output += [{"id": "fc_" + i, "type": "function_call", "status": "completed", "call_id": i, "name": n, "arguments": json.dumps(v)} for i, n, v in a.calls]
    return {"id": "resp_9", "object": "response", "created_at": 1700000000, "status": "completed", "model": a.model, "output": output, "error": None,
            "incomplete_details": None, "instructions": None, "metadata": {}, "parallel_tool_calls": True, "temperature": 1.0, "top_p": 1.0,
            "tool_choice": "auto", "tools": [], "text": {"format": {"type": "text"}},
            "usage": {"input_tokens": 20, "input_tokens_details": {"cached_tokens": 8}, "output_tokens": 10,
                      "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 30}}


def responses_stream(a):
    whole = responses_whole(a)
    started = {**whole, "status": "in_progress", "output": [], "usage": None}
    events = [{"type": "response.created", "response": started}, {"type": "response.in_progress", "response": started}]
    for index, item in enumerate(whole["output"]):
        where = {"item_id": item["id"], "output_index": index}
        is_text = item["type"] == "message"
        empty = {**item, "status": "in_progress", **({"content": []} if is_text else {"arguments": ""})}
        events.append({"type": "response.output_item.added", "output_index": index, "item": empty})
        if is_text:
            part = {"content_index": 0, "part": {"type": "output_text", "text": "", "annotations": [], "logprobs": []}}
            events.append({"type": "response.content_part.added", **where, **part})
            events += [{"type": "response.output_text.delta", **where, "content_index": 0, "delta": p, "logprobs": []} for p in pieces(a.text)]
            events.append({"type": "response.output_text.done", **where, "content_index": 0, "text": a.text, "logprobs": []})
            events.append({"type": "response.content_part.done", **where, "content_index": 0, "part": item["content"][0]})
        else:
            events += [{"type": "response.function_call_arguments.delta", **where, "delta": p} for p in pieces(item["arguments"])]
            events.append({"type": "response.function_call_arguments.done", **where, "arguments": item["arguments"], "name": item["name"]})
        events.append({"type": "response.output_item.done", "output_index": index, "item": item})
    events.append({"type": "response.completed", "response": whole})
    return sse(*({**event, "sequence_number": number} for number, event in enumerate(events)))


def reply(path, body, script=None):
    """For dialects.Scripted. `script(answer, seen)` changes the answer before it is sent."""
    path = path.split("?")[0]
    is_messages = path.startswith("/v1/messages")
    try:
        if path.endswith("/count_tokens"):
            return {"input_tokens": 42}
        if path.endswith("/embeddings"):
            count = 1 if isinstance(body["input"], str) else len(body["input"])
            return {"object": "list", "model": body["model"], "usage": {"prompt_tokens": 4, "total_tokens": 4},
                    "data": [{"object": "embedding", "index": i, "embedding": [0.25, -0.5]} for i in range(count)]}
        seen = (read_messages if is_messages else read_responses if path.endswith("/responses") else read_chat)(body)
    except Refusal as refusal:
        error = {"message": str(refusal), "type": "invalid_request_error"}
        return 400, ({"type": "error", "error": error} if is_messages else {"error": {**error, "param": None, "code": None}})
    if "[[429]]" in seen.words:
        error = {"message": "slow down", "type": "rate_limit_error"}
        return 429, ({"type": "error", "error": error} if is_messages else {"error": {**error, "param": None, "code": None}})
    a = Answer(body["model"], seen)
    if script:
        script(a, seen)
    stream = body.get("stream")
    if is_messages:
        whole = messages_stream(a) if stream else messages_whole(a)
    elif path.endswith("/responses"):
        whole = responses_stream(a) if stream else responses_whole(a)
    else:
        whole = chat_stream(a, (body.get("stream_options") or {}).get("include_usage")) if stream else chat_whole(a)
    if isinstance(whole, bytes) and "[[cut]]" in seen.words:
        return [whole[:len(whole) // 2], None]
    return [whole[i:i + 333] for i in range(0, len(whole), 333)] if isinstance(whole, bytes) else whole
