"""What the tests of the dialects share: an upstream that answers as a script says, in any dialect, and a gateway in front of it."""
import json
import re
import socket
import sqlite3
import unittest

import world


def sse(*events):
    """Bytes of a stream: each event is a dict (its `type` names it), a (name, dict) pair, or text that is sent as it is."""
    out = b""
    for event in events:
        if isinstance(event, (str, bytes)):
            out += event.encode() if isinstance(event, str) else event
            continue
        name, data = event if isinstance(event, tuple) else (event.get("type"), event)
        out += (f"event: {name}\n" if name else "").encode() + b"data: " + json.dumps(data).encode() + b"\n\n"
    return out


def chat_chunk(delta=None, finish=None, index=0, **more):
    choices = [] if delta is None else [{"index": index, "delta": delta, "finish_reason": finish}]
    return (None, {"id": "chatcmpl-9", "object": "chat.completion.chunk", "created": 1700000000, "model": "real-gpt", "choices": choices, **more})


DONE = "data: [DONE]\n\n"
GPT = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1700000000, "model": "real-gpt", "choices": [
    {"index": 0, "message": {"role": "assistant", "content": "Hello."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11, "prompt_tokens_details": {"cached_tokens": 3}}}
CLAUDE = {"id": "msg_1", "type": "message", "role": "assistant", "model": "real-claude", "content": [{"type": "text", "text": "Hello."}],
          "stop_reason": "end_turn", "stop_sequence": None, "x_new": [1e21], "usage": {
              "input_tokens": 10, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 20, "output_tokens": 5,
              "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 0}}}


def message_events(*blocks, stop="end_turn", usage=None, start_usage=None):
    """A Messages stream: each block is (content_block, [deltas])."""
    yield {"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant", "model": "real-claude", "content": [],
           "stop_reason": None, "stop_sequence": None, "usage": start_usage or {"input_tokens": 12, "output_tokens": 1}}}
    for index, (block, deltas) in enumerate(blocks):
        yield {"type": "content_block_start", "index": index, "content_block": block}
        if index == 0:
            yield {"type": "ping"}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    yield {"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": None}, "usage": usage or {"output_tokens": 7}}
    yield {"type": "message_stop"}


class Scripted(world.RecordingUpstream):
    """Answers with what `self.reply(path, body)` returns: a dict (JSON), (status, dict), bytes (a stream in one piece), or a list of
    bytes (a stream in these pieces; None at its end: cut). Keeps every request in `seen`; `bodies()` are those, parsed."""

    def __init__(self, reply=None):
        self.reply = reply
        super().__init__()

    def bodies(self):
        return [json.loads(seen.body) for seen in self.seen]

    def paths(self):
        return [seen.head.split()[1].decode() for seen in self.seen]

    def answer(self, seen):
        path = seen.head.split()[1].decode()
        reply = self.reply(path, json.loads(seen.body))
        send, status = seen.connection.sendall, 200
        if isinstance(reply, tuple):
            status, reply = reply
        if isinstance(reply, dict):
            text = json.dumps(reply).encode()
            send(b"HTTP/1.1 %d X\r\ncontent-type: application/json\r\nrequest-id: req_up\r\ncontent-length: %d\r\n\r\n%s"
                 % (status, len(text), text))
            return True
        send(b"HTTP/1.1 %d X\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n" % status)
        for piece in [reply] if isinstance(reply, bytes) else reply:
            if piece is None:
                return False
            if callable(piece):
                piece(seen)
                continue
            send(b"%x\r\n%s\r\n" % (len(piece), piece))
        send(b"0\r\n\r\n")
        return True


class Dialects(world.Gateway):
    """Models `gpt` (Chat Completions), `claude` (Anthropic Messages), `native` (Responses too) and `thinker` (reasoning goes back)."""

    def config_text(self, **more):
        url = f"http://127.0.0.1:{self.upstream_port}/v1"
        return f"""\
listen: 127.0.0.1:{self.own_port}
{self.top}
ledger: {{path: {self.ledger}}}
upstreams:
  openai:    {{dialect: openai, base_url: {url}, api_key: "${{UPSTREAM_KEY}}"}}
  anthropic: {{dialect: anthropic, base_url: {url}, api_key: "${{UPSTREAM_KEY}}"}}
  both:      {{dialect: openai, base_url: {url}, also_speaks: [responses]}}
  vllm:      {{dialect: openai, base_url: {url}, takes_reasoning: true}}
models:
  gpt:     {{upstream: openai, name: real-gpt, supports: [tools, json_schema, vision], efforts: [low, high], price: {{input: 1, output: 10}}}}
  claude:  {{upstream: anthropic, name: real-claude, supports: [tools, json_schema, vision], price: {{input: 1, output: 10}}}}
  native:  {{upstream: both, name: real-native, supports: [tools, json_schema, vision], efforts: [low, high], price: {{input: 1, output: 10}}}}
  thinker: {{upstream: vllm, name: real-thinker, supports: [tools]}}
  embed:   {{upstream: openai, name: real-embed, price: {{input: 1, output: 1}}}}
routes:
  only-claude: {{arms: [claude]}}
{self.extra}"""

    def __init__(self, upstream, extra="", top="", **options):
        self.extra, self.top = extra, top
        super().__init__(upstream.port, router="none", **options)

    def post(self, path, body, **headers):
        text = body if isinstance(body, (str, bytes)) else json.dumps(body)
        return self.request("POST", path, text, {k.replace("_", "-"): v for k, v in headers.items()})


def events_of(body):
    """[(name, data)] of a stream's bytes; data is parsed where it is JSON."""
    out = []
    for block in re.split(rb"\r?\n\r?\n", body):
        name, data = None, []
        for line in block.split(b"\n"):
            if line.startswith(b"event:"):
                name = line[6:].strip().decode()
            elif line.startswith(b"data:"):
                data.append(line[5:].strip().decode())
        if data:
            text = "\n".join(data)
            out.append((name, json.loads(text) if text.startswith("{") else text))
    return out


class DialectTest(unittest.TestCase):
    """A test with a scripted upstream and a gateway in front of it."""

    def start(self, reply, **options):
        self.upstream = Scripted(reply)
        self.gateway = Dialects(self.upstream, **options)
        self.addCleanup(self.gateway.kill)
        return self.gateway

    def row(self, columns, table="calls"):
        """The first row of the ledger, once it is written."""
        def read():
            try:
                with sqlite3.connect(f"file:{self.gateway.ledger}?mode=ro", uri=True) as db:
                    return db.execute(f"select {columns} from {table}").fetchone()
            except sqlite3.OperationalError:
                if not self.gateway.ledger.exists():
                    return None  # not made yet
                raise
        return world.wait_for(read)

    def cut(self, path, body):
        """What a client gets over a raw socket, up to an end that must not be a proper one."""
        text = json.dumps(body).encode()
        with socket.create_connection(("127.0.0.1", self.gateway.port), timeout=10) as connection:
            connection.sendall(b"POST %s HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % (path, len(text)) + text)
            data = b""
            try:
                while more := connection.recv(65536):
                    data += more
            except ConnectionError:
                pass
        self.assertFalse(data.endswith(b"0\r\n\r\n"), data)
        return data
