// Runs on whatever Node (20 or newer) the machine has: installs what is missing, then hands over to the Node that
// package.json pins. Everything behind this file may count on that Node.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const stampFile = path.join(root, 'node_modules', '.returnit-lock');

function lockHash() {
  return createHash('sha256')
    .update(readFileSync(path.join(root, 'package-lock.json')))
    .digest('hex');
}

function isInstalled() {
  const nodeBinary = path.join(root, 'node_modules', 'node', 'bin', 'node');
  return existsSync(nodeBinary) && existsSync(stampFile) && readFileSync(stampFile, 'utf8') === lockHash();
}

function install() {
  process.stderr.write('Installing what is missing (once, about a minute) …\n');
  const { npm_execpath: npm } = process.env;
  const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error'];
  const [command, commandArgs] = npm?.endsWith('.js') ? [process.execPath, [npm, ...args]] : ['npm', args];
  const { status, error } = spawnSync(command, commandArgs, { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] });
  if (status !== 0) {
    process.stderr.write(`Cannot install the dependencies: "npm ci" ${error ? error.message : `ended with ${status}`}\n`);
    process.exit(1);
  }
  writeFileSync(stampFile, lockHash());
}

/** Replaces this process, as far as Node can: same streams, same signals, same exit code. */
export function run(nodeArgs) {
  if (!isInstalled()) install();
  const nodeBinary = path.join(root, 'node_modules', 'node', 'bin', 'node');
  // Tools started behind it (npx, hooks) find the pinned Node first.
  const env = { ...process.env, PATH: `${path.dirname(nodeBinary)}${path.delimiter}${process.env.PATH ?? ''}` };
  const child = spawn(nodeBinary, nodeArgs, { stdio: 'inherit', env });
  const forward = (signal) => child.kill(signal);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, forward);
  child.on('error', (error) => {
    process.stderr.write(`Cannot start ${nodeBinary}: ${error.message}\n`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => process.exit(signal === null ? code : 128 + constants.signals[signal]));
}

export { root };

if (process.argv[1] === fileURLToPath(import.meta.url)) run(process.argv.slice(2));
