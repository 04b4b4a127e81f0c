// The dashboard. Every value from the ledger enters the page as a text node or a number; nothing is parsed as HTML.
'use strict';

const SPANS = [['1 h', 3600], ['24 h', 86400], ['7 d', 604800], ['30 d', 2592000]];
let span = 86400, picked = false;  // until the reader picks a span, a ledger younger than an hour is shown as one
let timer = 0;
let token = new URLSearchParams(location.hash.slice(1)).get('token') || sessionStorage.getItem('token') || '';
if (location.hash.startsWith('#token=')) { sessionStorage.setItem('token', token); history.replaceState(null, '', '/'); }

// --- making elements ---
function el(tag, attributes, ...children) { return fill(document.createElement(tag), attributes, children); }
function svg(tag, attributes, ...children) { return fill(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children); }
function fill(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes || {})) {
    if (key.startsWith('on')) node.addEventListener(key.slice(2), value); else node.setAttribute(key, value);
  }
  node.append(...children.flat(3).filter((c) => c !== null && c !== undefined).map((c) => c instanceof Node ? c : String(c)));
  return node;
}
const card = (size, title, ...rest) => el('section', {class: `card ${size}`}, title ? el('h2', {}, title) : null, ...rest);

// --- words for numbers; unknown is a dash, never 0 ---
const whole = (n) => n === null ? '–' : n.toLocaleString('en-US');
function usd(n) {
  if (n === null) return '–';
  if (n === 0) return '$0';
  const size = Math.abs(n);
  return (n < 0 ? '−$' : '$') + (size >= 100 ? size.toFixed(0) : size >= 1 ? size.toFixed(2) : size.toPrecision(3).replace(/e.*/, '') === size.toPrecision(3) ? size.toPrecision(3) : size.toFixed(9).replace(/0+$/, ''));
}
function millis(n) { return n === null ? '–' : n < 1 ? `${(n * 1000).toFixed(0)} µs` : n < 1000 ? `${n.toFixed(n < 10 ? 1 : 0)} ms` : `${(n / 1000).toFixed(n < 10000 ? 2 : 1)} s`; }
const part = (a, b) => b > 0 ? a === 0 ? '0 %' : `${(100 * a / b).toFixed(a / b < 0.1 ? 1 : 0)} %` : '–';
const points = (q) => q === null ? '–' : (100 * q).toFixed(1);
const DAY = {hourCycle: 'h23'}, SHORT = {...DAY, month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit'};
const when = (us) => new Date(us / 1000).toLocaleString(undefined, {...DAY, dateStyle: 'medium', timeStyle: 'medium'});
const clock = (us) => new Date(us / 1000).toLocaleString(undefined, span > 86400 ? {month: 'short', day: 'numeric'} : {...DAY, hour: '2-digit', minute: '2-digit'});
function moment(us) {  // the time of day; of another day with its date
  const then = new Date(us / 1000);
  return then.toDateString() === new Date().toDateString() ? then.toLocaleTimeString(undefined, DAY) : then.toLocaleString(undefined, SHORT);
}
const plural = (n, word) => `${whole(n)} ${word}${n === 1 ? '' : 's'}`;

// --- colours: arms take theirs in the order of the configuration, the same on every page; grey is for no arm ---
const colours = new Map([[null, 5]]);
function colour(arm) { if (!colours.has(arm)) colours.set(arm, [0, 1, 2, 3, 4, 6, 7][(colours.size - 1) % 7]); return `f${colours.get(arm)}`; }
async function palette() { if (colours.size === 1) for (const route of (await ask('/api/routes')).routes) route.arms.forEach(colour); }
const label = (arm) => arm === null ? 'no arm' : arm;
const named = (arm) => [el('span', {class: `dot ${colour(arm)}`}), label(arm)];

async function ask(path) {
  const reply = await fetch(path, {headers: token ? {authorization: `Bearer ${token}`} : {}});
  const body = await reply.json();
  if (!reply.ok) throw new Error(body.error.message);
  return body;
}
function notice(text) { const n = document.getElementById('notice'); n.hidden = !text; n.textContent = text || ''; }
function show(...nodes) { document.getElementById('view').replaceChildren(...nodes); }

// --- charts: one unit is one pixel, so that letters keep their size on every screen ---
function chartWidth(columns) {  // of a card so many columns wide; the numbers are those of dashboard.css
  const small = innerWidth <= 560, inner = Math.min(1180, document.documentElement.clientWidth) - (small ? 24 : 40);
  return Math.max(240, Math.floor((inner + 16) * (innerWidth <= 860 ? 12 : columns) / 12 - 16 - (small ? 30 : 38)));
}
function ticks(low, high, about) {
  const rough = (high - low) / about, power = 10 ** Math.floor(Math.log10(rough)), step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough * .999);
  const found = [];
  for (let n = Math.ceil(low / step - 1e-9); n * step <= high + step * 1e-9; n++) found.push(n * step);
  return found;
}

