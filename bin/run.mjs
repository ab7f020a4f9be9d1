// Runs on whatever Node (20 or newer) the machine has: installs what is missing, then hands over to the Node that
// package.json pins. Everything behind this file may count on that Node.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const nodeBinary = path.join(root, 'node_modules', 'node', 'bin', 'node');

function readLock(...place) {
  return JSON.parse(readFileSync(path.join(root, ...place), 'utf8')).packages;
}

/** npm notes in node_modules what it has installed; it must be what the lock file asks for. */
function isInstalled() {
  const noted = path.join('node_modules', '.package-lock.json');
  if (!existsSync(nodeBinary) || !existsSync(path.join(root, noted))) return false;
  const installed = readLock(noted);
  return Object.entries(readLock('package-lock.json')).every(
    ([place, { version, optional }]) => place === '' || optional || installed[place]?.version === version,
  );
}

function install() {
  process.stderr.write('Installing what is missing (once, about a minute) …\n');
  const { npm_execpath: npm } = process.env;
  const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error'];
  const [command, commandArgs] = npm?.endsWith('.js') ? [process.execPath, [npm, ...args]] : ['npm', args];
  const { status, error } = spawnSync(command, commandArgs, { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] });
  if (status !== 0) {
    process.stderr.write(
      `Cannot install the dependencies: "npm ci" ${error ? error.message : `ended with ${status}`}\n`,
    );
    process.exit(1);
  }
}

/** Replaces this process, as far as Node can: same streams, same signals, same exit code. */
export function run(nodeArgs) {
  if (!isInstalled()) install();
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
