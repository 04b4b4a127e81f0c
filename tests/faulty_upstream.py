#!/usr/bin/env python3
"""An OpenAI-like upstream that fails in every way that upstreams fail, and keeps a bill of its own.

usage: faulty_upstream.py PORT_OF_A PORT_OF_B

Both ports are hosts of the same models. A word in the request says what goes wrong: [[fault:KIND]] at host a only,
[[fault:KIND@both]] at both, [[fault:KIND@once]] for the first call with this body only. GET /bill at either port gives
{"calls": {HOST: N}, "kinds": {KIND: N}, "nano": BILLED, "unknown": N, "left": N}: calls that arrived, and what they cost in
billionths of a dollar; `unknown` counts those whose answer nobody could have read a bill from, `left` those that stalled until the
gateway hung up.
"""
import asyncio
import json
import re
import socket
import struct
import sys
import time

KINDS = ("reset-before", "reset-after", "cut-early", "cut", "stall", "stall-stream", "slow", "429", "429-after", "429-date", "500", "529", "401",
         "400", "error-event", "error-200", "wrong-model", "empty", "malformed", "oversized", "role-then-wait")
PRICE = {"rung-small": (50, 200), "rung-medium": (400, 1600), "rung-large": (2500, 10000)}  # nano USD a token, as in world.Gateway
PROMPT, COMPLETION = 9, 8
WORDS = ["One", " two", " three", " four", " five", " six", " seven", " eight"]

calls, kinds, once = {"a": 0, "b": 0}, {}, set()
bill = {"nano": 0, "unknown": 0, "left": 0}


def charge(model, prompt, completion):
    price = PRICE.get(model, (0, 0))
    bill["nano"] += prompt * price[0] + completion * price[1]


