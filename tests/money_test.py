#!/usr/bin/env python3
"""Keys, limits and budgets of `rung serve`, from outside: who comes in, what it may use, and that no budget is ever exceeded.

usage: money_test.py [Class.test_name...]       each test starts its own gateway on free ports
"""
import concurrent.futures
import http.client
import json
import signal
import sqlite3
import ssl
import subprocess
import threading
import time
import unittest

import world
from world import Gateway, RecordingUpstream, cli, fetch, wait_for

ALICE, BOB, OLD, OFF = ("test-key-of-%s-0123456789abcdef" % who for who in ("alice", "bob", "old", "off"))
TOKEN = "admin-token-0123456789"
KEYS = f"""
keys:
  alice: {{key: "{ALICE}", team: research, labels: {{cost centre: "4711"}}}}
  bob:   {{key: "${{BOB_KEY}}", routes: [], models: [rung-small]}}
  old:   {{key: "{OLD}", expires: 2020-01-01}}
  off:   {{key: "{OFF}", disabled: true}}
"""


class Charging(RecordingUpstream):
    """Counts what it charged: [[usage:IN,OUT]] in the prompt says which usage it reports, [[pause:S]] how long it takes."""

    def __init__(self):
        self.lock, self.calls, self.running, self.most_running = threading.Lock(), 0, 0, 0
        self.tokens = [0, 0]
        super().__init__()

    def answer(self, seen):
        text = seen.body.decode("utf-8", "replace")
        if "[[quote]]" in text:
            body = ('{"error":{"message":"Incorrect API key provided: %s","type":"x","param":null,"code":null}}'
                    % seen.header("authorization").split()[1]).encode()
            seen.connection.sendall(b"HTTP/1.1 401 No\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
            return True
        if "[[usage:" not in text:
            return super().answer(seen)
        used = [int(n) for n in text.split("[[usage:")[1].split("]]")[0].split(",")]
        with self.lock:
            self.running += 1
            self.most_running = max(self.most_running, self.running)
        if "[[pause:" in text:
            time.sleep(float(text.split("[[pause:")[1].split("]]")[0]))
        with self.lock:
            self.running -= 1
            self.calls += 1
            self.tokens[0] += used[0]
            self.tokens[1] += used[1]
        usage = '"usage":{"prompt_tokens":%d,"completion_tokens":%d}' % tuple(used)
        if '"stream":true' in text.replace(" ", ""):
            events = [world.sse_chunk('{"content":"a"}'), world.sse_chunk("{}", '"stop"'),
                      ('data: {"id":"c","choices":[],%s}\n\n' % usage).encode(), b"data: [DONE]\n\n"]
            seen.connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
                                    + b"".join(b"%x\r\n%s\r\n" % (len(e), e) for e in events) + b"0\r\n\r\n")
            return True
        body = ('{"id":"c","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant",'
                '"content":"ok"},"finish_reason":"stop"}],%s}' % usage).encode()
        seen.connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
        return True


