'use strict';
// Runs onnxruntime's graphs, by the protocol that ../README.md describes. Its argument is the directory of the models.

const fs = require('fs');
const path = require('path');
const readline = require('readline');
const ort = require('onnxruntime-node');

let data, cases = {};

function load(rows, cols, type, x, label) {
  const Float = type === 'f64' ? Float64Array : Float32Array;
  const bytes = fs.readFileSync(x);
  const labels = fs.readFileSync(label);
  data = {
    rows, cols, type,
    x: new Float(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength)),
    label: new Int32Array(labels.buffer.slice(labels.byteOffset, labels.byteOffset + labels.byteLength)),
    t: new Float(rows * cols),
  };
  convert();
  const tensor = (v) => new ort.Tensor(type === 'f64' ? 'float64' : 'float32', v, [rows, cols]);
  data.feeds = { x: tensor(data.x), t: tensor(data.t) };
  data.loss = tensor(new Float(rows * cols)); // outputs that are there already are faster than new ones
  data.grad = tensor(new Float(rows * cols));
}

// From labels to a target for each element.
function convert() {
  const { t, label, rows, cols } = data;
  t.fill(0);
  for (let i = 0; i < rows; i++) if (label[i] > 0) t[i * cols + label[i] - 1] = 1;
}

async function prepare(id, name, op, gamma, threads) {
  if (op === 'targets') {
    if (name !== 'onnxruntime') return 'no the same as the other graph\'s';
    cases[id] = { call: convert, outputs: () => [data.t] };
    return 'ok';
  }
  const kind = name === 'onnxruntime' ? 'softplus' : 'log';
  const file = path.join(process.argv[2], `${kind}-${data.type}-${gamma}-${op}.onnx`);
  let session;
  try {
    session = await ort.InferenceSession.create(file, {
      intraOpNumThreads: threads, interOpNumThreads: 1, executionMode: 'sequential', graphOptimizationLevel: 'all',
    });
    const { feeds, loss, grad } = data;
    const results = op === 'both' ? { loss, grad } : { loss };
    const call = () => session.run(feeds, results);
    await call();
    cases[id] = {
      session, call,
      outputs: () => op === 'both' ? [loss.data, grad.data] : [loss.data],
    };
  } catch (err) {
    return 'no ' + String(err.message).split('\n')[0];
  }
  return 'ok';
}

async function execute(line) {
  const [command, ...args] = line.trim().split(/\s+/);
  switch (command) {
    case 'load':
      for (const c of Object.values(cases)) if (c.session) await c.session.release();
      cases = {};
      load(Number(args[0]), Number(args[1]), args[2], args[3], args[4]);
      return 'ok';
    case 'case':
      return prepare(args[0], args[1], args[2], Number(args[3]), Number(args[4]));
    case 'time': {
      const { call } = cases[args[0]];
      const n = Number(args[1]);
      const start = process.hrtime.bigint();
      for (let i = 0; i < n; i++) await call();
      return String(process.hrtime.bigint() - start);
    }
    case 'sums': {
      const sums = cases[args[0]].outputs().map((v) => { let s = 0; for (const x of v) s += x; return s; });
      return `${sums[0]} ${sums[1] || 0}`;
    }
    case 'dump': {
      const c = cases[args[0]];
      await c.call();
      fs.writeFileSync(args[1], Buffer.concat(c.outputs().map((v) => Buffer.from(v.buffer, v.byteOffset, v.byteLength))));
      return 'ok';
    }
  }
  throw new Error('bad command: ' + line);
}

async function main() {
  const version = require('onnxruntime-node/package.json').version;
  console.log(`ready node ${process.version}; onnxruntime ${version}`);
  for await (const line of readline.createInterface({ input: process.stdin })) console.log(await execute(line));
}

main().catch((err) => { console.error(err); process.exit(1); });
