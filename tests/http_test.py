#!/usr/bin/env python3
"""`rung serve` as an HTTP intermediary: headers, methods, encodings and ends that break real clients when they are wrong.

usage: http_test.py [Class.test_name...]       each test starts its own gateway on free ports
"""
import gzip
import json
import os
import re
import socket
import sqlite3
import sys
import unittest
import zlib

import world
from world import Gateway, RecordingUpstream, wait_for

EVENTS = {"content-type": "text/event-stream", "transfer-encoding": "chunked"}


class Upstream(RecordingUpstream):
    """Also: [[headers]] answers with self.extra beside its own headers; [[events]] streams self.events and ends properly."""

    extra, events = {}, ()

    def answer(self, seen):
        send = seen.connection.sendall
        lines = lambda headers: "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()
        if b"[[headers]]" in seen.body:
            send(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n%scontent-length: %d\r\n\r\n%s"
                 % (lines(self.extra), len(world.ANSWER), world.ANSWER))
            return True
        if b"[[events]]" in seen.body:
            send(b"HTTP/1.1 200 OK\r\n%s\r\n" % lines({**EVENTS, **self.extra}))
            for event in self.events:
                send(b"%x\r\n%s\r\n" % (len(event), event))
            send(b"0\r\n\r\n")
            return True
        return super().answer(seen)


class Http(unittest.TestCase):
    def setUp(self):
        self.upstream = Upstream()
        self.gateway = Gateway(self.upstream.port)

    def tearDown(self):
        self.gateway.kill()

    def raw(self, text, until=None):
        """What comes back for these bytes, until the gateway closes or `until` has come."""
        with socket.create_connection(("127.0.0.1", self.gateway.port), timeout=10) as connection:
            connection.sendall(text if isinstance(text, bytes) else text.encode())
            data = b""
            while not (until and until in data):
                more = connection.recv(65536)
                if not more:
                    break
                data += more
            return data


class Headers(Http):
    def test_every_reply_has_a_request_id_and_it_is_the_callers_own(self):
        own = {"x-request-id": "caller-17"}
        replies = lambda headers: [self.gateway.chat(headers=headers), self.gateway.chat(headers=headers, stream=True),
                                   self.gateway.chat(headers=headers, model="nope"), self.gateway.chat("[[status:429]]", headers=headers),
                                   *(self.gateway.request(method, path, headers=headers) for method, path in (
                                       ("GET", "/v1/models"), ("GET", "/v1/nothing"), ("POST", "/v1/feedback"), ("GET", "/healthz")))]
        for reply in replies(own):
            self.assertEqual(reply.headers.get("x-request-id"), "caller-17", reply)
        for reply in replies({}):
            self.assertTrue(reply.headers.get("x-request-id"), reply)

    def test_the_upstreams_request_id_is_kept_beside_the_callers(self):
        self.assertEqual(self.gateway.chat().headers["x-request-id"], "upstream-7")
        reply = self.gateway.chat(headers={"x-request-id": "caller-17"})
        self.assertEqual(reply.headers["x-request-id"], "caller-17")
        self.assertEqual(reply.headers["x-rung-upstream-request-id"], "upstream-7")

    def test_a_request_id_that_is_too_long_is_not_repeated(self):
        reply = self.gateway.request("GET", "/v1/models", headers={"x-request-id": "a" * 600})
        self.assertTrue(0 < len(reply.headers.get("x-request-id", "")) < 200, reply)

    def test_the_upstreams_key_never_comes_back_in_a_header(self):
        self.upstream.extra = {"x-debug-echo": f"Bearer {world.KEY}", "x-harmless": "kept"}
        self.upstream.events = (b"data: [DONE]\n\n",)
        for words, fields in (("[[headers]]", {}), ("[[events]]", {"stream": True})):
            reply = self.gateway.chat(words, **fields)
            self.assertEqual(reply.headers.get("x-harmless"), "kept")
            self.assertNotIn(world.KEY, repr(reply.headers))

    def test_who_may_read_a_reply_in_a_browser_is_not_the_upstreams_to_say(self):
        self.upstream.extra = {"access-control-allow-origin": "*", "access-control-allow-credentials": "true"}
        reply = self.gateway.chat("[[headers]]", headers={"origin": "https://evil.example"})
        self.assertEqual([name for name in reply.headers if name.startswith("access-control-")], [])

    def test_no_credential_of_the_client_goes_upstream_under_any_name(self):
        self.gateway.chat(headers={name: "client-secret" for name in (
            "authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie", "proxy-authorization")})
        self.assertNotIn(b"client-secret", self.upstream.seen[0].head)

    def test_what_connection_names_stays_on_its_leg(self):
        self.gateway.chat(headers={"connection": "keep-alive, x-private", "x-private": "mine", "x-public": "yours", "te": "trailers"})
        seen = self.upstream.seen[0]
        self.assertIsNone(seen.header("x-private"))
        self.assertIsNone(seen.header("te"))
        self.assertEqual(seen.header("x-public"), "yours")
        self.upstream.extra = {"connection": "x-hop", "x-hop": "mine", "keep-alive": "timeout=5", "x-end": "yours"}
        reply = self.gateway.chat("[[headers]]")
        self.assertFalse({"x-hop", "keep-alive"} & set(reply.headers), reply)
        self.assertEqual(reply.headers["x-end"], "yours")

    def test_a_stream_tells_proxies_not_to_hold_it_back(self):
        self.upstream.events = (b"data: [DONE]\n\n",)
        for extra in ({}, {"cache-control": "no-store"}):
            self.upstream.extra = extra
            reply = self.gateway.chat("[[events]]", stream=True)
            self.assertEqual(reply.headers.get("x-accel-buffering"), "no", reply)
            self.assertEqual(reply.headers.get("cache-control"), extra.get("cache-control", "no-cache"), reply)