class Money(unittest.TestCase):
    def setUp(self):
        self.upstream, self.gateway = Charging(), None

    def tearDown(self):
        if self.gateway:
            self.gateway.kill()
        self.upstream.close()

    def config(self, gateway, text):
        """A last change of the configuration, for tests of this kind."""
        return text

    def start(self, top="", folder=None, route="", models="", **options):
        gateway = Gateway.__new__(Gateway)
        gateway.router, gateway.policy = world.trained_router(), "{kind: tradeoff, usd_per_point: 0.00005}"
        gateway.upstream_port, gateway.own_port, gateway.admin_port = self.upstream.port, world.free_port(), world.free_port()
        gateway.ledger = (folder or world.scratch()) / "ledger.db"
        text = gateway.config_text(top=top, route=route, models=models)
        text = text.replace(f"admin: 127.0.0.1:{gateway.admin_port}",
                            f"admin: {{listen: 127.0.0.1:{gateway.admin_port}, token: {TOKEN}}}")
        text = self.config(gateway, text)
        again = Gateway.__new__(Gateway)
        again.__dict__.update(gateway.__dict__)
        again.folder = gateway.ledger.parent
        again.config = again.folder / "rung.yaml"
        again.config.write_text(text)
        world.Process.__init__(again, [world.BIN, "serve", "--config", again.config], again.own_port,
                               env={"UPSTREAM_KEY": world.KEY, "BOB_KEY": BOB, **options.pop("env", {})}, cwd=again.folder, **options)
        self.gateway = again
        return again

    def chat(self, key=None, content="hi", model="rung-small", headers=None, **fields):
        own = {"authorization": f"Bearer {key}"} if key else {}
        return self.gateway.chat(content, model=model, headers={**own, **(headers or {})}, **fields)

    def admin(self, method, path, body=None, token=TOKEN):
        return fetch(self.gateway.admin_port, method, path, None if body is None else json.dumps(body),
                     {"authorization": f"Bearer {token}"} if token else {})

    def rows(self, sql):
        with sqlite3.connect(f"file:{self.gateway.ledger}?mode=ro", uri=True) as db:
            return db.execute(sql).fetchall()

    def settled(self, count):
        """Waits until so many requests are in the ledger."""
        self.assertTrue(wait_for(lambda: self.rows("SELECT count(*) FROM requests")[0][0] >= count), "rows are missing")