function requestsChart(s) {
  const W = chartWidth(8), H = 190, left = 40, bottom = 22, count = s.buckets.length, step = (W - left) / count;
  const most = Math.max(1, ...s.buckets.map((b) => b.arms.reduce((n, a) => n + a.requests, 0))), top = most + most % 2;
  const y = (n) => (H - bottom) * (1 - n / top);
  const chart = svg('svg', {class: 'chart', viewBox: `0 -8 ${W} ${H + 10}`, role: 'img', 'aria-label': 'Requests over time by arm'});
  for (const n of [0, top / 2, top]) chart.append(svg('line', {class: 'axis', x1: left, x2: W, y1: y(n), y2: y(n)}), svg('text', {x: left - 6, y: y(n) + 4, 'text-anchor': 'end'}, whole(n)));
  const every = Math.ceil(count / Math.max(2, Math.floor(W / 115)));
  s.buckets.forEach((bucket, i) => {
    let sum = 0;
    const order = s.by_arm.map((a) => bucket.arms.find((b) => b.arm === a.name)).filter(Boolean);
    for (const a of order) {
      const from = y(sum); sum += a.requests;
      chart.append(svg('rect', {class: colour(a.arm), x: left + i * step + 1, width: Math.max(1, step - 2), y: y(sum), height: from - y(sum)}, svg('title', {}, `${clock(bucket.start_us)}: ${label(a.arm)}, ${plural(a.requests, 'request')}`)));
    }
    if (i % every === 0 && left + i * step < W - 36) chart.append(svg('text', {x: left + i * step, y: H - 5}, clock(bucket.start_us)));
  });
  return [chart, el('div', {class: 'legend'}, s.by_arm.map((a) => el('span', {}, named(a.name), ` ${part(a.requests, s.all.requests)}`)))];
}

function qualityChart(all) {
  const arms = all.filter((a) => a.name !== null), W = chartWidth(4), row = 40, H = arms.length * row + 20, x = (q) => 8 + q * (W - 20);
  const chart = svg('svg', {class: 'chart', viewBox: `0 0 ${W} ${H}`, role: 'img', 'aria-label': 'Mean feedback score by arm with 95 % interval'});
  for (const q of [0, .5, 1]) chart.append(svg('text', {x: x(q), y: H - 4, 'text-anchor': 'middle'}, 100 * q));
  arms.forEach((a, i) => {
    const y = i * row + 26, most = Math.floor((W - 120) / 7.2);
    for (const q of [0, .5, 1]) chart.append(svg('line', {class: 'axis', x1: x(q), x2: x(q), y1: y - 7, y2: y + 7}));
    chart.append(svg('line', {class: 'axis', x1: x(0), x2: x(1), y1: y, y2: y}));
    chart.append(svg('text', {class: 'strong', x: 0, y: y - 13}, a.name.length > most ? `${a.name.slice(0, most - 1)}…` : a.name, svg('title', {}, a.name)),
      svg('text', {x: W, y: y - 13, 'text-anchor': 'end'}, a.scored ? `${points(a.score)} from ${plural(a.scored, 'score')}` : 'no feedback yet'));
    if (a.scored) chart.append(svg('line', {class: `whisker ${colour(a.name)}`, x1: x(a.score_low), x2: x(a.score_high), y1: y, y2: y}), svg('circle', {class: colour(a.name), cx: x(a.score), cy: y, r: 5}));
  });
  return chart;
}

