// Brings node_modules to what package-lock.json asks for.
import { spawn } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { takeInstallLock } from './install-lock.mjs';

const waitMaxMs = 15 * 60_000;
/** npm does not always heed a signal, such as while it tries again to reach the registry. */
const npmStopMs = 5000;

function readPackages(file) {
  return JSON.parse(readFileSync(file, 'utf8')).packages;
}

/** npm notes in node_modules what it has installed; it must be what the lock file asks for. */
function isInstalled(root, nodeBinary) {
  const noted = path.join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(nodeBinary) || !existsSync(noted)) return false;
  const installed = readPackages(noted);
  return Object.entries(readPackages(path.join(root, 'package-lock.json'))).every(
    ([place, { version, optional }]) => place === '' || optional || installed[place]?.version === version,
  );
}

/** Throws an error whose message says what is wrong and what would be right. */
export async function installMissing({ root, nodeBinary }) {
  if (isInstalled(root, nodeBinary)) return;
  for (const place of [root, path.join(root, 'node_modules')]) assertWritable(place);
  const giveBack = await takeInstallLock(path.join(root, '.install-lock'), {
    waitMaxMs,
    onWait: (pid) => process.stderr.write(`Waiting for process ${pid}, which installs what is missing …\n`),
  });
  try {
    if (!isInstalled(root, nodeBinary)) await runNpm(root);
  } finally {
    giveBack();
  }
  if (!existsSync(nodeBinary)) throw new Error(`"npm ci" ended well, but ${nodeBinary} is not there`);
}

function assertWritable(place) {
  try {
    accessSync(place, constants.W_OK);
  } catch (error) {
    if (error.code === 'ENOENT') return;
    const what = `${place} cannot be written (${error.code}); run "npm ci" there as its owner, or make it writable`;
    throw new Error(what, { cause: error });
  }
}

async function runNpm(root) {
  process.stderr.write('Installing what is missing (once, about a minute) …\n');
  const { npm_execpath: npm = '' } = process.env;
  const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error'];
  // npm has started this: the same one is to install. Other package managers set the variable as well.
  const [command, commandArgs] =
    path.basename(npm) === 'npm-cli.js' ? [process.execPath, [npm, ...args]] : ['npm', args];
  const child = spawn(command, commandArgs, { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] });
  // Who is asked to stop takes npm along, and holds the lock until it has ended.
  const forward = (signal) => {
    child.kill(signal);
    setTimeout(() => child.kill('SIGKILL'), npmStopMs).unref();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, forward);
  const failure = await new Promise((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('exit', (code, signal) => resolve(code === 0 ? null : `ended with ${code ?? signal}`));
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.off(signal, forward);
  if (failure !== null) throw new Error(`"npm ci" ${failure}`);
}