class Identity(Money):
    def test_nobody_comes_in_without_a_key_and_the_refusal_repeats_nothing(self):
        self.start(KEYS)
        for headers in ({}, {"authorization": "Bearer wrong-key-wrong-key"}, {"authorization": f"Basic {ALICE}"}, {"x-api-key": "nope"},
                        {"authorization": f"Bearer {OLD}"}, {"authorization": f"Bearer {OFF}"}):
            for method, path in (("POST", "/v1/chat/completions"), ("GET", "/v1/models"), ("GET", "/metrics"), ("GET", "/x")):
                reply = self.gateway.request(method, path, "{}" if method == "POST" else None, headers)
                self.assertEqual(reply.status, 401, (path, headers, reply))
                error = reply.json["error"]
                self.assertEqual((error["type"], error["code"]), ("authentication_error", "invalid_api_key"))
                self.assertTrue(reply.headers["x-request-id"])
                self.assertNotIn("wrong-key", reply.text)
        self.assertEqual(self.upstream.seen, [])
        self.assertEqual(self.gateway.request("GET", "/healthz").status, 200)
        self.assertEqual(self.gateway.request("GET", "/readyz").status, 200)

    def test_anthropics_clients_get_their_own_form_of_the_refusal(self):
        self.start(KEYS)
        reply = self.gateway.request("POST", "/v1/messages", "{}", {"x-api-key": "nope", "x-request-id": "mine"})
        self.assertEqual(reply.status, 401)
        self.assertEqual((reply.json["type"], reply.json["error"]["type"]), ("error", "authentication_error"))
        self.assertEqual(reply.headers["request-id"], "mine")

    def test_a_key_comes_in_by_either_header_and_never_goes_further(self):
        self.start(KEYS)
        for headers in ({"authorization": f"Bearer {ALICE}"}, {"Authorization": f"bearer {ALICE}"}, {"x-api-key": ALICE},
                        {"x-api-key": ALICE, "authorization": "Bearer something-else-altogether"}):
            reply = self.gateway.chat(model="rung-small", headers=headers)
            self.assertEqual(reply.status, 200, reply)
            self.assertNotIn(ALICE, str(reply.headers) + reply.text)
        self.settled(4)
        self.assertEqual(self.rows("SELECT DISTINCT key_name FROM requests"), [("alice",)])
        for seen in self.upstream.seen:
            self.assertNotIn(ALICE.encode(), seen.head + seen.body)
            self.assertEqual(seen.header("authorization"), f"Bearer {world.KEY}")
        self.gateway.stop()
        self.assertNotIn(ALICE, self.gateway.output())
        for file in self.gateway.folder.iterdir():
            if file.name != "rung.yaml":
                self.assertNotIn(ALICE.encode(), file.read_bytes(), file)

    def test_what_a_client_says_about_itself_or_our_accounts_stays_here(self):
        self.start(KEYS)
        odd = {"openai-organization": "org-1", "OpenAI-Project": "p", "x-forwarded-for": "10.0.0.9", "X-Forwarded-Host": "evil", "forwarded": "for=1",
               "x-real-ip": "10.0.0.9", "via": "1.1 x", "x-goog-user-project": "g", "anthropic-beta": "b1", "x-stainless-lang": "js"}
        self.assertEqual(self.chat(ALICE, headers=odd).status, 200)
        head = self.upstream.seen[0].head.lower()
        for name in odd:
            self.assertEqual(name.lower().encode() + b":" in head, name in ("anthropic-beta", "x-stainless-lang"), name)

    def test_an_upstream_that_repeats_its_key_in_an_error_does_not_tell_it(self):
        self.start(KEYS)
        reply = self.chat(ALICE, "[[quote]]")
        self.assertEqual(reply.status, 401)
        self.assertIn("***", reply.text)
        self.assertNotIn(world.KEY, reply.text)

    def test_a_key_reaches_only_its_routes_and_models(self):
        self.start(KEYS)
        self.assertEqual(self.chat(BOB).status, 200)
        for model in ("auto", "rung-large", "router-auto-0.5"):
            reply = self.chat(BOB, model=model)
            self.assertEqual(reply.status, 403, reply)
            self.assertEqual(reply.json["error"]["type"], "permission_error")
        names = lambda key: {m["id"] for m in self.gateway.request("GET", "/v1/models", headers={"x-api-key": key}).json["data"]}
        self.assertEqual(names(BOB), {"rung-small"})
        self.assertEqual(names(ALICE), {"auto", "rung-small", "rung-medium", "rung-large"})
        self.assertEqual(self.gateway.request("GET", "/v1/models/auto", headers={"x-api-key": BOB}).status, 404)

    def test_arms_of_a_route_that_the_key_may_not_use_are_never_chosen(self):
        self.start(KEYS + f'  carol: {{key: "carol-{ALICE}", models: [rung-medium]}}\n')
        for content in ("hi", "Derive the answer step by step and prove that every step is forced."):
            reply = self.chat(f"carol-{ALICE}", content, model="auto")
            self.assertEqual(reply.headers["x-rung-model"], "rung-medium", reply)
        self.assertEqual(self.chat(f"carol-{ALICE}", model="auto", headers={"x-rung-arm": "rung-large"}).status, 400)

    def test_without_keys_only_this_machine_is_served(self):
        for listen, top, starts in (("0.0.0.0", "", False), ("0.0.0.0", "insecure: true", True), ("0.0.0.0", KEYS, True), ("127.0.0.1", "", True)):
            port = world.free_port()
            config = world.scratch() / "rung.yaml"
            config.write_text(f"listen: {listen}:{port}\nledger: off\n{top}\nupstreams: {{u: {{base_url: http://127.0.0.1:1/v1}}}}\nmodels: "
                              "{rung-small: {upstream: u}}\n")
            done = cli("check-config", config, env={"BOB_KEY": BOB})
            self.assertEqual(done.returncode, 0 if starts else 2, done)
            if starts:
                continue
            done = cli("serve", "--config", config)
            self.assertEqual(done.returncode, 2)
            self.assertIn("insecure: true", done.stderr)

    def test_a_key_that_could_be_guessed_is_refused_and_not_repeated(self):
        config = world.scratch() / "rung.yaml"
        base = "ledger: off\nupstreams: {u: {base_url: http://127.0.0.1:1/v1}}\nmodels: {m: {upstream: u}}\nkeys: {alice: {%s}}\n"
        for wrong in ("key: hunter2", "hash: hunter2", "team: x", f"key: {ALICE}, hash: 'sha256:{'0' * 64}'"):
            config.write_text(base % wrong)
            done = cli("check-config", config)
            self.assertEqual(done.returncode, 2, done)
            self.assertIn("keys.alice", done.stderr)
            self.assertNotIn("hunter2", done.stderr)


