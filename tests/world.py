"""What the whole-process tests share: the real binary, an upstream that records every byte, free ports, a clean end.

Environment: RUNG_BIN names the binary (default build/release/rung). Only Python's standard library is used.
"""
import atexit
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = pathlib.Path(os.environ.get("RUNG_BIN", ROOT / "build/release/rung")).resolve()
OUTCOMES = ROOT / "examples/outcomes.jsonl"
SKIP = 77  # the exit status that ctest reads as "skipped"


def skip(why):
    print(f"SKIPPED: {why}", flush=True)
    os._exit(SKIP)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def scratch():
    """A folder that goes away when the process ends."""
    folder = tempfile.TemporaryDirectory(prefix="rung-test-")
    atexit.register(folder.cleanup)
    return pathlib.Path(folder.name)


def wait_for(what, seconds=10, every=0.02):
    """The first true value of `what()`, or the last false one when the time is over."""
    end = time.monotonic() + seconds
    while True:
        value = what()
        if value or time.monotonic() > end:
            return value
        time.sleep(every)


def cli(*words, stdin=None, env=None, timeout=120):
    """Runs one command of `rung` to its end."""
    return subprocess.run([str(BIN), *map(str, words)], input=stdin, env={**os.environ, **(env or {})}, timeout=timeout,
                          stdin=None if stdin is not None else subprocess.DEVNULL, capture_output=True, text=True)


def trained_router():
    """A router over rung-small, rung-medium and rung-large, trained once for each build of the binary."""
    folder = BIN.parent / "tests-cache"
    folder.mkdir(exist_ok=True)
    made = folder / "router.safetensors"
    newest = max(BIN.stat().st_mtime, OUTCOMES.stat().st_mtime)
    if not made.exists() or made.stat().st_mtime < newest:
        own = folder / f"router-{os.getpid()}.safetensors"  # tests run at the same time: each makes its own, the last wins
        done = cli("train", "--outcomes", OUTCOMES, "--out", own)
        if done.returncode != 0:
            raise RuntimeError(f"rung train failed with {done.returncode}: {done.stderr}")
        os.replace(own, made)
    return made


class Process:
    """A program that listens; its output is kept, and it is ended with the test."""

    def __init__(self, words, port, env=None, cwd=None, wait_path="/healthz", **options):
        self.port, self.lines = port, []
        self.popen = subprocess.Popen([str(w) for w in words], env={**os.environ, **(env or {})}, cwd=cwd, stdin=subprocess.DEVNULL,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", **options)
        self.reader = threading.Thread(target=lambda: self.lines.extend(self.popen.stdout), daemon=True)
        self.reader.start()
        atexit.register(self.kill)
        up = wait_for(lambda: self.popen.poll() is not None or self.answers(wait_path), 30)
        if not up or self.popen.poll() is not None:
            self.kill()
            raise RuntimeError(f"{words} did not start:\n{self.output()}")

    def answers(self, path):
        try:
            return self.request("GET", path).status == 200
        except OSError:
            return False

    def output(self):
        if self.popen.poll() is not None:
            self.reader.join(5)
        return "".join(self.lines)

    def request(self, method, path, body=None, headers=None, timeout=30, port=None):
        return fetch(port or self.port, method, path, body, headers, timeout)

    def stop(self, seconds=15):
        """SIGTERM and the exit status; None if it had to be killed."""
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return None

    def kill(self):
        if self.popen.poll() is None:
            self.popen.kill()
            self.popen.wait()


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.headers} {self.text[:600]}"


def fetch(port, method, path, body=None, headers=None, timeout=30):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        if isinstance(body, str):
            body = body.encode("utf-8")
        connection.request(method, path, body, {**({"content-type": "application/json"} if body is not None else {}), **(headers or {})})
        reply = connection.getresponse()
        return Reply(reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read())
    finally:
        connection.close()


