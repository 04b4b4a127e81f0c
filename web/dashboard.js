// The dashboard. Every value from the ledger enters the page as a text node or a number; nothing is parsed as HTML.
'use strict';

const SPANS = [['1 h', 3600], ['24 h', 86400], ['7 d', 604800], ['30 d', 2592000]];
let span = 86400;
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
const part = (a, b) => b > 0 ? `${(100 * a / b).toFixed(a / b < 0.1 ? 1 : 0)} %` : '–';
const points = (q) => q === null ? '–' : (100 * q).toFixed(1);
const when = (us) => new Date(us / 1000).toLocaleString(undefined, {dateStyle: 'medium', timeStyle: 'medium'});
const clock = (us) => new Date(us / 1000).toLocaleString(undefined, span > 86400 ? {month: 'short', day: 'numeric'} : {hour: '2-digit', minute: '2-digit'});
const plural = (n, word) => `${whole(n)} ${word}${n === 1 ? '' : 's'}`;

// --- colours: an arm keeps its own while the page is open ---
const colours = new Map();
function colour(arm) { if (!colours.has(arm)) colours.set(arm, colours.size % 8); return `f${colours.get(arm)}`; }
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

// --- charts ---
function requestsChart(s) {
  const W = 760, H = 190, left = 40, bottom = 22, count = s.buckets.length, step = (W - left) / count;
  const most = Math.max(1, ...s.buckets.map((b) => b.arms.reduce((n, a) => n + a.requests, 0))), top = most + most % 2;
  const y = (n) => (H - bottom) * (1 - n / top);
  const chart = svg('svg', {class: 'chart', viewBox: `0 -8 ${W} ${H + 10}`, role: 'img', 'aria-label': 'Requests over time by arm'});
  for (const n of [0, top / 2, top]) chart.append(svg('line', {class: 'axis', x1: left, x2: W, y1: y(n), y2: y(n)}), svg('text', {x: left - 6, y: y(n) + 4, 'text-anchor': 'end'}, n % 1 ? n.toFixed(1) : whole(n)));
  s.buckets.forEach((bucket, i) => {
    let sum = 0;
    const order = s.by_arm.map((a) => bucket.arms.find((b) => b.arm === a.name)).filter(Boolean);
    for (const a of order) {
      const from = y(sum); sum += a.requests;
      chart.append(svg('rect', {class: colour(a.arm), x: left + i * step + 1, width: Math.max(1, step - 2), y: y(sum), height: from - y(sum)}, svg('title', {}, `${clock(bucket.start_us)}: ${label(a.arm)}, ${plural(a.requests, 'request')}`)));
    }
    if (i % Math.ceil(count / 6) === 0) chart.append(svg('text', {x: left + i * step, y: H - 5}, clock(bucket.start_us)));
  });
  return [chart, el('div', {class: 'legend'}, s.by_arm.map((a) => el('span', {}, named(a.name), ` ${part(a.requests, s.all.requests)}`)))];
}

function qualityChart(arms) {
  const W = 420, row = 34, H = arms.length * row + 24, left = 130, x = (q) => left + q * (W - left - 70);
  const chart = svg('svg', {class: 'chart', viewBox: `0 0 ${W} ${H}`, role: 'img', 'aria-label': 'Mean feedback score by arm with 95 % interval'});
  for (const q of [0, .5, 1]) chart.append(svg('line', {class: 'axis', x1: x(q), x2: x(q), y1: 0, y2: H - 20}), svg('text', {x: x(q), y: H - 4, 'text-anchor': 'middle'}, 100 * q));
  arms.forEach((a, i) => {
    const y = i * row + row / 2;
    chart.append(svg('text', {class: 'strong', x: 0, y: y + 4}, label(a.name).slice(0, 18)));
    if (!a.scored) { chart.append(svg('text', {x: left + 6, y: y + 4}, 'no feedback yet')); return; }
    chart.append(svg('line', {class: `whisker ${colour(a.name)}`, x1: x(a.score_low), x2: x(a.score_high), y1: y, y2: y}), svg('circle', {class: colour(a.name), cx: x(a.score), cy: y, r: 5}),
      svg('text', {x: W, y: y + 4, 'text-anchor': 'end'}, `${points(a.score)}  n=${a.scored}`));
  });
  return chart;
}