class Admin(Money):
    def test_keys_are_made_changed_and_revoked_while_the_gateway_runs(self):
        self.start(KEYS)
        made = self.admin("POST", "/api/keys", {"name": "dave", "models": ["rung-small"], "limits": {"usd_total": 5}})
        self.assertEqual(made.status, 201, made)
        key = made.json["key"]
        self.assertTrue(key.startswith("rung-"))
        self.assertEqual(self.chat(key).status, 200)
        self.assertEqual(self.chat(key, model="rung-large").status, 403)
        self.assertEqual(self.admin("PATCH", "/api/keys/dave", {"models": None}).status, 200)
        self.assertEqual(self.chat(key, model="rung-large").status, 200)
        self.assertEqual(self.admin("PATCH", "/api/keys/dave", {"disabled": True}).status, 200)
        self.assertEqual(self.chat(key).status, 401)
        self.assertEqual(self.admin("PATCH", "/api/keys/dave", {"disabled": False}).status, 200)
        self.assertEqual(self.chat(key).status, 200)
        listed = {k["name"]: k for k in self.admin("GET", "/api/keys").json["keys"]}
        self.assertEqual(set(listed), {"alice", "bob", "old", "off", "dave"})
        self.assertGreater(listed["dave"]["spent_usd"]["total"], 0)
        self.assertEqual(listed["alice"]["labels"], {"cost centre": "4711"})
        self.assertNotIn(key, json.dumps(listed))
        self.assertEqual(self.admin("DELETE", "/api/keys/dave").status, 200)
        self.assertEqual(self.chat(key).status, 401)
        self.assertEqual(self.admin("DELETE", "/api/keys/dave").status, 404)
        self.assertEqual(self.admin("POST", "/api/keys", {"name": "dave"}).status, 400, "its name stays taken")
        self.assertEqual(self.admin("DELETE", "/api/keys/alice").status, 400, "of the configuration")
        for file in self.gateway.folder.iterdir():
            self.assertNotIn(key.encode(), file.read_bytes(), file)

    def test_revoking_the_last_key_opens_nothing(self):
        self.start("")
        self.assertEqual(self.chat().status, 200, "open on loopback until there is a key")
        key = self.admin("POST", "/api/keys", {"name": "only"}).json["key"]
        self.assertEqual(self.chat().status, 401)
        self.assertEqual(self.chat(key).status, 200)
        self.assertEqual(self.admin("DELETE", "/api/keys/only").status, 200)
        self.assertEqual(self.chat().status, 401)
        self.gateway.stop()
        self.start("", folder=self.gateway.folder)
        self.assertEqual(self.chat().status, 401, "and not after a restart")

    def test_the_token_is_asked_for_and_bad_requests_are_explained(self):
        self.start(KEYS)
        for method, path in (("GET", "/api/keys"), ("POST", "/api/keys"), ("GET", "/api/spend"), ("GET", "/api/budgets"), ("DELETE", "/api/keys/x")):
            for token in (None, "wrong", TOKEN + "x"):
                self.assertEqual(self.admin(method, path, {} if method == "POST" else None, token).status, 401, (method, path))
        for body in ({}, {"name": "a b"}, {"name": 3}, {"name": "x", "limit": 3}, {"name": "x", "limits": {"usd": 1}}, {"name": "x", "expires": "soon"}):
            reply = self.admin("POST", "/api/keys", body)
            self.assertEqual(reply.status, 400, reply)
            self.assertGreater(len(reply.json["error"]["message"]), 20)
        reply = fetch(self.gateway.admin_port, "POST", "/api/keys", '{"name":"x"}', {"authorization": f"Bearer {TOKEN}", "host": "evil.example"})
        self.assertEqual(reply.status, 403)
        self.assertEqual(self.chat(TOKEN).status, 401, "the admin's token is no client's key")

    def test_without_a_token_nothing_can_be_changed(self):
        self.gateway = Gateway(self.upstream.port)
        reply = fetch(self.gateway.admin_port, "POST", "/api/keys", '{"name":"x"}')
        self.assertEqual(reply.status, 403, reply)
        self.assertEqual(fetch(self.gateway.admin_port, "GET", "/api/summary").status, 200)

    def test_spend_and_budgets_are_told(self):
        self.start(KEYS, route="    limits: {usd_per_day: 7}\n")
        for _ in range(3):
            self.chat(ALICE, "[[usage:1000,100]]", model="auto")
        self.settled(3)
        spend = self.admin("GET", "/api/spend?by=key").json["spend"]
        self.assertEqual([(row["name"], row["requests"], row["prompt_tokens"]) for row in spend], [("alice", 3, 3000)])
        budgets = self.admin("GET", "/api/budgets").json["budgets"]
        auto = [b for b in budgets if b["scope"] == "route"][0]  # its requests have ended: their rows are there
        self.assertEqual(auto["limits"], {"usd_per_day": 7})
        self.assertAlmostEqual(auto["spent_usd"]["day"], spend[0]["spent_usd"], places=9)
        self.assertEqual(auto["reserved_usd"], 0)

    def test_keys_of_the_command_line_are_in_force_without_a_restart(self):
        self.start(KEYS)
        store = self.gateway.folder / "ledger.keys.db"
        done = cli("keys", "create", "erin", "--store", store, "--model", "rung-small", "--usd-total", "2", "--expires", "2999-01-01")
        self.assertEqual(done.returncode, 0, done)
        key = done.stdout.strip()
        self.assertTrue(wait_for(lambda: self.chat(key).status == 200))
        self.assertEqual(self.chat(key, model="rung-large").status, 403)
        self.assertIn("erin", cli("keys", "list", "--store", store).stdout)
        self.assertEqual(cli("keys", "create", "erin", "--store", store).returncode, 2)
        self.assertEqual(cli("keys", "revoke", "erin", "--store", store).returncode, 0)
        self.assertTrue(wait_for(lambda: self.chat(key).status == 401))
        made = cli("keys", "new").stdout.split()
        self.assertTrue(made[0].startswith("rung-") and made[1].startswith("sha256:"), made)


