/**
 * The first code of the child's main thread and of the plugin's thread. It stands alone: the modules that it loads
 * exist only in the boot message.
 */
import { readSync } from 'node:fs';
import { registerHooks, setSourceMapsSupport } from 'node:module';
import { isMainThread, workerData } from 'node:worker_threads';
import type { ChildBoot, ChildCode, ThreadBoot } from './boot.ts';

const controlFd = 4;
const pause = new Int32Array(new SharedArrayBuffer(4));
const boot = isMainThread ? readBoot() : (workerData as ThreadBoot);

function readBoot(): ChildBoot {
  const bytes = readBytes(readBytes(4).readUInt32BE(0));
  return JSON.parse(bytes.toString()) as ChildBoot;
}

function readBytes(count: number): Buffer {
  const bytes = Buffer.allocUnsafe(count);
  for (let offset = 0; offset < count;) {
    const read = readSome(bytes, offset);
    if (read === 0) process.exit(0);
    offset += read;
  }
  return bytes;
}

/** The descriptor does not block: what is not there yet is waited for. */
function readSome(bytes: Buffer, offset: number): number {
  for (;;) {
    try {
      return readSync(controlFd, bytes, offset, bytes.length - offset, null);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      Atomics.wait(pause, 0, 0, 1);
    }
  }
}

const own = 'supervisor' in boot ? boot.supervisor : boot.thread;
const modules = new Map<string, ChildCode>([own, boot.main].map((module) => [module.url, module]));

// The maps stand in the code; they are read when the first error is looked at.
setSourceMapsSupport(true);
registerHooks({
  resolve(specifier, context, next) {
    return modules.has(specifier) ? { url: specifier, format: 'module', shortCircuit: true } : next(specifier, context);
  },
  load(url, context, next) {
    const module = modules.get(url);
    if (module === undefined) return next(url, context);
    const { code } = module;
    module.code = '';
    return { format: 'module', source: code, shortCircuit: true };
  },
});

const { run } = (await import(own.url)) as { run: (boot: object) => void };
run(boot);