function estimateChart(d) {
  const arms = d.arms.filter((a) => a.quality !== null && a.cost_usd !== null && a.cost_usd > 0);
  if (!arms.length) return el('p', {class: 'quiet'}, d.arm === null ? 'None: no model was chosen.' : 'No estimates: the model was named directly, or no arm could be scored.');
  const W = chartWidth(8), H = 290, left = 40, right = 12, bottom = 44;
  const costs = arms.map((a) => Math.log10(a.cost_usd)), se = (a) => a.quality_se || 0;
  let lo = Math.min(...costs), hi = Math.max(...costs); if (hi - lo < .3) { lo -= .3; hi += .3; }
  [lo, hi] = [lo - .05 * (hi - lo), hi + .05 * (hi - lo)];
  const qlo = Math.max(0, Math.min(...arms.map((a) => a.quality - se(a))) - .05), qhi = Math.min(1, Math.max(...arms.map((a) => a.quality + se(a))) + .05);
  const x = (c) => left + (Math.log10(c) - lo) / (hi - lo) * (W - left - right), y = (q) => 10 + (H - bottom - 20) * (1 - (q - qlo) / (qhi - qlo || 1));
  const chart = svg('svg', {class: 'chart', viewBox: `0 0 ${W} ${H}`, role: 'img', 'aria-label': 'Estimated quality against estimated cost of each arm'});
  const steps = ticks(qlo, qhi, 4), digits = steps.length > 1 && steps[1] - steps[0] < .00999 ? 1 : 0;
  for (const q of steps) chart.append(svg('line', {class: 'axis', x1: left, x2: W, y1: y(q), y2: y(q)}), svg('text', {x: left - 6, y: y(q) + 4, 'text-anchor': 'end'}, (100 * q).toFixed(digits)));
  const inView = (mantissas) => Array.from({length: Math.ceil(hi) - Math.floor(lo) + 1}, (_, i) => Math.floor(lo) + i).flatMap((p) => mantissas.map((m) => m * 10 ** p)).filter((c) => Math.log10(c) >= lo && Math.log10(c) <= hi);
  chart.append(svg('line', {class: 'axis', x1: left, x2: W, y1: H - bottom, y2: H - bottom}));
  let after = 0;
  for (const c of inView([1]).length > 1 ? inView([1]) : inView([1, 2, 5])) {
    const text = '$' + c.toFixed(9).replace(/\.?0+$/, ''), half = text.length * 3.3;
    if (x(c) - half < after) continue;
    after = x(c) + half + 12;
    chart.append(svg('line', {class: 'axis', x1: x(c), x2: x(c), y1: H - bottom, y2: H - bottom + 5}), svg('text', {x: Math.min(x(c), W - half), y: H - 22, 'text-anchor': 'middle'}, text));
  }
  chart.append(svg('text', {x: W, y: H - 4, 'text-anchor': 'end'}, W < 420 ? 'cost, USD, log →' : 'estimated cost of the call, logarithmic →'), svg('text', {x: 0, y: H - 4}, W < 420 ? '↑ quality ± std. error' : '↑ estimated quality, 0 to 100, ± standard error'));
  const taken = arms.map((a) => [x(a.cost_usd) - 9, y(a.quality + se(a)), x(a.cost_usd) + 9, y(a.quality - se(a))]);
  const first = (a) => a.arm === d.arm ? 0 : a.arm === d.runner_up ? 1 : 2;
  for (const a of [...arms].sort((a, b) => first(a) - first(b))) {
    const px = x(a.cost_usd), py = y(a.quality), chosen = a.arm === d.arm, opacity = a.eligible ? 1 : .35;
    chart.append(svg('line', {class: `whisker ${colour(a.arm)}`, x1: px, x2: px, y1: y(Math.min(qhi, a.quality + se(a))), y2: y(Math.max(qlo, a.quality - se(a))), opacity}),
      svg('circle', {class: colour(a.arm), cx: px, cy: py, r: chosen ? 8 : 5, opacity}, svg('title', {}, `${a.arm}: ${points(a.quality)} ± ${points(se(a))} for ${usd(a.cost_usd)}`)));
    const text = a.arm + (chosen ? ' ✓ chosen' : a.arm === d.runner_up ? ' (second)' : a.eligible ? '' : ' (ruled out)'), width = text.length * (chosen ? 7.2 : 6.3);
    const middle = Math.max(left, Math.min(px - width / 2, W - width)), beside = (rise) => [[px + 13, py + rise], [px - 13 - width, py + rise]];
    const spots = [...beside(0), ...beside(-14), ...beside(14), [middle, y(a.quality + se(a)) - 14], [middle, y(a.quality - se(a)) + 14]];
    const free = spots.find(([from, at]) => from >= left && from + width <= W && at >= 4 && at + 7 <= H - bottom && !taken.some((t) => from < t[2] && t[0] < from + width && at - 7 < t[3] && t[1] < at + 7));
    const spot = free || (chosen ? [middle, py - 20] : null);  // another arm's name is left to the title of its point
    if (!spot) continue;
    taken.push([spot[0], spot[1] - 7, spot[0] + width, spot[1] + 7]);
    chart.append(svg('text', {class: chosen ? 'name strong' : 'name', x: spot[0], y: spot[1] + 4, ...(spot[0] < px - 13 && spot[0] !== middle ? {x: spot[0] + width, 'text-anchor': 'end'} : {})}, text));
  }
  return chart;
}