class Limits(Money):
    def limited(self, limits, extra=""):
        return self.start(f'keys:\n  alice: {{key: "{ALICE}", limits: {limits}}}\n{extra}')

    def test_requests_per_minute(self):
        self.limited("{requests_per_minute: 3}")
        replies = [self.chat(ALICE) for _ in range(4)]
        self.assertEqual([r.status for r in replies], [200, 200, 200, 429])
        self.assertEqual([r.headers["x-ratelimit-remaining-requests"] for r in replies], ["2", "1", "0", "0"])
        self.assertEqual(replies[0].headers["x-ratelimit-limit-requests"], "3")
        self.assertTrue(1 <= int(replies[3].headers["retry-after"]) <= 61, replies[3])
        error = replies[3].json["error"]
        self.assertEqual((error["type"], error["code"]), ("rate_limit_error", "rate_limit_exceeded"))
        self.assertEqual(len(self.upstream.seen), 3)

    def test_tokens_per_minute_are_reserved_and_then_counted(self):
        self.limited("{tokens_per_minute: 1000}")
        self.assertEqual(self.chat(ALICE, "[[usage:10,20]]", max_tokens=900).status, 200)
        reply = self.chat(ALICE, "[[usage:10,20]]", max_tokens=900)
        self.assertEqual(reply.status, 200, "the first used 30 of what it reserved")
        self.assertEqual(self.chat(ALICE, max_tokens=2000).status, 429)
        never = self.chat(ALICE, max_tokens=2000)
        self.assertNotIn("retry-after", never.headers)
        self.assertEqual(never.headers["x-should-retry"], "false")

    def test_concurrent_requests(self):
        self.limited("{concurrent: 2}")
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            statuses = [r.status for r in pool.map(lambda _: self.chat(ALICE, "[[usage:1,1]][[pause:0.5]]"), range(8))]
        self.assertEqual(self.upstream.most_running, 2)
        self.assertEqual(sorted(set(statuses)), [200, 429])
        self.assertEqual(self.chat(ALICE).status, 200)

    def test_a_budget_that_is_spent_says_so_in_dollars(self):
        self.limited("{usd_per_day: 0.001}")
        first = self.chat(ALICE, "[[usage:0,90]]", model="rung-small", max_tokens=100)
        self.assertEqual(first.status, 200, first)
        self.assertEqual(first.headers["x-rung-budget-remaining"], "0.001000000", "before this request")
        self.chat(ALICE, "[[usage:0,4890]]", model="rung-small", max_tokens=100)  # a host that does not keep to the limit
        self.settled(2)
        reply = self.chat(ALICE, max_tokens=100)
        self.assertEqual(reply.status, 402, reply)
        self.assertEqual(reply.json["error"]["code"], "insufficient_quota")
        self.assertIn("key alice has a budget of 0.001000 USD per day", reply.json["error"]["message"])
        self.assertTrue(0 < int(reply.headers["retry-after"]) <= 86400)
        self.assertEqual(len(self.upstream.seen), 2)

    def test_what_has_no_price_is_refused_where_there_is_a_budget(self):
        self.start(f'keys: {{alice: {{key: "{ALICE}", limits: {{usd_total: 1}}}}, bob: {{key: "{BOB}"}}}}\n',
                   models="  unpriced: {upstream: recorder}\n")
        reply = self.chat(ALICE, model="unpriced")
        self.assertEqual(reply.status, 403, reply)
        self.assertIn("what unpriced costs is not known", reply.json["error"]["message"])
        self.assertEqual(self.chat(BOB, model="unpriced").status, 200)

    def test_a_route_has_limits_for_all_who_use_it(self):
        self.start(KEYS, route="    limits: {requests_per_minute: 2}\n")
        self.assertEqual([self.chat(ALICE, model="auto").status for _ in range(3)], [200, 200, 429])
        self.assertEqual(self.chat(ALICE).status, 200, "a model by name is not the route")

    def test_streams_count_and_a_client_that_leaves_gives_its_reservation_back(self):
        self.limited("{usd_total: 1, concurrent: 1}")
        reply = self.chat(ALICE, "[[usage:1000000,0]]", model="rung-small", stream=True, max_tokens=10)
        self.assertEqual(reply.status, 200)
        self.settled(1)
        self.assertEqual(self.rows("SELECT spent_nano FROM requests"), [(50_000_000,)])
        connection = http.client.HTTPConnection("127.0.0.1", self.gateway.port)
        connection.request("POST", "/v1/chat/completions", json.dumps({"model": "rung-small", "max_tokens": 10, "messages": [
            {"role": "user", "content": "[[hang]]"}]}), {"authorization": f"Bearer {ALICE}"})
        self.assertTrue(wait_for(lambda: len(self.upstream.seen) == 2))
        self.assertEqual(self.chat(ALICE).status, 429)
        connection.close()
        self.assertTrue(wait_for(lambda: self.chat(ALICE, max_tokens=10).status == 200))
        self.settled(4)
        self.assertTrue(wait_for(lambda: self.admin("GET", "/api/keys").json["keys"][0]["reserved_usd"] == 0))
        keys = self.admin("GET", "/api/keys").json["keys"][0]
        charged = sum(row[0] for row in self.rows("SELECT coalesce(charged_nano, spent_nano) FROM requests"))
        self.assertEqual(round(keys["spent_usd"]["total"] * 1e9), charged)
        self.assertEqual(keys["reserved_usd"], 0)

    def test_what_was_spent_survives_a_restart(self):
        self.limited("{usd_total: 0.1}")
        self.assertEqual(self.chat(ALICE, "[[usage:1900000,0]]", max_tokens=10).status, 200)  # 0.095 USD
        self.gateway.stop()
        folder = self.gateway.folder
        self.start(f'keys:\n  alice: {{key: "{ALICE}", limits: {{usd_total: 0.1}}}}\n', folder=folder)
        self.assertEqual(self.chat(ALICE, "[[usage:80000,0]]", max_tokens=10).status, 200)  # 0.004 USD
        self.assertEqual(self.chat(ALICE, max_tokens=10000).status, 402)
        self.gateway.stop()
        self.start(f'keys:\n  alice: {{key: "{ALICE}", limits: {{usd_total: 0.1}}}}\n', folder=folder)
        self.assertEqual(self.chat(ALICE, max_tokens=10000).status, 402)
        self.assertAlmostEqual(self.admin("GET", "/api/keys").json["keys"][0]["spent_usd"]["total"], 0.099, places=9)

    def test_new_limits_hold_from_the_reload_on(self):
        self.limited("{requests_per_minute: 1}")
        self.assertEqual(self.chat(ALICE).status, 200)
        self.assertEqual(self.chat(ALICE).status, 429)
        text = self.gateway.config.read_text()
        self.gateway.config.write_text(text.replace("requests_per_minute: 1", "requests_per_minute: 50"))
        self.assertTrue(wait_for(lambda: self.chat(ALICE).status == 200))