class Methods(Http):
    def test_a_wrong_method_says_which_ones_are_right(self):
        for path, allowed in (("/v1/chat/completions", {"POST", "OPTIONS"}), ("/v1/models", {"GET", "HEAD", "OPTIONS"}),
                              ("/v1/feedback", {"POST", "OPTIONS"})):
            reply = self.gateway.request("DELETE", path)
            self.assertEqual(reply.status, 405, reply)
            self.assertEqual(set(reply.headers["allow"].split(", ")), allowed)
            self.assertEqual(reply.json["error"]["code"], "method_not_allowed")
            asked = self.gateway.request("OPTIONS", path)
            self.assertEqual((asked.status, set(asked.headers["allow"].split(", "))), (204, allowed))
        self.assertEqual(self.gateway.request("OPTIONS", "/v1/nothing").status, 404)

    def test_head_has_the_head_of_get_and_no_body(self):
        got = self.gateway.request("GET", "/v1/models")
        head = self.raw("HEAD /v1/models HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        self.assertTrue(head.startswith(b"HTTP/1.1 200 "), head)
        self.assertIn(b"content-length: %d\r\n" % len(got.body), head)
        self.assertTrue(head.endswith(b"\r\n\r\n"), head)

    def test_the_prefix_and_a_slash_at_the_end_do_not_matter(self):
        body = json.dumps({"model": "rung-small", "messages": [{"role": "user", "content": "hi"}]})
        for path in ("/v1/chat/completions", "/chat/completions", "/v1/chat/completions/", "/v1/chat/completions?beta=true&api-version=2024-06-01"):
            self.assertEqual(self.gateway.request("POST", path, body).status, 200, path)
            self.assertEqual(self.upstream.seen[-1].head.split(b"\r\n")[0], b"POST /v1/chat/completions HTTP/1.1")

    def test_the_name_of_a_model_in_a_path_may_be_percent_encoded(self):
        for path in ("/v1/models/rung-small", "/v1/models/rung%2dsmall", "/v1/models/%72ung-small/"):
            self.assertEqual(self.gateway.request("GET", path).json.get("id"), "rung-small", path)
        for path in ("/v1/models/a%2Fb", "/v1/models/100%", "/v1/models/%zz", "/v1/models/%ff%00"):
            reply = self.gateway.request("GET", path)
            self.assertEqual((reply.status, reply.json["error"]["code"]), (404, "model_not_found"), path)

    def test_an_old_client_gets_a_stream_that_ends_with_the_connection(self):
        body = json.dumps({"model": "rung-small", "stream": True, "messages": [{"role": "user", "content": "hi"}]})
        data = self.raw(f"POST /v1/chat/completions HTTP/1.0\r\ncontent-length: {len(body)}\r\n\r\n{body}")
        self.assertNotIn(b"transfer-encoding", data.lower())
        self.assertTrue(data.endswith(b"data: [DONE]\n\n"), data)


class Bodies(Http):
    BODY = json.dumps({"model": "rung-small", "messages": [{"role": "user", "content": "hello " * 400}]}).encode()

    def post(self, body, encoding, **more):
        return self.gateway.request("POST", "/v1/chat/completions", body, {"content-encoding": encoding, **more})

    def test_may_be_chunked(self):
        pieces = b"".join(b"%x;ext=1\r\n%s\r\n" % (len(self.BODY[at:at + 100]), self.BODY[at:at + 100]) for at in range(0, len(self.BODY), 100))
        data = self.raw(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n" + pieces + b"0\r\n\r\n")
        self.assertTrue(data.startswith(b"HTTP/1.1 200 "), data)
        self.assertEqual(self.upstream.seen[0].body, self.BODY)
        self.assertIsNone(self.upstream.seen[0].header("transfer-encoding"))

    def test_may_be_compressed(self):
        bare = zlib.compressobj(wbits=-15)
        for encoding, body in (("gzip", gzip.compress(self.BODY)), ("x-gzip", gzip.compress(self.BODY)), ("deflate", zlib.compress(self.BODY)),
                               ("deflate", bare.compress(self.BODY) + bare.flush()), ("GZIP", gzip.compress(self.BODY[:50]) + gzip.compress(self.BODY[50:]))):
            self.assertEqual(self.post(body, encoding).status, 200, encoding)
            self.assertEqual(self.upstream.seen[-1].body, self.BODY)
            self.assertIsNone(self.upstream.seen[-1].header("content-encoding"))

    def test_that_are_no_such_compression_are_refused_with_the_reason(self):
        whole = gzip.compress(self.BODY)
        for encoding, body, status, says in (("gzip", self.BODY, 400, "gzip"), ("gzip", whole[:-9], 400, "end"), ("gzip", whole + b"junk", 400, "gzip"),
                                             ("br", whole, 415, "br"), ("gzip, gzip", whole, 415, "gzip, gzip")):
            reply = self.post(body, encoding)
            self.assertEqual(reply.status, status, (encoding, reply))
            self.assertIn(says, reply.json["error"]["message"])
        self.assertEqual(self.upstream.seen, [])

    def test_that_unpack_to_more_than_the_limit_are_refused_without_unpacking_them(self):
        bomb = gzip.compress(b" " * 300_000_000, 9)
        reply = self.post(bomb, "gzip")
        self.assertEqual(reply.status, 413, reply)
        self.assertIn("67108864 bytes", reply.json["error"]["message"])
        peak = int(re.search(r"VmHWM:\s*(\d+)", open(f"/proc/{self.gateway.popen.pid}/status").read())[1])
        self.assertLess(peak, 250_000, "kB")


class Ends(Http):
    CHUNK = world.sse_chunk('{"content":"half an ans"}')

    def stream(self, *events, **fields):
        """The bytes of a stream, and whether it ended properly."""
        self.upstream.events = events
        connection = self.gateway.open_chat("[[events]]", stream=True, **fields)
        connection.settimeout(10)
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
        return data, data.endswith(b"0\r\n\r\n")

    def test_a_stream_without_its_end_is_never_passed_on_as_whole(self):
        for events in ((self.CHUNK,), (self.CHUNK, b"data: {\"choi"), (self.CHUNK, b": ping\n\n")):
            data, proper = self.stream(*events)
            self.assertIn(b'"error"', data)
            self.assertFalse(proper, data)
        self.gateway.stop()
        self.assertEqual(ledger_count(self.gateway.ledger, "upstream_error"), 3)

    def test_a_stream_that_ends_with_a_reason_or_done_is_whole(self):
        last = world.sse_chunk("{}", '"stop"')
        for events in ((self.CHUNK, last), (self.CHUNK, b"data: [DONE]\n\n"), (self.CHUNK, b"data: [DONE]"), (self.CHUNK, b"data: [DONE]\n"),
                       (self.CHUNK, last.replace(b'"finish_reason":', b'"finish_reason" :  ')), (b'data: {"error":{"message":"no"}}\n\n',)):
            data, proper = self.stream(*events)
            self.assertTrue(proper, data)
            for event in events:
                self.assertIn(event, data)

    def test_only_the_usage_chunk_is_held_back(self):
        empty = b'data: {"choices":[],"usage":null,"prompt_filter_results":[]}\n\n'
        early = world.sse_chunk('{"content":"a"}', tail=',"usage":{"prompt_tokens":1,"completion_tokens":1}')
        data, _ = self.stream(early, empty, world.USAGE_CHUNK, b"data: [DONE]\n\n")
        self.assertIn(empty, data)
        self.assertNotIn(world.USAGE_CHUNK, data)


class Misuse(Http):
    def test_two_readings_of_where_a_request_ends_are_refused(self):
        for head in ("content-length: 5\r\ntransfer-encoding: chunked", "transfer-encoding: chunked\r\ncontent-length: 5",
                     "content-length: 5\r\ncontent-length: 6", "content-length: 5, 5", "content-length: +5", "transfer-encoding: xchunked",
                     "transfer-encoding: chunked\r\ntransfer-encoding: identity", "transfer-encoding : chunked", "x: y\r\n content-length: 5"):
            data = self.raw(f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n{head}\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
            self.assertRegex(data, rb"^HTTP/1.1 (400|501) ", head)
            self.assertEqual(data.count(b"HTTP/1.1 "), 1, data)
            self.assertIn(b"connection: close", data)
        self.assertEqual(self.upstream.seen, [])

    def test_a_client_that_leaves_costs_no_descriptor(self):
        count = lambda: len(os.listdir(f"/proc/{self.gateway.popen.pid}/fd"))
        self.gateway.chat()
        before = count()
        for content, fields in (("[[hang]]", {}), ("[[slow]]", {"stream": True}), ("[[hang]]", {"stream": True})):
            for _ in range(10):
                seen = len(self.upstream.seen)
                connection = self.gateway.open_chat(content, model="rung-small", **fields)
                self.assertTrue(wait_for(lambda: len(self.upstream.seen) > seen))
                connection.close()
        self.assertTrue(wait_for(lambda: count() <= before + 2), f"{before} descriptors before, {count()} after")


def ledger_count(path, outcome):
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        return db.execute("select count(*) from requests where outcome = ?", (outcome,)).fetchone()[0]


if __name__ == "__main__":
    sys.argv[0] = "http_test.py"
    unittest.main(verbosity=2)