// --- pages ---
function table(heads, rows) {
  return el('div', {class: 'scroll'}, el('table', {}, el('thead', {}, el('tr', {}, heads.map(([text, kind]) => el('th', {class: kind || ''}, text)))), el('tbody', {}, rows)));
}
const cost = (d) => d.cost_unknown ? el('span', {class: 'warn'}, d.spent_usd > 0 ? `≥ ${usd(d.spent_usd)}` : 'unknown') : usd(d.spent_usd);
const state = (d) => el('span', {class: `pill ${d.outcome === 'ok' ? 'good' : d.outcome === 'client_gone' ? '' : 'bad'}`}, d.outcome === 'ok' ? 'ok' : `${d.outcome.replace('_', ' ')} ${d.http_status || ''}`);
function decisionRow(d) {
  const open = () => { location.hash = `#/d/${d.id}`; };
  return el('tr', {class: 'link', tabindex: 0, onclick: open, onkeydown: (e) => { if (e.key === 'Enter') open(); }},
    el('td', {class: 'time'}, moment(d.time_us)), el('td', {class: 'wideonly'}, d.route === null ? el('span', {class: 'quiet'}, 'named model') : d.route), el('td', {}, named(d.arm)),
    el('td', {}, state(d)), el('td', {class: 'num wideonly'}, millis(d.total_ms)), el('td', {class: 'num'}, cost(d)), el('td', {class: 'num wideonly'}, usd(d.reference_usd)));
}

function firstSteps(endpoint) {
  const command = `curl ${endpoint}/v1/chat/completions \\\n  -H 'content-type: application/json' \\\n  -d '{"model": "auto", "messages": [{"role": "user", "content": "What is 17 * 23?"}]}'`;
  return card('', 'Nothing here yet: send your first request', el('p', {}, 'Rung listens like OpenAI. Point any client at it, with the name of a route as the model:'), el('pre', {}, command),
    el('p', {class: 'quiet'}, 'Then this page shows where each request went, what it cost against the reference model, and why. It looks again every five seconds.'));
}

