#!/usr/bin/env python3
"""Many requests over every kind of upstream fault; then the books are compared: what clients saw, the ledger, the upstream's own bill.

usage: fault_run.py [--requests 3000] [--connections 48]      exit 1 and a sentence for each thing that does not agree

bench/fault_run.sh runs it with 100,000. tests/faults_test.py runs it with 3,000.
"""
import argparse
import asyncio
import collections
import json
import os
import random
import re
import sqlite3
import sys
import time

import world
from faulty_upstream import KINDS

HERE = os.path.dirname(os.path.abspath(__file__))


class World:
    """A gateway in front of two faulty hosts a and b, and of one where nobody listens."""

    def __init__(self, resilience="", hosts="", models="", first_byte=250):
        self.a, self.b, self.gone_port = world.free_port(), world.free_port(), world.free_port()
        self.upstream = world.Process([sys.executable, os.path.join(HERE, "faulty_upstream.py"), self.a, self.b], self.a, wait_path="/health")
        own = dict(re.findall(r"([a-z_]+): ((?:\{[^}]*\})|[^,{}]+)", resilience))
        settings = {"backoff_ms": "5", "first_token_timeout_ms": "300", "idle_timeout_ms": "300", "max_reply_mb": "1", "breaker": "{failures: 1000}",
                    "max_retry_after_ms": "3000", **own}
        most = ", max_connections: 2" if hosts == "few" else ""
        self.gateway = FaultGateway(self.a, self.b, self.gone_port, ", ".join(f"{k}: {v}" for k, v in settings.items()), models, first_byte, most)

    def bill(self):
        return world.fetch(self.b, "GET", "/bill").json

    def stop(self):
        self.gateway.stop()
        self.upstream.kill()


class FaultGateway(world.Gateway):
    def __init__(self, a, b, gone, resilience, models, first_byte, most):
        self.parts = (a, b, gone, resilience, models, first_byte, most)
        super().__init__(a)

    def config_text(self, models="", route="", top=""):
        a, b, gone, resilience, more, first_byte, most = self.parts
        host = lambda name, port: f"  {name}: {{base_url: http://127.0.0.1:{port}/v1, first_byte_timeout_ms: {first_byte}{most}}}\n"
        prices = {"rung-small": "{input: 0.05, output: 0.20}", "rung-medium": "{input: 0.40, output: 1.60}", "rung-large": "{input: 2.50, output: 10.00}"}
        model = lambda name, at, upstream, supports="tools, json_schema": (
            f"  {name}: {{upstream: {at}, name: {upstream}, context: 128000, supports: [{supports}], price: {prices[upstream]}}}\n")
        return (f"listen: 127.0.0.1:{self.own_port}\nworkers: 1\nledger: {{path: {self.ledger}}}\nresilience: {{{resilience}}}\n"
                f"upstreams:\n{host('a', a)}{host('b', b)}{host('gone', gone)}models:\n"
                + model("rung-small", "a", "rung-small") + model("rung-medium", "a", "rung-medium")
                + model("rung-large", "b", "rung-large", "tools, json_schema, vision")
                + model("pair", "[a, b]", "rung-small") + model("dead", "[gone, b]", "rung-small") + model("lone", "gone", "rung-small") + more
                + f"routes:\n  auto: {{arms: [rung-small, rung-medium, rung-large], predictor: {self.router}, policy: {self.policy}}}\n")


def read_all(connection, seconds=15):
    """The bytes of one reply on a raw connection: to the end of its chunks, or until it is closed."""
    connection.settimeout(seconds)
    data = b""
    try:
        while not data.endswith(b"0\r\n\r\n"):
            more = connection.recv(65536)
            if not more:
                break
            data += more
    except ConnectionError:
        pass
    connection.close()
    return data


