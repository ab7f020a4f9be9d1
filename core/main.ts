/** The entry: reads the command line, runs one command, and is the only place that ends the process. */
import path from 'node:path';
import { Command } from 'commander';
import { platformVersion } from './app/platform-version.ts';
import { registerStartCommand } from './cli/start.ts';
import { loadConfig } from './config/config.ts';
import { AppError } from './errors/app-error.ts';

/** Above every time-out of an orderly stop: what is left then is not going to end. */
const stopDeadlineMs = 29_500;
const projectDir = path.resolve(import.meta.dirname, '..');

function stopOnSignals(): AbortSignal {
  const controller = new AbortController();
  const stop = (signal: NodeJS.Signals): void => {
    if (controller.signal.aborted) return;
    controller.abort(signal);
    setTimeout(() => {
      process.stderr.write(`Cannot stop in ${stopDeadlineMs} ms: ended by force\n`);
      process.exit(1);
    }, stopDeadlineMs).unref();
  };
  process.on('SIGINT', stop).on('SIGTERM', stop).on('SIGHUP', stop);
  return controller.signal;
}

/** The start of the platform does not wait for the code of the other commands. */
function isStart([first = 'start']: readonly string[]): boolean {
  return first === 'start' || (first.startsWith('-') && !['-h', '--help', '-V', '--version'].includes(first));
}

async function main(): Promise<void> {
  const { stdout, stdin } = process;
  const program = new Command('returnit')
    .description('ReturnIt: picks up what people send back')
    .version(platformVersion)
    .showSuggestionAfterError();
  registerStartCommand(program, {
    loadConfig: (overrides) => loadConfig(undefined, overrides),
    projectDir,
    stdin,
    stdout,
    stopSignal: stopOnSignals(),
  });
  if (!isStart(process.argv.slice(2))) {
    const { registerOtherCommands } = await import('./cli/other-commands.ts');
    registerOtherCommands(program, { config: loadConfig(), projectDir, stdout });
  }
  await program.parseAsync();
}

try {
  await main();
  // With the code that a command has set.
  process.exit();
} catch (error) {
  // An operational error says all there is to say in its message; anything else is ours, and its stack is wanted.
  const text =
    error instanceof AppError ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`${text}\n`);
  process.exit(1);
}