function tiles(s) {
  const a = s.all, refused = a.outcomes.refused, saved = a.compared_reference_usd - a.compared_spent_usd, unknown = a.cost_unknown;
  return [
    card('tile', '', el('span', {class: 'quiet'}, 'Requests'), el('b', {}, whole(a.requests)), el('span', {class: `small ${a.failed ? 'bad' : 'quiet'}`}, `${a.failed ? `${whole(a.failed)} failed, ${part(a.failed, a.requests)}` : 'none failed'}${refused ? `; ${whole(refused)} refused` : ''}`)),
    card('tile', '', el('span', {class: 'quiet'}, 'Spent'), el('b', {}, usd(a.spent_usd)), el('span', {class: `small ${unknown ? 'warn' : 'quiet'}`}, unknown ? `and ${plural(unknown, 'call')} of unknown cost` : 'every cost is known')),
    card('tile', '', el('span', {class: 'quiet'}, saved < 0 ? 'More than the reference' : 'Saved'), el('b', {class: a.compared ? saved < 0 ? 'bad' : 'good' : ''}, a.compared ? usd(Math.abs(saved)) : '–'),
      el('span', {class: 'small quiet'}, a.compared ? `${part(Math.abs(saved), a.compared_reference_usd)} of ${usd(a.compared_reference_usd)} with the reference model` : 'no request has a reference cost')),
    card('tile', '', el('span', {class: 'quiet'}, 'Answer time'), el('b', {}, a.total_ms ? millis(a.total_ms.p50) : '–'), el('span', {class: 'small quiet'}, a.total_ms ? `median; p90 ${millis(a.total_ms.p90)}, p99 ${millis(a.total_ms.p99)}` : 'no answer yet'))];
}

function spentTable(s) {
  const row = (a) => el('tr', {}, el('td', {}, named(a.name)), el('td', {class: 'num'}, whole(a.requests)), el('td', {class: 'num'}, usd(a.spent_usd), a.cost_unknown ? el('span', {class: 'warn'}, ` + ${whole(a.cost_unknown)} unknown`) : null),
    el('td', {class: 'num'}, a.compared ? usd(a.compared_reference_usd) : '–'), el('td', {class: 'num'}, a.compared ? part(a.compared_reference_usd - a.compared_spent_usd, a.compared_reference_usd) : '–'),
    el('td', {class: 'num'}, a.total_ms ? millis(a.total_ms.p50) : '–'), el('td', {class: 'num'}, a.first_byte_ms ? millis(a.first_byte_ms.p50) : '–'), el('td', {class: 'num'}, a.prompt_tokens === null ? '–' : `${whole(a.prompt_tokens)} / ${whole(a.completion_tokens)}`));
  const skipped = s.all.requests - s.all.compared;
  return card('', 'Where requests went and what they cost', table([['Arm'], ['Requests', 'num'], ['Spent', 'num'], ['Reference', 'num'], ['Saved', 'num'], ['Time p50', 'num'], ['First byte', 'num'], ['Tokens in / out', 'num']], s.by_arm.map(row)),
    el('p', {class: 'quiet small'}, `Reference: the route's reference arm at its prices, for the same tokens. ${skipped ? `${plural(skipped, 'request')} left out of the comparison: a cost is not known, or nothing was answered.` : 'Every request is in the comparison.'}`));
}