class Client:
    """One keep-alive connection that asks and says how each request ended, as a client can see it."""

    def __init__(self, port):
        self.port, self.reader, self.writer = port, None, None

    async def ask(self, body):
        text = json.dumps(body).encode()
        for fresh in (False, True):
            if self.writer is None:
                self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port, limit=8 << 20)
            try:
                self.writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s"
                                  % (len(text), text))
                head = await self.reader.readuntil(b"\r\n\r\n")
                break
            except (OSError, asyncio.IncompleteReadError):
                self.close()
                if fresh:
                    return "no answer", b""
        status = int(head[9:12])
        length = re.search(rb"(?im)^content-length:\s*(\d+)", head)
        try:
            if length:
                data = await self.reader.readexactly(int(length[1]))
            else:
                data = b""
                while True:
                    size = int(await self.reader.readuntil(b"\r\n"), 16)
                    data += (await self.reader.readexactly(size + 2))[:-2]
                    if size == 0:
                        break
        except (OSError, asyncio.IncompleteReadError, ValueError):
            self.close()
            return ("error event" if b'"error"' in data else "cut without a word") if status == 200 else "broken error", head
        if status != 200:
            return ("error reply" if b'"error"' in data else "error without a word"), head
        if length:
            return "answer", head
        return "stream" if data.rstrip().endswith(b"[DONE]") or b'"error"' in data else "stream without an end", head

    def close(self):
        if self.writer is not None:
            self.writer.close()
        self.reader = self.writer = None


def cases(count, seed):
    """(model, kind, stream) of each request: every kind at every place, in a fixed random order."""
    rng = random.Random(seed)
    everything = [(model, kind, stream) for model in ("rung-small", "pair", "auto") for kind in (*KINDS, "") for stream in (False, True)
                  if kind not in ("429-date", "role-then-wait")]  # they wait for real seconds; tests of their own
    everything += [(model, "refuse", stream) for model in ("dead", "lone") for stream in (False, True)]
    picked = [everything[i % len(everything)] for i in range(count)]
    rng.shuffle(picked)
    return picked


async def load(port, picked, connections, middle):
    ends = collections.Counter()
    queue = iter(enumerate(picked))

    async def worker():
        client = Client(port)
        for number, (model, kind, stream) in queue:
            if number == len(picked) // 4:
                middle()
            word = f"[[fault:{kind}]]" if kind not in ("", "refuse") else "hello"
            body = {"model": model, "messages": [{"role": "user", "content": f"{word} question {number}"}]}
            if stream:
                body["stream"] = True
            end, _ = await client.ask(body)
            ends[(model, kind, stream, end)] += 1
        client.close()

    await asyncio.gather(*(worker() for _ in range(connections)))
    return ends


def usage_of(pid):
    text = open(f"/proc/{pid}/status").read()
    return len(os.listdir(f"/proc/{pid}/fd")), int(re.search(r"VmRSS:\s*(\d+)", text)[1])