class Seen:
    """One request as it arrived."""

    def __init__(self, head, body, connection):
        self.head, self.body, self.connection = head, body, connection
        self.gone = threading.Event()  # the gateway closed the connection before the answer was complete

    def header(self, name):
        found = re.search(rb"(?im)^" + name.encode() + rb":[ \t]*(.*?)\r?$", self.head)
        return found[1].decode("latin-1") if found else None


ANSWER = (b'{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"real-model","choices":[{"index":0,'
          b'"message":{"role":"assistant","content":"Hello.","x_extra":1},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,'
          b'"completion_tokens":2,"total_tokens":11,"prompt_tokens_details":{"cached_tokens":3}},"x_vendor":{"b":1,"a":[1e21,0.10]},'
          b'"x_big":9007199254740993,"x_one":1.0}')


def sse_chunk(delta, finish="null", tail=""):
    return ('data: {"id":"chatcmpl-2","object":"chat.completion.chunk","created":1700000000,"model":"real-model","choices":'
            '[{"index":0,"delta":%s,"finish_reason":%s}]%s}\n\n' % (delta, finish, tail)).encode()


class RecordingUpstream:
    """An OpenAI-like upstream that keeps the bytes of every request. What it does is said by a word in the body:
    [[hang]] never answers; [[slow]] streams a chunk every 0.1 s; [[status:N]] answers with that status; [[cut]] closes
    in the middle of a stream, behind some content; [[odd]] answers with a body that is not JSON; [[echo]] puts the request's head in its answer."""

    def __init__(self):
        self.seen, self.listener = [], socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(128)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits in accept, which would keep the port open
        self.listener.close()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        data = b""
        try:
            while True:
                while b"\r\n\r\n" not in data:
                    more = connection.recv(1 << 20)
                    if not more:
                        return
                    data += more
                head, _, data = data.partition(b"\r\n\r\n")
                length = re.search(rb"(?im)^content-length:\s*(\d+)", head)
                need = int(length[1]) if length else 0
                parts, have = [data], len(data)
                while have < need:
                    more = connection.recv(1 << 20)
                    if not more:
                        return
                    parts.append(more)
                    have += len(more)
                data = b"".join(parts)
                body, data = data[:need], data[need:]
                seen = Seen(head, body, connection)
                self.seen.append(seen)
                if not self.answer(seen):
                    return
        except OSError:
            pass
        finally:
            connection.close()

    def gone(self, seen, seconds):
        """Waits; true as soon as the gateway hangs up."""
        seen.connection.settimeout(seconds)
        try:
            if not seen.connection.recv(1):
                seen.gone.set()
        except TimeoutError:
            return False
        except OSError:
            seen.gone.set()
        finally:
            seen.connection.settimeout(None)
        return seen.gone.is_set()

    def answer(self, seen):
        body, send = seen.body, seen.connection.sendall
        status = re.search(rb"\[\[status:(\d+)\]\]", body)
        if b"[[hang]]" in body:
            return not self.gone(seen, 30) and False
        if status:
            code = int(status[1])
            text = b'{"error":{"message":"upstream says no","type":"upstream_type","param":null,"code":"upstream_code"}}'
            extra = b"retry-after: 7\r\n" if code == 429 else b""
            send(b"HTTP/1.1 %d No\r\ncontent-type: application/json\r\n%scontent-length: %d\r\n\r\n%s" % (code, extra, len(text), text))
            return True
        if re.search(rb'"stream"\s*:\s*true', body):
            return self.stream(seen)
        text = b"this is not JSON" if b"[[odd]]" in body else ANSWER
        if b"[[echo]]" in body:
            text = json.dumps({"error": {"message": "head was: " + seen.head.decode("latin-1")}}).encode()
        send(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: upstream-7\r\nx-ratelimit-remaining-requests: 41\r\n"
             b"content-length: %d\r\n\r\n%s" % (len(text), text))
        return True

    def stream(self, seen):
        body, send = seen.body, seen.connection.sendall
        put = lambda piece: send(b"%x\r\n%s\r\n" % (len(piece), piece))
        send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        for number, piece in enumerate(stream_pieces()):
            put(piece)
            if number == 2 and b"[[cut]]" in body:
                return False
            if b"[[slow]]" in body and self.gone(seen, 0.1):
                return False
        if b'"include_usage":true' in body.replace(b" ", b""):
            put(USAGE_CHUNK)
        put(b"data: [DONE]\n\n")
        send(b"0\r\n\r\n")
        return True


