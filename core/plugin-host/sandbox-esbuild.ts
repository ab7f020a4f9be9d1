import type { BuildFailure, BuildOptions, BuildResult, Message } from 'esbuild';

export type BundlerBuild = (options: BuildOptions) => Promise<BuildResult<{ write: false; metafile: true }>>;

/** Why a build made nothing: the first error says it, with where. */
export class BuildRefused extends Error {
  override readonly name = 'BuildRefused';
}

/** Bundling the largest of our plugins takes a tenth of this on a busy machine. */
const buildTimeoutMs = 20_000;

/**
 * One build at a time: the bundler's process can be brought down by what it reads, and then takes nothing of another
 * plugin with it. The process is ended when there is nothing left to build.
 */
export function createBuildQueue(timeoutMs = buildTimeoutMs): BundlerBuild {
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;

  return function build(options) {
    waiting += 1;
    const result = last.then(async () => {
      // Loaded when it is first needed: commands that start no plugin do without.
      const esbuild = await import('esbuild');
      const timer = setTimeout(() => void esbuild.stop(), timeoutMs);
      try {
        return await esbuild.build({ ...options, write: false, metafile: true, logLevel: 'silent' });
      } catch (cause) {
        throw new BuildRefused(explain(cause), { cause });
      } finally {
        clearTimeout(timer);
        waiting -= 1;
        if (waiting === 0) await esbuild.stop();
      }
    });
    last = result.catch(() => {
      // Told to who asked for it.
    });
    return result;
  };
}

function explain(cause: unknown): string {
  const [first] = (cause as Partial<BuildFailure>).errors ?? [];
  if (first !== undefined) return toText(first);
  const text = cause instanceof Error ? cause.message : String(cause);
  // The engine was ended by the time limit, or ended itself: too deep or too large a source.
  return /service (was stopped|is no longer running)/.test(text) ? 'the bundler gave up on it' : text;
}

/** Without the line's text: what stands in a file that must not be read is not told. */
function toText({ text, location }: Message): string {
  return location === null ? text : `${text} (/${location.file}:${location.line}:${location.column + 1})`;
}