class Dialects(Money):
    BODY = {"model": "rung-small", "max_tokens": 10, "messages": [{"role": "user", "content": "hi"}]}

    def messages(self, key):
        return self.gateway.request("POST", "/v1/messages", json.dumps(self.BODY), {"x-api-key": key, "anthropic-version": "2023-06-01"})

    def test_refusals_have_the_shape_of_the_clients_dialect(self):
        self.start(f'keys:\n  alice: {{key: "{ALICE}", limits: {{requests_per_minute: 1}}}}\n  bob: {{key: "{BOB}", models: []}}\n'
                   f'  poor: {{key: "poor-{ALICE}", limits: {{usd_total: 0}}}}\n')
        self.assertEqual(self.messages(ALICE).status, 200)
        for key, status, kind in ((ALICE, 429, "rate_limit_error"), (BOB, 403, "permission_error"), (f"poor-{ALICE}", 402, "billing_error")):
            reply = self.messages(key)
            self.assertEqual(reply.status, status, reply)
            self.assertEqual((reply.json["type"], reply.json["error"]["type"]), ("error", kind))
        self.assertIn("retry-after", self.messages(ALICE).headers)
        count = self.gateway.request("POST", "/v1/messages/count_tokens", json.dumps(self.BODY), {"x-api-key": BOB})
        self.assertEqual(count.status, 403, count)