def stream_pieces():
    yield sse_chunk('{"role":"assistant","content":""}')
    for word in ("One", " two", " three", " four", " five", " six", " seven", " eight"):
        yield sse_chunk(json.dumps({"content": word}), tail=',"x_vendor":9007199254740993')
    yield sse_chunk("{}", '"stop"')


USAGE_CHUNK = (b'data: {"id":"chatcmpl-2","object":"chat.completion.chunk","created":1700000000,"model":"real-model","choices":[],'
               b'"usage":{"prompt_tokens":9,"completion_tokens":8,"total_tokens":17}}\n\n')

KEY = "sk-upstream-secret-4f1c9a7be2"  # what the gateway tells the upstream and nobody else


class Gateway(Process):
    """`rung serve` in front of the three example models; `auto` routes between them."""

    def __init__(self, upstream_port, folder=None, text=None, env=None, router=None, policy="{kind: tradeoff, usd_per_point: 0.00005}",
                 **options):
        self.router, self.policy = router or trained_router(), policy
        self.folder = folder or scratch()
        self.upstream_port, self.own_port, self.admin_port = upstream_port, free_port(), free_port()
        self.config, self.ledger = self.folder / "rung.yaml", self.folder / "ledger.db"
        self.config.write_text(text or self.config_text())
        super().__init__([options.pop("binary", BIN), "serve", "--config", self.config], self.own_port,
                         env={"UPSTREAM_KEY": KEY, **(env or {})}, cwd=self.folder, **options)

    def config_text(self, models="", route="", top=""):
        return f"""\
listen: 127.0.0.1:{self.own_port}
admin: 127.0.0.1:{self.admin_port}
ledger: {{path: {self.ledger}}}
{top}
upstreams:
  recorder: {{dialect: openai, base_url: http://127.0.0.1:{self.upstream_port}/v1, api_key: "${{UPSTREAM_KEY}}"}}
models:
  rung-small:  {{upstream: recorder, name: rung-small, context: 16384, supports: [tools, json_schema], price: {{input: 0.05, output: 0.20}}}}
  rung-medium: {{upstream: recorder, name: rung-medium, context: 32768, supports: [tools, json_schema], price: {{input: 0.40, output: 1.60}}}}
  rung-large:  {{upstream: recorder, name: rung-large, context: 128000, supports: [tools, json_schema, vision], price: {{input: 2.50, output: 10.00}}}}
{models}
routes:
  auto:
    arms: [rung-small, rung-medium, rung-large]
    predictor: {self.router}
    policy: {self.policy}
{route}"""

    def chat(self, content="Say hello.", model="auto", headers=None, timeout=30, **fields):
        body = {"model": model, "messages": [{"role": "user", "content": content}], **fields}
        return self.request("POST", "/v1/chat/completions", json.dumps(body), headers, timeout)

    def open_chat(self, content, model="auto", **fields):
        """Sends a request on a raw socket and leaves the answer unread."""
        body = json.dumps({"model": model, "messages": [{"role": "user", "content": content}], **fields}).encode()
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=15)
        connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
                           % len(body) + body)
        return connection


class Replay(Process):
    """`rung replay` over the example outcomes."""

    def __init__(self, *options):
        port = free_port()
        super().__init__([BIN, "replay", "--outcomes", OUTCOMES, "--listen", f"127.0.0.1:{port}", *options], port, wait_path="/v1/models")


if not BIN.exists() and __name__ != "__main__":
    sys.exit(f"{BIN} is missing; build it (cmake --build --preset release) or name another with RUNG_BIN")
