#!/usr/bin/env python3
"""kill -9 under load: every row that was acknowledged before the kill is there afterwards, and the sums still agree.

usage: kill_test.py [Class.test_name...]        KILLS=50 kill_test.py makes so many kills (default 3)

A row is acknowledged once a reader of the ledger can see it (docs/ledger.md). A watcher reads all the time, as the dashboard does;
what it saw, it must see again, with the same cost.
"""
import http.client
import json
import os
import random
import signal
import sqlite3
import threading
import time
import unittest

import world
from money_test import ALICE, Money

KILLS = int(os.environ.get("KILLS", "3"))
CLIENTS = 24


class Kill(Money):
    def read(self, sql):
        with sqlite3.connect(f"file:{self.gateway.ledger}?mode=ro", uri=True, timeout=5) as db:
            return db.execute(sql).fetchall()

    def client(self, stop, told, stream):
        """Asks as fast as it can; `told` gets the decisions whose whole reply came."""
        body = json.dumps({"model": "rung-large", "max_tokens": 100, "stream": stream, "messages": [
            {"role": "user", "content": "[[usage:100,50]]"}]})
        connection = None
        while not stop.is_set():
            try:
                connection = connection or http.client.HTTPConnection("127.0.0.1", self.gateway.port, timeout=5)
                connection.request("POST", "/v1/chat/completions", body, {"authorization": f"Bearer {ALICE}"})
                reply = connection.getresponse()
                text = reply.read()
                if reply.status == 200 and (not stream or b"[DONE]" in text):
                    told[reply.headers["x-rung-decision-id"]] = time.monotonic()
            except (OSError, http.client.HTTPException):
                if connection:
                    connection.close()
                connection = None
                time.sleep(0.01)

    def test_what_was_acknowledged_is_there_afterwards(self):
        self.kill_and_look(before_reply=False)

    def test_with_before_reply_every_whole_reply_has_its_row(self):
        self.kill_and_look(before_reply=True)

    def config(self, gateway, text):
        return text.replace("ledger: {path: ", "ledger: {before_reply: true, path: ") if self.before_reply else text

    def kill_and_look(self, before_reply):
        self.before_reply = before_reply
        keys = f'workers: 2\nkeys:\n  alice: {{key: "{ALICE}", limits: {{usd_total: 1000}}}}\n'
        folder, rng = world.scratch(), random.Random(7)
        acknowledged, told_in_all, lost_of_told = {}, 0, 0
        for kill in range(KILLS):
            self.start(keys, folder=folder)
            stop, told = threading.Event(), {}
            clients = [threading.Thread(target=self.client, args=(stop, told, i % 2 == 0), daemon=True)
                       for i in range(CLIENTS)]
            for thread in clients:
                thread.start()
            end = time.monotonic() + rng.uniform(0.3, 1.2)
            highest = 0
            while time.monotonic() < end:
                rows = self.read(f"SELECT n, id, spent_nano FROM requests WHERE n > {highest}")
                acknowledged.update((row[1], row[2]) for row in rows)
                highest = max([highest, *(row[0] for row in rows)])
            self.gateway.popen.send_signal(signal.SIGKILL)
            killed = time.monotonic()
            self.gateway.popen.wait()
            stop.set()
            for thread in clients:
                thread.join(10)
            there = dict(self.read("SELECT id, spent_nano FROM requests"))
            self.assertGreater(len(acknowledged), 0, "nothing was acknowledged: the test shows nothing")
            missing = {id for id in acknowledged if there.get(id) != acknowledged[id]}
            self.assertEqual(missing, set(), f"lost by kill {kill}")
            self.assertEqual(self.read("PRAGMA integrity_check"), [("ok",)])
            lost = {id: killed - at for id, at in told.items() if id not in there}
            told_in_all += len(told)
            lost_of_told += len(lost)
            if before_reply:
                self.assertEqual(lost, {}, "a client had its whole reply, and its row is gone")
            # What a client was told and no reader had seen: only the batch in memory, 50 ms and the time to write it.
            self.assertLess(max(lost.values(), default=0), 2, "a row waited far longer than its batch")
            # The sums of days are of the same transactions as the requests.
            self.assertEqual(self.read("SELECT sum(charged_nano), sum(requests) FROM spend WHERE scope='key'"),
                             self.read("SELECT sum(coalesce(charged_nano, spent_nano)), count(*) FROM requests"))
        self.start(keys, folder=folder)
        total = self.admin("GET", "/api/keys").json["keys"][0]["spent_usd"]["total"]
        self.assertEqual(round(total * 1e9), self.read("SELECT sum(charged_nano) FROM spend WHERE scope='key'")[0][0])
        print(f"\nbefore_reply {before_reply}: {KILLS} kills: {len(acknowledged)} rows acknowledged before one, 0 missing; of {told_in_all} whole replies "
              f"{lost_of_told} had their row still in memory", flush=True)


if __name__ == "__main__":
    unittest.main(verbosity=2)
