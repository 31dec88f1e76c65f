// Sends the requests of one list by one library of Node; README.md says how. Libraries of npm are
// found by NODE_PATH.
'use strict';
const http = require('http');
const { Readable } = require('stream');
const readline = require('readline');
const [library, base, key] = process.argv.slice(2);

// What is not installed ends the program at once.
const libraries = { http: ['form-data'], 'http-path': ['form-data'], axios: ['axios', 'form-data'], undici: ['undici'] };
for (const name of libraries[library] || []) require(name);

// A body of GET and DELETE is sent without its length. What is left of it would hit whichever
// request uses the connection next, so each has its own.
const agent = new http.Agent({ keepAlive: false });

const text = (field) => Buffer.from(field, 'base64');

function parse(line) {
  const [name, method, send, target, params, body] = line.split('\t');
  const flat = params === '' ? [] : text(params).toString().split('\0');
  const pairs = [];
  for (let i = 0; i < flat.length; i += 2) pairs.push([flat[i], flat[i + 1]]);
  const headers = { Authorization: 'FlespiToken ' + key };
  if (method === 'OPTIONS') Object.assign(headers, { Origin: 'https://app.test', 'Access-Control-Request-Method': 'PUT' });
  return { name, method, send, target: text(target).toString(), pairs, headers, body: text(body) };
}

// The body in pieces, whose number and length the library cannot know.
function pieces(c) {
  const half = c.body.length >> 1;
  return Readable.from([c.body.subarray(0, half), c.body.subarray(half)], { objectMode: false });
}

// The target with parameters as URLSearchParams prints them.
const withParams = (c) => c.target + (c.pairs.length ? '?' + new URLSearchParams(c.pairs) : '');

function form(c) {
  const FormData = require('form-data');
  const f = new FormData();
  f.append('file', pieces(c), { filename: 'track.bin' });
  return f;
}

function webForm(c, types) {
  const f = new types.FormData();
  f.append('file', new Blob([c.body]), 'track.bin');
  return f;
}

// byHTTP sends by http.request what make gives it: an URL, or a path that goes out as it is.
function byHTTP(make) {
  const { hostname, port } = new URL(base);
  return (c) => new Promise((done, fail) => {
    const { url, path } = make(c);
    const options = { method: c.method, headers: c.headers, agent };
    const got = (res) => {
      const parts = [];
      res.on('data', (p) => parts.push(p)).on('end', () => done([res.statusCode, Buffer.concat(parts)])).on('error', fail);
    };
    const f = c.send === 'multipart' ? form(c) : null;
    if (f) Object.assign(c.headers, f.getHeaders());
    const req = url ? http.request(url, options, got) : http.request({ hostname, port, path, ...options }, got);
    req.on('error', fail);
    if (f) f.pipe(req);
    else if (c.send === 'stream') pieces(c).pipe(req);
    else if (c.send === 'whole') req.end(c.body.toString());
    else req.end();
  });
}

async function byFetch(c, fetch, types) {
  const options = { method: c.method, headers: c.headers };
  if (c.send === 'whole') options.body = c.body.toString();
  if (c.send === 'stream') Object.assign(options, { body: Readable.toWeb(pieces(c)), duplex: 'half' });
  if (c.send === 'multipart') options.body = webForm(c, types);
  const r = await fetch(base + withParams(c), options);
  return [r.status, Buffer.from(await r.arrayBuffer())];
}

async function byUndici(c) {
  const undici = require('undici');
  const options = { method: c.method, headers: c.headers };
  if (c.send === 'whole') options.body = c.body.toString();
  if (c.send === 'stream') options.body = pieces(c);
  if (c.send === 'multipart') options.body = webForm(c, undici);
  const r = await undici.request(base + withParams(c), options);
  return [r.statusCode, Buffer.from(await r.body.arrayBuffer())];
}

async function byAxios(c) {
  const axios = require('axios');
  const options = { method: c.method, url: base + c.target, headers: c.headers, validateStatus: null, responseType: 'arraybuffer', httpAgent: agent };
  if (c.pairs.length) options.params = Object.fromEntries(c.pairs);
  if (c.send === 'whole') options.data = c.body.toString();
  if (c.send === 'stream') options.data = pieces(c);
  if (c.send === 'multipart') options.data = form(c);
  const r = await axios(options);
  return [r.status, Buffer.from(r.data)];
}

const send = {
  http: byHTTP((c) => ({ url: base + withParams(c) })),
  'http-path': byHTTP((c) => ({ path: withParams(c) })),
  fetch: (c) => byFetch(c, fetch, globalThis),
  undici: byUndici,
  axios: byAxios,
}[library];

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const c = parse(line);
    let got;
    try {
      got = await send(c);
    } catch (e) { // what a library refuses is an outcome, too
      got = [0, Buffer.from(String(e.cause || e))];
    }
    console.log([c.name, got[0], got[1].toString('base64')].join('\t'));
  }
  process.exit(0);
})();
