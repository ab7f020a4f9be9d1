/**
 * The first code of the child's main thread and of the plugin's thread. It stands alone: the modules that it loads
 * exist only in the boot message.
 */
import { readSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { isMainThread, workerData } from 'node:worker_threads';
import type { ChildBoot } from './boot.ts';

const controlFd = 4;
const boot: ChildBoot = isMainThread ? readBoot() : (workerData as ChildBoot);

function readBoot(): ChildBoot {
  const bytes = readBytes(readBytes(4).readUInt32BE(0));
  return JSON.parse(bytes.toString()) as ChildBoot;
}

function readBytes(count: number): Buffer {
  const bytes = Buffer.allocUnsafe(count);
  for (let offset = 0; offset < count;) {
    const read = readSync(controlFd, bytes, offset, count - offset, null);
    if (read === 0) process.exit(0);
    offset += read;
  }
  return bytes;
}

registerHooks({
  resolve(specifier, context, next) {
    let url = specifier;
    if (specifier.startsWith('#core/')) url = boot.coreUrl + specifier.slice('#core/'.length);
    else if (/^\.\.?\//.test(specifier) && context.parentURL?.startsWith('file:') === true) {
      url = new URL(specifier, context.parentURL).href;
    }
    const known = Object.hasOwn(boot.sources, url) || Object.hasOwn(boot.broken, url);
    return known ? { url, format: 'module', shortCircuit: true } : next(specifier, context);
  },
  load(url, context, next) {
    if (Object.hasOwn(boot.broken, url)) throw new SyntaxError(boot.broken[url]);
    if (!Object.hasOwn(boot.sources, url)) return next(url, context);
    return { format: 'module', source: boot.sources[url] ?? '', shortCircuit: true };
  },
});

const main = isMainThread ? 'supervisor.ts' : 'plugin-thread.ts';
const { run } = (await import(`${boot.coreUrl}plugin-host/child/${main}`)) as { run: (boot: ChildBoot) => void };
run(boot);