async function overview() {
  const [s, list, served] = await Promise.all([ask(`/api/summary?since=${span}`), ask('/api/decisions?limit=20'), ask('/api/routes'), palette()]);
  if (!picked && s.oldest_us !== null) {
    picked = true;
    if (Date.now() * 1000 - s.oldest_us < 3600e6) { pick(3600); return overview(); }
  }
  const drifts = served.routes.filter((route) => route.drifted).map((route) => `The threshold of ${route.name} has drifted: ${route.share}. Calibrate anew.`);
  const ledger = s.ledger.healthy ? s.ledger.lost ? `${plural(s.ledger.lost, 'record')} lost since the start: the ledger could not be written in time.` : '' : `${s.ledger.error} · ${plural(s.ledger.waiting, 'record')} waiting in memory, ${s.ledger.lost} lost. Requests go on.`;
  notice([ledger, ...drifts].filter(Boolean).join(' '));
  if (s.oldest_us === null) return show(firstSteps(s.endpoint));
  const body = el('tbody', {}, list.decisions.map(decisionRow));
  const grid = el('div', {class: 'grid'}, tiles(s),
    card('wide', 'Requests over time', s.all.requests ? requestsChart(s) : el('p', {class: 'quiet'}, `None in this time; the first one ever came ${when(s.oldest_us)}.`)),
    card('narrow', 'Quality from feedback', s.by_arm.length ? qualityChart(s.by_arm) : el('p', {class: 'quiet'}, 'No requests in this time.'),
      el('p', {class: 'quiet small'}, s.all.scored ? 'Mean score, 0 to 100, with its 95 % interval.' : 'Send scores to /v1/feedback with the id from x-rung-decision-id.')),
    s.by_arm.length ? spentTable(s) : null,
    card('', 'Recent decisions', el('div', {class: 'scroll'}, el('table', {}, el('thead', {}, el('tr', {}, [['Time'], ['Route', 'wideonly'], ['Arm'], ['State'], ['Took', 'num wideonly'], ['Cost', 'num'], ['Reference', 'num wideonly']].map(([t, k]) => el('th', {class: k || ''}, t)))), body)), olderButton(body, list.next_before)));
  show(grid);
}

function olderButton(body, before) {
  if (!before) return null;
  const button = el('button', {class: 'more', onclick: async () => {
    try {
      const page = await ask(`/api/decisions?limit=50&before=${before}`);
      clearInterval(timer);  // a refresh would fold the list up again
      body.append(...page.decisions.map(decisionRow));
      before = page.next_before; if (!before) button.remove();
    } catch (error) { notice(error.message); }
  }}, 'Older');
  return button;
}

const facts = (pairs) => el('dl', {}, pairs.filter(([, v]) => v !== null && v !== undefined && v !== '').map(([k, v]) => [el('dt', {}, k), el('dd', {}, v)]));

function policyNumber(d) {
  const n = d.policy_parameter;
  return n === null ? '' : d.policy === 'tradeoff' ? `, ${usd(n)} a point` : d.policy === 'max_cost' ? `, at most ${usd(n)}` : `, ${n}`;
}

