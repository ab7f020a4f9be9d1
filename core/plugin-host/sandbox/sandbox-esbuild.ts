import { setTimeout as delay } from 'node:timers/promises';
import type { BuildFailure, BuildOptions, BuildResult, Message } from 'esbuild';

export type BundlerBuild = (options: BuildOptions) => Promise<BuildResult<{ write: false; metafile: true }>>;

/** Why a build made nothing: the first error says it, with where. */
export class BuildRefused extends Error {
  override readonly name = 'BuildRefused';
}

/** Bundling all of our plugins takes a twentieth of this on a busy machine. */
const buildTimeoutMs = 20_000;

/**
 * The bundler has one process for all of this one, and it can be brought down by what it reads. One build at a time, then:
 * whoever brings it down is alone. It is ended when there is nothing left to build.
 */
let last: Promise<unknown> = Promise.resolve();
let waiting = 0;

/** @param timeoutMs for one build */
export function createBuild(timeoutMs = buildTimeoutMs): BundlerBuild {
  return function build(options) {
    waiting += 1;
    const result = last.then(() => buildNow(options, timeoutMs));
    last = result.catch(() => {
      // Told to who asked for it.
    });
    return result;
  };
}

async function buildNow(options: BuildOptions, timeoutMs: number): ReturnType<BundlerBuild> {
  // Loaded when it is first needed: commands that start no plugin do without.
  const esbuild = await import('esbuild');
  const deadline = new AbortController();
  let mustStop = false;
  try {
    return await Promise.race([
      esbuild.build({ ...options, write: false, metafile: true, logLevel: 'silent' }),
      // Ending its process settles nothing that is under way.
      rejectAfter(timeoutMs, deadline.signal),
    ]);
  } catch (cause) {
    mustStop = !isBuildFailure(cause);
    throw new BuildRefused(explain(cause), { cause });
  } finally {
    deadline.abort();
    waiting -= 1;
    if (mustStop || waiting === 0) await esbuild.stop();
  }
}

async function rejectAfter(timeoutMs: number, signal: AbortSignal): Promise<never> {
  await delay(timeoutMs, undefined, { signal });
  throw new Error(`the bundler did not finish within ${timeoutMs} ms`);
}

function isBuildFailure(error: unknown): error is BuildFailure {
  return ((error as Partial<BuildFailure>).errors?.length ?? 0) > 0;
}

function explain(cause: unknown): string {
  const [first] = isBuildFailure(cause) ? cause.errors : [];
  if (first !== undefined) return toText(first);
  return cause instanceof Error ? cause.message : String(cause);
}

/** Without the line's text: what stands in a file that must not be read is not told. */
function toText({ text, location }: Message): string {
  return location === null ? text : `${text} (/${location.file}:${location.line}:${location.column + 1})`;
}
