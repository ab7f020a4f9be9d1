// Runs on whatever Node (20 or newer) the machine has: installs what is missing, then hands over to the Node that
// package.json pins. Everything behind this file may count on that Node.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { installMissing } from './install.mjs';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const nodeBinary = path.join(root, 'node_modules', 'node', 'bin', 'node');
/** What V8 made of the code, without its types: the next start need not do it again. Node checks that it still fits. */
const compileCache = path.join(root, 'node_modules', '.cache', 'compile');

/** Replaces this process, as far as Node can: same streams, same signals, same exit code. */
export async function run(nodeArgs) {
  try {
    await installMissing({ root, nodeBinary });
  } catch (error) {
    process.stderr.write(`Cannot install the dependencies: ${error.message}\n`);
    process.exit(1);
  }
  // Tools started behind it (npx, hooks) find the pinned Node first.
  const env = {
    NODE_COMPILE_CACHE: compileCache,
    ...process.env,
    PATH: `${path.dirname(nodeBinary)}${path.delimiter}${process.env.PATH ?? ''}`,
  };
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

if (process.argv[1] === fileURLToPath(import.meta.url)) await run(process.argv.slice(2));