def chunk(model, delta, finish=None, **more):
    return b"data: " + json.dumps({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": model,
                                   "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}).encode() + b"\n\n"


def piece(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def reset(writer):
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def reply(status, body, extra=b""):
    return b"HTTP/1.1 %d X\r\ncontent-type: application/json\r\n%scontent-length: %d\r\n\r\n%s" % (status, extra, len(body), body)


def error(status, extra=b"", kind="server_error"):
    return reply(status, json.dumps({"error": {"message": "upstream says no", "type": kind, "code": None}}).encode(), extra)


async def left(reader, seconds):
    """Waits; true when the gateway hangs up."""
    try:
        gone = await asyncio.wait_for(reader.read(1), seconds) == b""
        bill["left"] += gone
        return gone
    except asyncio.TimeoutError:
        return False


async def stream(reader, writer, model, kind, body, usage):
    put = lambda data: writer.write(piece(data))
    writer.write(STREAM_HEAD)
    put(chunk(model, {"role": "assistant", "content": ""}))
    if kind == "stall-stream":
        await left(reader, 30)
        return False
    if kind == "role-then-wait":
        await asyncio.sleep(0.6)
    if kind == "cut-early":
        await writer.drain()
        return False
    produced = 1
    for word in WORDS if kind != "empty" else []:
        put(chunk(model, {"content": word}))
        produced += 1
        if kind == "cut" and produced == 4:
            await writer.drain()
            # What the gateway takes for tokens: four bytes each of the prompt, an event each of the answer.
            charge(body["model"], len(body["messages"][0]["content"].encode()) // 4 + 1, produced)
            return False
        if kind == "slow":
            await asyncio.sleep(0.02)
    put(chunk(model, {}, "stop"))
    completion = 0 if kind == "empty" else COMPLETION
    if usage:
        put(b"data: " + json.dumps({"model": model, "choices": [], "usage": {"prompt_tokens": PROMPT, "completion_tokens": completion}}).encode() + b"\n\n")
    charge(body["model"], PROMPT, completion)
    put(b"data: [DONE]\n\n")
    writer.write(b"0\r\n\r\n")
    return True


async def answer(reader, writer, host, text):
    """One request. False: the connection is over."""
    body = json.loads(text)
    found = re.search(rb"\[\[fault:([a-z0-9-]+)(@both|@once)?\]\]", text)
    kind = found[1].decode() if found else ""
    if found and found[2] == b"@once":
        kind = "" if text in once else kind
        once.add(text)
    elif found and not found[2] and host == "b":
        kind = ""
    calls[host] += 1
    kinds[kind or "good"] = kinds.get(kind or "good", 0) + 1
    model = "another-model" if kind == "wrong-model" else body["model"]
    is_stream = bool(body.get("stream"))
    usage = bool((body.get("stream_options") or {}).get("include_usage"))
    if kind == "reset-before":
        bill["unknown"] += 1
        reset(writer)
        return False
    if kind == "reset-after":
        bill["unknown"] += 1
        writer.write(STREAM_HEAD if is_stream else b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{\"id\":")
        await writer.drain()
        await asyncio.sleep(0.005)
        reset(writer)
        return False
    if kind == "stall":
        bill["unknown"] += 1
        await left(reader, 30)
        return False
    if kind in ("stall-stream", "cut-early") and is_stream:
        bill["unknown"] += 1
    if kind in ("429", "429-after", "429-date"):
        date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 1.9))
        extra = {"429": b"", "429-after": b"retry-after: 7\r\n", "429-date": b"retry-after: " + date.encode() + b"\r\n"}[kind]
        writer.write(error(429, extra, "rate_limit_error"))
    elif kind in ("500", "529", "401", "400"):
        writer.write(error(int(kind)))
    elif kind == "error-200" or (kind == "error-event" and not is_stream):
        bill["unknown"] += 1
        writer.write(reply(200, b'{"error":{"message":"no","code":502}}'))
    elif kind == "error-event":
        bill["unknown"] += 1
        writer.write(STREAM_HEAD + piece(b'data: {"error":{"message":"no","code":502}}\n\n') + b"0\r\n\r\n")
    elif kind == "malformed":
        bill["unknown"] += 1
        if is_stream:
            writer.write(STREAM_HEAD + piece(b"data: {\"choices\":[{\"del\n\ndata: nothing\n\n") + b"0\r\n\r\n")
        else:
            writer.write(reply(200, b'{"choices":[{"message":{"content":"half'))
    elif kind == "oversized" and not is_stream:
        bill["unknown"] += 1
        size = 3 << 20  # the gateway of the tests takes 1 MiB
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n{" % size)
        try:
            for _ in range(size >> 16):
                writer.write(b" " * (1 << 16))
                await writer.drain()
        except ConnectionError:
            pass
        return False
    elif is_stream:
        return await stream(reader, writer, model, kind, body, usage)
    else:
        if kind in ("slow", "role-then-wait"):
            await asyncio.sleep(0.1)
        content, completion = ("", 0) if kind == "empty" else ("".join(WORDS), COMPLETION)
        charge(body["model"], PROMPT, completion)
        text = json.dumps({"id": "c", "object": "chat.completion", "created": 1, "model": model, "choices": [
            {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": PROMPT, "completion_tokens": completion}}).encode()
        writer.write(reply(200, text))
    return True


async def serve(reader, writer, host):
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?im)^content-length:\s*(\d+)", head)
            text = await reader.readexactly(int(length[1])) if length else b""
            if head.startswith(b"GET /bill"):
                writer.write(reply(200, json.dumps({"calls": calls, "kinds": kinds, **bill}).encode()))
            elif head.startswith(b"GET "):
                writer.write(reply(200, b"{}"))
            elif not await answer(reader, writer, host, text):
                break
            await writer.drain()
    except (OSError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def main(ports):
    for host, port in zip("ab", ports):
        await asyncio.start_server(lambda r, w, host=host: serve(r, w, host), "127.0.0.1", port, backlog=1024)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main([int(port) for port in sys.argv[1:3]]))
