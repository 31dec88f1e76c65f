// client.js has clients of npm's mqtt do what its standard input says, one JSON object a line, and
// answers each with one on its standard output. README.md beside it has the commands.
'use strict';

const readline = require('node:readline');
const mqtt = require('mqtt');

const clients = new Map();

// plain makes of a packet what can be compared: no Buffers, no packet ids.
function plain(packet) {
  const p = { ...packet.properties };
  if (p.correlationData) p.correlationData = p.correlationData.toString();
  return { topic: packet.topic, payload: packet.payload.toString(), qos: packet.qos, retain: packet.retain, properties: p };
}

// failure is the code of the server's answer, if the error is one.
const failure = (error) => ({ error: error.message, code: error.code });

function connect({ id, url, options }) {
  return new Promise((resolve) => {
    const client = mqtt.connect(url, { reconnectPeriod: 0, connectTimeout: 10000, ...options });
    const state = { client, messages: [], events: [], wake: () => {} };
    const note = (event) => { state.events.push(event); state.wake(); };
    clients.set(id, state);
    client.on('message', (_, __, packet) => { state.messages.push(plain(packet)); state.wake(); });
    client.on('connect', (packet) => {
      note('connect');
      resolve({ code: packet.reasonCode ?? packet.returnCode, present: packet.sessionPresent, properties: packet.properties });
    });
    client.on('disconnect', (packet) => note(`disconnect ${packet.reasonCode}`));
    client.on('close', () => { note('close'); resolve({ error: 'closed' }); });
    client.on('error', (error) => { note(`error ${error.code}`); resolve(failure(error)); });
  });
}

function subscribe({ id, topic, options }) {
  return new Promise((resolve) => {
    clients.get(id).client.subscribe(topic, options, (error, granted, packet) => {
      const codes = (packet && packet.granted) || (granted || []).map((g) => g.qos);
      resolve({ codes, properties: packet && packet.properties, error: error ? error.message : undefined });
    });
  });
}

function unsubscribe({ id, topic }) {
  return new Promise((resolve) => {
    clients.get(id).client.unsubscribe(topic, {}, (error) => resolve(error ? failure(error) : {}));
  });
}

function publish({ id, topic, payload, pad, options }) {
  return new Promise((resolve) => {
    const o = { ...options, properties: { ...options.properties } };
    if (o.properties.correlationData) o.properties.correlationData = Buffer.from(o.properties.correlationData);
    clients.get(id).client.publish(topic, payload + '.'.repeat(pad || 0), o, (error, packet) => {
      resolve(error ? failure(error) : { code: packet && packet.reasonCode });
    });
  });
}

// until waits for a list to hold what is asked for, and takes as much of it as last says.
async function until(state, list, enough, last, patience = 20000) {
  let late = false;
  const timer = setTimeout(() => { late = true; state.wake(); }, patience);
  while (!enough(state[list]) && !late) await new Promise((resolve) => { state.wake = resolve; });
  clearTimeout(timer);
  return { [list]: state[list].splice(0, last(state[list])), late };
}

const actions = {
  connect, subscribe, unsubscribe, publish,
  messages: ({ id, payloads }) =>
    until(clients.get(id), 'messages', (l) => payloads.every((p) => l.some((m) => m.payload === p)), (l) => l.length),
  events: ({ id, event }) => until(clients.get(id), 'events', (l) => l.includes(event), (l) => l.indexOf(event) + 1),
  cut: ({ id }) => { clients.get(id).client.stream.destroy(); return {}; },
  end: ({ id }) => new Promise((resolve) => { clients.get(id).client.end(false, {}, () => resolve({})); }),
};

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const command = JSON.parse(line);
    process.stdout.write(JSON.stringify(await actions[command.do](command)) + '\n');
  }
  process.exit(0);
})();