class Fallbacks(Money):
    def test_a_fallback_stays_within_key_and_budget(self):
        text = f"""keys:
  alice: {{key: "{ALICE}", limits: {{usd_total: 0.02}}}}
  bob: {{key: "{BOB}", models: [fragile]}}
resilience: {{attempts: 2, max_retry_after_ms: 10}}
"""
        self.start(text, models="  fragile: {upstream: recorder, name: fragile, price: {input: 1, output: 1}, fallback: [rung-large]}\n")
        refused = self.chat(BOB, "[[status:503]]", model="fragile", max_tokens=100)
        self.assertEqual(refused.status, 503, refused)
        self.assertEqual({json.loads(seen.body)["model"] for seen in self.upstream.seen}, {"fragile"}, "the key may not use the other")
        before = len(self.upstream.seen)
        # The stand-in costs up to 10 USD a million: 1,500 tokens fit into the budget, 2,500 do not.
        self.chat(ALICE, "[[status:503]]", model="fragile", max_tokens=1500)
        self.assertIn("rung-large", [json.loads(seen.body)["model"] for seen in self.upstream.seen[before:]])
        before = len(self.upstream.seen)
        self.chat(ALICE, "[[status:503]]", model="fragile", max_tokens=2500)
        self.assertNotIn("rung-large", [json.loads(seen.body)["model"] for seen in self.upstream.seen[before:]])
        alice = lambda: {k["name"]: k for k in self.admin("GET", "/api/keys").json["keys"]}["alice"]
        self.assertTrue(wait_for(lambda: (alice()["reserved_usd"], alice()["spent_usd"]["total"]) == (0, 0)), alice())


