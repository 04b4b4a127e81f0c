#!/usr/bin/env bash
# Requests per second and processor time of a proxy against a bare nginx proxy_pass: the same mock upstream, 64
# connections, 200-byte prompts, in alternation, so that only their ratios are quoted.
#
#   bench/proxy_nginx.sh [--rounds 5] [--seconds 5] [--connections 64] [--threads 2] [--build build/release]
#                        [--model mock] [--stream] [--proxy 'COMMAND with {LISTEN} and {MOCK}']
#
# The default proxy is proxy_example of the build. Needs nginx and wrk. Everything listens on loopback and ends here.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
rounds=5 seconds=5 connections=64 threads=2 build=$root/build/release model=mock stream= proxy=
while [ $# -gt 0 ]; do
  case $1 in
    --rounds) rounds=$2 ;; --seconds) seconds=$2 ;; --connections) connections=$2 ;; --threads) threads=$2 ;;
    --build) build=$(cd "$2" && pwd) ;; --model) model=$2 ;; --proxy) proxy=$2 ;;
    --stream) stream=',"stream":true'; shift; continue ;;
    -h | --help) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "proxy_nginx: unknown option '$1'" >&2; exit 2 ;;
  esac
  shift 2
done
PATH=$PATH:/usr/sbin
for tool in nginx wrk python3; do
  command -v "$tool" >/dev/null || { echo "proxy_nginx: $tool is missing" >&2; exit 2; }
done
[ -x "$build/bench/mock_upstream" ] || { echo "proxy_nginx: $build/bench/mock_upstream is missing; build it first" >&2; exit 2; }

work=$(mktemp -d) pids=()
finish() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; wait "$pid" 2>/dev/null || true; done
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM
read -r mock_port nginx_port proxy_port <<<"$(python3 -c 'import socket
held = [socket.socket() for _ in range(3)]
for s in held: s.bind(("127.0.0.1", 0))
print(*(s.getsockname()[1] for s in held))')"

"$build/bench/mock_upstream" --listen "127.0.0.1:$mock_port" & pids+=($!)
cat >"$work/nginx.conf" <<END
worker_processes $threads; pid $work/nginx.pid; daemon off; error_log $work/nginx.log error;
events { worker_connections 4096; }
http {
  access_log off; client_body_temp_path $work/body; proxy_temp_path $work/proxy;
  fastcgi_temp_path $work/fastcgi; uwsgi_temp_path $work/uwsgi; scgi_temp_path $work/scgi;
  client_body_buffer_size 256k; keepalive_requests 100000000; tcp_nodelay on; proxy_buffering on;
  upstream mock { server 127.0.0.1:$mock_port; keepalive 256; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:$nginx_port reuseport;
    location / { proxy_pass http://mock; proxy_http_version 1.1; proxy_set_header Connection ""; }
  }
}
END
[ -z "$stream" ] || sed -i 's/proxy_buffering [^;]*;/proxy_buffering off;/' "$work/nginx.conf"
nginx -e "$work/nginx.log" -c "$work/nginx.conf" & pids+=($!)
nginx_pid=$!
[ -n "$proxy" ] || proxy="$build/bench/proxy_example {LISTEN} {MOCK} $threads"
proxy=${proxy//\{LISTEN\}/127.0.0.1:$proxy_port}
proxy=${proxy//\{MOCK\}/http://127.0.0.1:$mock_port}
$proxy & pids+=($!)
proxy_pid=$!

cat >"$work/post.lua" <<END
wrk.method = "POST"
wrk.headers["content-type"] = "application/json"
wrk.body = '{"model":"$model","messages":[{"role":"user","content":"' .. string.rep("say hello ", 20) .. '"}]$stream}'
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format("RESULT %.0f %.0f %.0f %d\n", summary.requests / summary.duration * 1e6, latency:percentile(50),
    latency:percentile(99), e.connect + e.read + e.write + e.status + e.timeout))
end
END
sleep 0.5
ticks() { # processor time of a process and its children, in clock ticks
  local total=0 pid
  for pid in "$1" $(cat "/proc/$1/task/$1/children" 2>/dev/null); do
    total=$((total + $(sed 's/.*) //' "/proc/$pid/stat" | awk '{print $12 + $13}')))
  done
  echo "$total"
}
measure() { # NAME PORT PID
  local before after result
  before=$(ticks "$3")
  result=$(wrk -t1 -c"$connections" -d"${seconds}s" -s "$work/post.lua" "http://127.0.0.1:$2/v1/chat/completions" | grep RESULT)
  after=$(ticks "$3")
  echo "$1 ${result#RESULT } $((after - before))" | tee -a "$work/results" >&2
}
for ((round = 0; round < rounds; ++round)); do
  if ((round % 2 == 0)); then
    measure nginx "$nginx_port" "$nginx_pid"; measure proxy "$proxy_port" "$proxy_pid"
  else
    measure proxy "$proxy_port" "$proxy_pid"; measure nginx "$nginx_port" "$nginx_pid"
  fi
done
python3 - "$work/results" "$seconds" "$(getconf CLK_TCK)" <<'END'
import statistics, sys
rows = [line.split() for line in open(sys.argv[1])]
seconds, hertz = float(sys.argv[2]), float(sys.argv[3])
of = lambda name: [[float(x) for x in r[1:]] for r in rows if r[0] == name]
nginx, proxy = of("nginx"), of("proxy")
def line(what, values, digits=3):
    print(f"{what}: min {min(values):.{digits}f}  median {statistics.median(values):.{digits}f}  max {max(values):.{digits}f}")
line("requests per second, proxy / nginx", [p[0] / n[0] for n, p in zip(nginx, proxy)])
line("median latency, proxy / nginx", [p[1] / n[1] for n, p in zip(nginx, proxy)])
cpu = lambda r: r[4] / hertz / max(1, r[0] * seconds) * 1e6
line("processor us per request, proxy", [cpu(p) for p in proxy], 1)
line("processor us per request, nginx", [cpu(n) for n in nginx], 1)
print(f"errors: proxy {sum(p[3] for p in proxy):.0f}, nginx {sum(n[3] for n in nginx):.0f}")
END