function estimateChart(d) {
  const arms = d.arms.filter((a) => a.quality !== null && a.cost_usd !== null && a.cost_usd > 0);
  if (!arms.length) return el('p', {class: 'quiet'}, 'No estimates: the model was named directly, or no arm could be scored.');
  const W = 640, H = 290, left = 46, right = 110, bottom = 36;
  const costs = arms.map((a) => Math.log10(a.cost_usd)), se = (a) => a.quality_se || 0;
  let lo = Math.min(...costs), hi = Math.max(...costs); if (hi - lo < .3) { lo -= .5; hi += .5; }
  const qlo = Math.max(0, Math.min(...arms.map((a) => a.quality - se(a))) - .05), qhi = Math.min(1, Math.max(...arms.map((a) => a.quality + se(a))) + .05);
  const x = (c) => left + 12 + (Math.log10(c) - lo) / (hi - lo) * (W - left - right), y = (q) => 6 + (H - bottom - 12) * (1 - (q - qlo) / (qhi - qlo || 1));
  const chart = svg('svg', {class: 'chart', viewBox: `0 0 ${W} ${H}`, role: 'img', 'aria-label': 'Estimated quality against estimated cost of each arm'});
  for (let i = 0; i < 4; i++) { const q = qlo + (qhi - qlo) * i / 3; chart.append(svg('line', {class: 'axis', x1: left, x2: W, y1: y(q), y2: y(q)}), svg('text', {x: left - 6, y: y(q) + 4, 'text-anchor': 'end'}, points(q))); }
  for (const f of [0, .5, 1]) { const c = 10 ** (lo + (hi - lo) * f); chart.append(svg('text', {x: x(c), y: H - 20, 'text-anchor': 'middle'}, usd(c))); }
  chart.append(svg('text', {x: W, y: H - 4, 'text-anchor': 'end'}, 'estimated cost of the call, logarithmic →'), svg('text', {x: 0, y: H - 4}, '↑ estimated quality ± standard error'));
  for (const a of arms) {
    const px = x(a.cost_usd), chosen = a.arm === d.arm;
    chart.append(svg('line', {class: `whisker ${colour(a.arm)}`, x1: px, x2: px, y1: y(Math.min(qhi, a.quality + se(a))), y2: y(Math.max(qlo, a.quality - se(a))), opacity: a.eligible ? 1 : .35}),
      svg('circle', {class: colour(a.arm), cx: px, cy: y(a.quality), r: chosen ? 8 : 5, opacity: a.eligible ? 1 : .35}),
      svg('text', {class: chosen ? 'strong' : '', x: px + 13, y: y(a.quality) + 4}, a.arm + (chosen ? ' ✓ chosen' : a.arm === d.runner_up ? ' (second)' : '')));
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
    el('td', {}, new Date(d.time_us / 1000).toLocaleTimeString()), el('td', {class: 'wideonly'}, d.route === null ? el('span', {class: 'quiet'}, 'named model') : d.route), el('td', {}, named(d.arm)),
    el('td', {}, state(d)), el('td', {class: 'num wideonly'}, millis(d.total_ms)), el('td', {class: 'num'}, cost(d)), el('td', {class: 'num wideonly'}, usd(d.reference_usd)));
}

function firstSteps(endpoint) {
  const command = `curl ${endpoint}/v1/chat/completions \\\n  -H 'content-type: application/json' \\\n  -d '{"model": "auto", "messages": [{"role": "user", "content": "What is 17 * 23?"}]}'`;
  return card('', 'Nothing here yet: send your first request', el('p', {}, 'Rung listens like OpenAI. Point any client at it, with the name of a route as the model:'), el('pre', {}, command),
    el('p', {class: 'quiet'}, 'Then this page shows where each request went, what it cost against the reference model, and why. It looks again every five seconds.'));
}

