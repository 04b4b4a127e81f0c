#!/usr/bin/env bash
# Requests per second of `rung serve` (route auto over two models, shipped router, ledger on) against a bare nginx
# proxy_pass with keep-alive: the same mock upstream, the same cores, in alternation, so that only their ratio is quoted.
#
#   bench/serve_nginx.sh [--rounds 5] [--seconds 8] [--connections 64] [--build build/release] [--config bench/peers.yaml]
#
# Needs nginx and wrk (scripts/install-deps bench) and a build with RUNG_BENCH. Everything listens on loopback and ends here.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
command_line="bench/serve_nginx.sh $*"
rounds=5 seconds=8 connections=64 build=$root/build/release config=$root/bench/peers.yaml
while [ $# -gt 0 ]; do
  case $1 in
    --rounds) rounds=$2 ;; --seconds) seconds=$2 ;; --connections) connections=$2 ;;
    --build) build=$(cd "$2" && pwd) ;; --config) config=$(realpath "$2") ;;
    -h | --help) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "serve_nginx: unknown option '$1'" >&2; exit 2 ;;
  esac
  shift 2
done
PATH=$PATH:/usr/sbin
for tool in nginx wrk python3; do
  command -v "$tool" >/dev/null || { echo "serve_nginx: $tool is missing; scripts/install-deps bench installs it" >&2; exit 2; }
done
mock=$build/bench/mock_upstream
[ -x "$build/rung" ] && [ -x "$mock" ] ||
  { echo "serve_nginx: $build/rung or $mock is missing; build them: cmake --preset release && cmake --build --preset release" >&2; exit 2; }

work=$(mktemp -d) pids=()
finish() {
  local i
  for ((i = ${#pids[@]} - 1; i >= 0; --i)); do kill "${pids[i]}" 2>/dev/null || true; wait "${pids[i]}" 2>/dev/null || true; done
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

read -r mock_port nginx_port rung_port <<<"$(python3 -c 'import socket
held = [socket.socket() for _ in range(3)]
for s in held: s.bind(("127.0.0.1", 0))
print(*(s.getsockname()[1] for s in held))')"
cores="" # the same two cores for all, where there are more
[ "$(nproc)" -le 2 ] || cores="taskset -c 0,1"

$cores "$mock" --listen "127.0.0.1:$mock_port" >"$work/mock.log" 2>&1 </dev/null & pids+=($!)
cat >"$work/nginx.conf" <<END
worker_processes 2; pid $work/nginx.pid; daemon off; error_log $work/nginx.log error;
events { worker_connections 4096; }
http {
  access_log off; client_body_temp_path $work/body; proxy_temp_path $work/proxy;
  fastcgi_temp_path $work/fastcgi; uwsgi_temp_path $work/uwsgi; scgi_temp_path $work/scgi;
  client_body_buffer_size 256k; keepalive_requests 100000000; tcp_nodelay on;
  upstream mock { server 127.0.0.1:$mock_port; keepalive 256; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:$nginx_port;
    location / { proxy_pass http://mock; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; }
  }
}
END
$cores nginx -p "$work" -c "$work/nginx.conf" </dev/null 2>"$work/nginx.err" & pids+=($!)
sed -e "s/@MOCK@/$mock_port/g; s/@PORT@/$rung_port/g" "$config" >"$work/rung.yaml"
$cores "$build/rung" serve --config "$work/rung.yaml" >"$work/rung.log" 2>&1 </dev/null & pids+=($!)

prompt="Explain to a new colleague, in two short sentences and without any jargon, why a service that answers many small questions should keep its connections open instead of making a new one each time, please."
cat >"$work/post.lua" <<END
wrk.method = "POST"; wrk.headers["content-type"] = "application/json"
wrk.body = '{"model":"' .. os.getenv("MODEL") .. '","messages":[{"role":"user","content":"$prompt"}]}'
done = function(s, l, r)
  local e = s.errors
  io.write(string.format("RES %.1f %.2f %.2f %d\n", s.requests / (s.duration / 1e6), l:percentile(50) / 1e3, l:percentile(99) / 1e3,
    e.connect + e.read + e.write + e.timeout + e.status))
end
END
for port in "$nginx_port" "$rung_port"; do
  python3 - "$port" <<'END' || { echo "serve_nginx: port $port gave no 200 within 20 s" >&2; cat "$work"/*.log "$work/nginx.err" >&2; exit 1; }
import sys, time, urllib.request
for _ in range(200):
    try:
        body = b'{"model":"auto","messages":[{"role":"user","content":"hi"}]}'
        request = urllib.request.Request(f"http://127.0.0.1:{sys.argv[1]}/v1/chat/completions", body, {"content-type": "application/json"})
        urllib.request.urlopen(request, timeout=5).read()
        sys.exit(0)
    except OSError:
        time.sleep(0.1)
sys.exit(1)
END
done

measure() { # port -> "requests/s p50 p99 errors"
  MODEL=auto $cores wrk -t2 -c"$connections" -d"${seconds}s" --timeout 20s -s "$work/post.lua" "http://127.0.0.1:$1/v1/chat/completions" |
    awk '/^RES/ { print $2, $3, $4, $5 }'
}
echo "$command_line"
echo "commit $(git -C "$root" rev-parse --short HEAD 2>/dev/null || echo unknown)$(git -C "$root" diff --quiet HEAD 2>/dev/null || echo ' with changes'), $(date -u +%F), $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1), $(nproc) cores, Linux $(uname -r)"
echo "nginx $(nginx -v 2>&1 | sed 's#.*/##'), wrk -t2 -c$connections -d${seconds}s, prompt of ${#prompt} bytes, $rounds rounds in alternation"
: >"$work/rounds"
for ((round = 1; round <= rounds; ++round)); do
  if ((round % 2)); then n=$(measure "$nginx_port") r=$(measure "$rung_port"); else r=$(measure "$rung_port") n=$(measure "$nginx_port"); fi
  awk -v round="$round" -v n="$n" -v r="$r" 'BEGIN { split(n, a, " "); split(r, b, " ");
    printf "round %d: nginx %8.0f/s p50 %.2f ms p99 %.2f ms | rung %8.0f/s p50 %.2f ms p99 %.2f ms | ratio %.3f | errors %d %d\n",
      round, a[1], a[2], a[3], b[1], b[2], b[3], b[1] / a[1], a[4], b[4] }' | tee -a "$work/rounds"
done
python3 - "$work/rounds" <<'END'
import re, statistics, sys
text = open(sys.argv[1]).read()
ratios = [float(x) for x in re.findall(r"ratio ([\d.]+)", text)]
errors = sum(int(x) for pair in re.findall(r"errors (\d+) (\d+)", text) for x in pair)
print(f"ratio rung / nginx: min {min(ratios):.3f}, median {statistics.median(ratios):.3f}, max {max(ratios):.3f}; errors {errors}")
sys.exit(1 if errors else 0)
END