class Tls(Money):
    def test_clients_are_served_over_tls_and_a_renewed_certificate_is_taken_into_use(self):
        folder = world.scratch()

        def certify(name):
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                            "-keyout", folder / "key.pem", "-out", folder / "cert.pem", "-subj", f"/CN={name}",
                            "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)

        def ask():
            context = ssl.create_default_context(cafile=folder / "cert.pem")
            connection = http.client.HTTPSConnection("127.0.0.1", self.gateway.own_port, timeout=10, context=context)
            connection.request("POST", "/v1/chat/completions", json.dumps({"model": "rung-small", "messages": [
                {"role": "user", "content": "x" * 100_000}]}), {"authorization": f"Bearer {ALICE}"})
            reply = connection.getresponse()
            return reply.status, reply.read(), dict(connection.sock.getpeercert()["subject"][0])["commonName"]

        certify("first")
        real = world.Process.answers
        world.Process.answers = lambda process, path: "listening on" in process.output()
        try:
            self.start(KEYS + "tls: {certificate: cert.pem, key: key.pem}\n", folder=folder)
        finally:
            world.Process.answers = real
        self.assertEqual(ask(), (200, world.ANSWER, "first"))
        with self.assertRaises((OSError, http.client.HTTPException)):
            self.gateway.request("GET", "/healthz", timeout=5)
        certify("second")
        self.gateway.popen.send_signal(signal.SIGHUP)

        def renewed():
            try:
                return ask()[2] == "second"
            except ssl.SSLError:  # still the first one's
                return False
        self.assertTrue(wait_for(renewed))
        config = self.gateway.config
        config.write_text(config.read_text().replace("key: key.pem", "key: cert.pem"))
        done = cli("check-config", config, env={"BOB_KEY": BOB, "UPSTREAM_KEY": world.KEY})
        self.assertEqual(done.returncode, 2)
        self.assertIn("cert.pem is not usable", done.stderr)


class Overshoot(Money):
    def test_a_thousand_clients_on_one_key_with_a_dollar_never_spend_more(self):
        """1,000 connections at once over 4 workers; each call costs 0.004 to 0.01 USD of a budget of 1 USD."""
        budget, clients = 1.0, 1000
        self.start(f'workers: 4\nkeys:\n  alice: {{key: "{ALICE}", limits: {{usd_total: {budget}}}}}\n')
        start, results, lock = threading.Barrier(clients), [], threading.Lock()

        def client(i):
            out = 400 + (i * 7919) % 600  # of 1000 that are reserved, at 10 USD a million
            body = json.dumps({"model": "rung-large", "max_tokens": 1000, "messages": [
                {"role": "user", "content": f"[[usage:{i % 200},{out}]][[pause:0.05]]"}]})
            connection = http.client.HTTPConnection("127.0.0.1", self.gateway.port, timeout=60)
            try:
                connection.connect()
                start.wait()
                while True:
                    connection.request("POST", "/v1/chat/completions", body, {"authorization": f"Bearer {ALICE}"})
                    reply = connection.getresponse()
                    text = reply.read()
                    if reply.status == 429:  # the rest is reserved: running calls may give some of it back
                        time.sleep(0.3)
                        continue
                    with lock:
                        results.append((reply.status, text))
                    return
            finally:
                connection.close()

        threads = [threading.Thread(target=client, args=(i,), daemon=True) for i in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(100)
        self.assertEqual(len(results), clients)
        self.assertEqual({status for status, _ in results}, {200, 402})
        charged = (self.upstream.tokens[0] * 2500 + self.upstream.tokens[1] * 10000)  # the upstream's own count, nano-USD
        self.assertLessEqual(charged, budget * 1e9)
        self.assertGreater(charged, 0.97 * budget * 1e9, "the budget was hardly used: the test shows nothing")
        answered = sum(status == 200 for status, _ in results)
        self.assertTrue(wait_for(lambda: self.rows("SELECT count(*), sum(spent_nano) FROM requests WHERE outcome='ok'")[0] == (answered, charged)),
                        "the ledger's sum is not the upstream's")
        self.assertEqual(round(self.admin("GET", "/api/keys").json["keys"][0]["spent_usd"]["total"] * 1e9), charged)


if __name__ == "__main__":
    unittest.main(verbosity=2)