function tiles(s) {
  const a = s.all, saved = a.compared_reference_usd - a.compared_spent_usd, unknown = a.cost_unknown;
  return [
    card('tile', '', el('span', {class: 'quiet'}, 'Requests'), el('b', {}, whole(a.requests)), el('span', {class: `small ${a.failed ? 'bad' : 'quiet'}`}, a.failed ? `${whole(a.failed)} failed, ${part(a.failed, a.requests)}` : 'none failed')),
    card('tile', '', el('span', {class: 'quiet'}, 'Spent'), el('b', {}, usd(a.spent_usd)), el('span', {class: `small ${unknown ? 'warn' : 'quiet'}`}, unknown ? `and ${plural(unknown, 'call')} of unknown cost` : 'every cost is known')),
    card('tile', '', el('span', {class: 'quiet'}, saved < 0 ? 'More than the reference' : 'Saved'), el('b', {class: a.compared ? saved < 0 ? 'bad' : 'good' : ''}, a.compared ? usd(Math.abs(saved)) : '–'),
      el('span', {class: 'small quiet'}, a.compared ? `${part(Math.abs(saved), a.compared_reference_usd)} of ${usd(a.compared_reference_usd)} with the reference model` : 'no request has a reference cost')),
    card('tile', '', el('span', {class: 'quiet'}, 'Answer time'), el('b', {}, a.total_ms ? millis(a.total_ms.p50) : '–'), el('span', {class: 'small quiet'}, a.total_ms ? `p90 ${millis(a.total_ms.p90)}, p99 ${millis(a.total_ms.p99)}` : 'no answer yet'))];
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
  const [s, list] = await Promise.all([ask(`/api/summary?since=${span}`), ask('/api/decisions?limit=20')]);
  notice(s.ledger.healthy ? s.ledger.lost ? `${plural(s.ledger.lost, 'record')} lost since the start: the ledger could not be written in time.` : '' : `${s.ledger.error} · ${plural(s.ledger.waiting, 'record')} waiting in memory, ${s.ledger.lost} lost. Requests go on.`);
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

async function decision(id) {
  const d = await ask(`/api/decisions/${encodeURIComponent(id)}`);
  notice('');
  const out = d.arms.filter((a) => !a.eligible), saving = d.reference_usd !== null && !d.cost_unknown && d.calls.length ? d.reference_usd - d.spent_usd : null;
  const calls = d.calls.map((c) => el('tr', {}, el('td', {}, `${c.attempt}. ${c.model || '–'}`, el('div', {class: 'quiet small'}, c.upstream, c.step ? `, ${c.step}` : '')), el('td', {}, state({outcome: c.outcome, http_status: c.status}), c.error ? el('div', {class: 'bad small'}, c.error) : null),
    el('td', {class: 'num'}, whole(c.prompt_tokens), c.cached_tokens === null ? null : el('div', {class: 'quiet small'}, `${whole(c.cached_tokens)} cached`)), el('td', {class: 'num'}, whole(c.completion_tokens), c.reasoning_tokens === null ? null : el('div', {class: 'quiet small'}, `${whole(c.reasoning_tokens)} reasoning`)),
    el('td', {}, c.usage_source === 'provider' ? 'provider' : el('span', {class: 'warn'}, c.usage_source === 'estimate' ? 'our estimate' : 'unknown')), el('td', {class: 'num'}, c.cost_usd === null ? el('span', {class: 'warn'}, 'unknown') : usd(c.cost_usd)), el('td', {class: 'num'}, c.first_byte_ms === null ? '–' : millis(c.first_byte_ms - c.start_ms)), el('td', {class: 'num'}, millis(c.end_ms - c.start_ms))));
  show(el('p', {}, el('a', {href: '#/'}, '← All requests')), el('div', {class: 'grid'},
    card('', '', el('div', {class: 'quiet small'}, when(d.time_us), ' · ', d.id), el('h1', {}, named(d.arm), ' ', state(d)), el('p', {class: 'why'}, d.reason || (d.route === null ? 'The client named this model: nothing was decided.' : 'No reason was recorded.')), d.error ? el('p', {class: 'bad'}, d.error) : null),
    card('wide', 'What was expected of each arm', estimateChart(d), out.length ? [el('h2', {}, 'Ruled out'), facts(out.map((a) => [a.arm, a.why_not]))] : null),
    card('narrow', 'The decision', facts([['Route', d.route || 'none: model named'], ['Asked for', d.requested_model], ['Served by', d.served_model ? `${d.served_model}${d.upstream ? ` at ${d.upstream}` : ''}` : null], ['Policy', d.policy ? d.policy + (d.policy_parameter === null ? '' : `, ${d.policy_parameter}`) : null], ['Strategy', d.strategy], ['Second', d.runner_up],
      ['Propensity', d.propensity === null ? null : d.propensity.toString()], ['Predictor', d.predictor], ['Seed', d.seed], ['Prompt hash', d.prompt_hash], ['Key', d.key_name]])),
    card('half', 'Money', facts([['Spent', cost(d)], ['Reference', d.reference_arm ? `${d.reference_arm}: ${usd(d.reference_usd)}` : 'none'], ['Predicted', d.reference_estimate_usd === null ? null : `${usd(d.reference_estimate_usd)} for the reference`], ['Saved', saving === null ? 'not known' : usd(saving)]])),
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
for (const [text, seconds] of SPANS) {
  spans.append(el('button', {'aria-pressed': seconds === span, onclick: (event) => {
    span = seconds;
    for (const button of spans.children) button.setAttribute('aria-pressed', button === event.target);
    if (location.hash.startsWith('#/d/')) location.hash = '#/'; else route();
  }}, text));
}
addEventListener('hashchange', route);
route();