def run(requests, connections, seed=1, say=print):
    """The sentences about what does not agree."""
    here = World(resilience="attempts: 5, backoff_ms: 2, retry_share: 1, breaker: {failures: 0}, ejection: {failure_share: 0}")
    gateway, problems, at = here.gateway, [], {}
    picked = cases(requests, seed)
    pid = gateway.popen.pid
    began = time.monotonic()
    ends = asyncio.run(load(gateway.port, picked, connections, lambda: at.update(middle=usage_of(pid))))
    seconds = time.monotonic() - began
    time.sleep(0.5)
    at["end"] = usage_of(pid)
    bill = here.bill()
    metrics = gateway.request("GET", "/metrics").text
    if gateway.stop() != 0:
        problems.append(f"the gateway did not stop well: {gateway.output()[-2000:]}")
    here.stop()

    # 1. What clients saw.
    seen = collections.Counter()
    for (model, kind, stream, end), count in ends.items():
        seen[end] += count
        if end in ("no answer", "cut without a word", "broken error", "error without a word", "stream without an end"):
            problems.append(f"{count} requests {model} {kind} stream={stream}: {end}")
        # A reply of a kind is asked for once more at the same arm, and then passed on.
        heals = kind not in ("400", "cut", "oversized") and (model in ("pair", "dead") or (model == "auto" and kind not in ("malformed", "empty")))
        if heals and end not in ("answer", "stream"):
            problems.append(f"{count} requests {model} {kind} stream={stream} ended with {end}, though another host could answer")
    if sum(seen.values()) != requests:
        problems.append(f"{sum(seen.values())} ends of {requests} requests")

    # 2. The ledger.
    with sqlite3.connect(f"file:{gateway.ledger}?mode=ro", uri=True) as db:
        one = lambda sql: db.execute(sql).fetchone()[0]
        total, distinct = one("select count(*) from requests"), one("select count(distinct id) from requests")
        if (total, distinct) != (requests, requests):
            problems.append(f"{total} rows ({distinct} ids) for {requests} requests")
        for name, sql in (("requests without an end", "select count(*) from requests where outcome is null or total_us <= 0 or http_status = 0"),
                          ("calls without an end", "select count(*) from calls where outcome is null or end_us <= 0 or end_us < start_us"),
                          ("requests whose count of calls is wrong", "select count(*) from requests r where call_count != (select count(*) from calls c where c.request = r.n)"),
                          ("requests whose cost is not the sum of its calls", "select count(*) from requests r where spent_nano != (select coalesce(sum(cost_nano), 0) from calls c where c.request = r.n)"),
                          ("requests that ended well without a good call", "select count(*) from requests r where outcome = 'ok' and not exists (select 1 from calls c where c.request = r.n and c.outcome = 'ok')"),
                          ("requests with two good calls", "select count(*) from (select request from calls where outcome = 'ok' group by request having count(*) > 1)")):
            if one(sql):
                problems.append(f"{one(sql)} {name}")
        outcomes = dict(db.execute("select outcome, count(*) from requests group by 1"))
        spent = one("select coalesce(sum(spent_nano), 0) from requests")
        reached = dict(db.execute("select upstream, count(*) from calls group by 1"))
        unknown = one("select count(*) from calls where cost_nano is null")
    # 3. The upstream's own bill.
    if spent != bill["nano"]:
        problems.append(f"the ledger says {spent} billionths of a dollar, the upstream billed {bill['nano']}")
    if unknown != bill["unknown"]:
        problems.append(f"{unknown} calls of unknown cost in the ledger, {bill['unknown']} at the upstream")
    for host, count in bill["calls"].items():
        if reached.get(host, 0) != count:
            problems.append(f"{reached.get(host, 0)} calls to {host} in the ledger, {count} arrived there")
    # 4. Growth.
    (fds, rss), (fds_end, rss_end) = at["middle"], at["end"]
    if fds_end > fds + connections:
        problems.append(f"{fds} descriptors after a quarter, {fds_end} at the end")
    if rss_end > rss * 1.15 + 8_000:
        problems.append(f"{rss} kB after a quarter, {rss_end} kB at the end")
    say(f"{requests} requests over {len(set(k for _, k, _ in picked))} kinds in {seconds:.1f} s with {connections} connections")
    say(f"clients saw {dict(seen)}; the ledger {outcomes}")
    say(f"{sum(bill['calls'].values())} calls arrived; billed {bill['nano'] / 1e9:.9f} USD, ledger {spent / 1e9:.9f} USD; of unknown cost {bill['unknown']} and {unknown}")
    say(f"descriptors {fds} after a quarter, {fds_end} at the end; RSS {rss / 1024:.1f} and {rss_end / 1024:.1f} MiB")
    say("; ".join(line for line in metrics.splitlines() if line.startswith(("rung_attempts_total", "rung_retries_over"))))
    return problems


if __name__ == "__main__":
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--requests", type=int, default=3000)
    words.add_argument("--connections", type=int, default=48)
    words.add_argument("--seed", type=int, default=1)
    asked = words.parse_args()
    found = run(asked.requests, asked.connections, asked.seed, lambda line: print(line, flush=True))
    for sentence in found:
        print("PROBLEM:", sentence)
    sys.exit(1 if found else 0)