async function decision(id) {
  const [d] = await Promise.all([ask(`/api/decisions/${encodeURIComponent(id)}`), palette()]);
  notice('');
  const out = d.arms.filter((a) => !a.eligible), saving = d.reference_usd !== null && !d.cost_unknown && d.calls.length ? d.reference_usd - d.spent_usd : null;
  const calls = d.calls.map((c) => el('tr', {}, el('td', {}, `${c.attempt}. ${c.model || '–'}`, el('div', {class: 'quiet small'}, c.upstream, c.step ? `, ${c.step}` : '')), el('td', {}, state({outcome: c.outcome, http_status: c.status}), c.error ? el('div', {class: 'bad small'}, c.error) : null),
    el('td', {class: 'num'}, whole(c.prompt_tokens), c.cached_tokens === null ? null : el('div', {class: 'quiet small'}, `${whole(c.cached_tokens)} cached`)), el('td', {class: 'num'}, whole(c.completion_tokens), c.reasoning_tokens === null ? null : el('div', {class: 'quiet small'}, `${whole(c.reasoning_tokens)} reasoning`)),
    el('td', {}, c.usage_source === 'provider' ? 'provider' : el('span', {class: 'warn'}, c.usage_source === 'estimate' ? 'our estimate' : 'unknown')), el('td', {class: 'num'}, c.cost_usd === null ? el('span', {class: 'warn'}, 'unknown') : usd(c.cost_usd)), el('td', {class: 'num'}, c.first_byte_ms === null ? '–' : millis(c.first_byte_ms - c.start_ms)), el('td', {class: 'num'}, millis(c.end_ms - c.start_ms))));
  show(el('p', {}, el('a', {href: '#/'}, '← All requests')), el('div', {class: 'grid'},
    card('', '', el('div', {class: 'quiet small'}, when(d.time_us), ' · ', d.id), el('h1', {}, named(d.arm), ' ', state(d)), el('p', {class: 'why'}, d.reason || (d.arm === null ? 'No model was chosen.' : d.route === null ? 'The client named this model: nothing was decided.' : 'No reason was recorded.')), d.error ? el('p', {class: 'bad'}, d.error) : null),
    card('wide', 'What was expected of each arm', estimateChart(d), out.length ? [el('h2', {}, 'Ruled out'), facts(out.map((a) => [a.arm, a.why_not]))] : null),
    card('narrow', 'The decision', facts([['Route', d.route || 'none: model named'], ['Asked for', d.requested_model], ['Served by', d.served_model ? `${d.served_model}${d.upstream ? ` at ${d.upstream}` : ''}` : null], ['Policy', d.policy ? d.policy.replace('_', ' ') + policyNumber(d) : null], ['Strategy', d.strategy && d.strategy.replaceAll('_', ' ')], ['Second', d.runner_up],
      ['Propensity', d.propensity === null ? null : d.propensity.toString()], ['Predictor', d.predictor], ['Seed', d.seed], ['Prompt hash', /^0*$/.test(d.prompt_hash) ? null : d.prompt_hash], ['Key', d.key_name]])),
    card('half', 'Money', facts([['Spent', cost(d)], ['Reference', d.reference_arm ? d.reference_usd === null ? 'not known' : `${usd(d.reference_usd)} for the same tokens from ${d.reference_arm}` : 'none'], ['Predicted', d.reference_estimate_usd === null ? null : `${usd(d.reference_estimate_usd)} for an answer of its own`], ['Saved', saving === null ? 'not known' : usd(saving)]])),
    card('half', 'Time', facts([['In all', millis(d.total_ms)], ['First byte', millis(d.first_byte_ms)], ['In Rung', millis(d.gateway_ms)], ['Form', d.streaming ? 'streamed' : 'at once']])),
    card('', 'Calls', d.calls.length ? table([['Call'], ['State'], ['Prompt', 'num'], ['Completion', 'num'], ['Counted by'], ['Cost', 'num'], ['First byte', 'num'], ['Took', 'num']], calls) : el('p', {class: 'quiet'}, 'No upstream was called.')),
    card('', 'Feedback', d.feedback.length ? facts(d.feedback.map((f) => [`${points(f.score)} of 100`, [f.source, f.comment, when(f.time_us)].filter(Boolean).join(' · ')])) : el('p', {class: 'quiet'}, 'No feedback yet.')),
    d.prompt ? card('', 'Prompt', el('pre', {}, d.prompt)) : null));
  scrollTo(0, 0);
}

async function route() {
  clearInterval(timer);
  const id = location.hash.startsWith('#/d/') ? location.hash.slice(4) : null;
  try { await (id ? decision(id) : overview()); } catch (error) { notice(error.message); if (id) show(el('p', {}, el('a', {href: '#/'}, '← All requests'))); }
  if (!id) timer = setInterval(() => { if (!document.hidden) overview().catch((error) => notice(`${error.message} Trying again.`)); }, 5000);
}

const spans = document.getElementById('spans');
function pick(seconds) {
  span = seconds;
  [...spans.children].forEach((button, i) => button.setAttribute('aria-pressed', SPANS[i][1] === seconds));
}
for (const [text, seconds] of SPANS) {
  spans.append(el('button', {'aria-pressed': seconds === span, onclick: () => {
    picked = true; pick(seconds);
    if (location.hash.startsWith('#/d/')) location.hash = '#/'; else route();
  }}, text));
}
let drawn = innerWidth, settled = 0;
addEventListener('resize', () => { if (innerWidth !== drawn) { drawn = innerWidth; clearTimeout(settled); settled = setTimeout(route, 150); } });
addEventListener('hashchange', route);
route();
