import type { Command } from 'commander';
import { readAddresses } from '#core/app/addresses.ts';
import type { Config } from '#core/config/settings.ts';
import { AppError } from '#core/errors/app-error.ts';
import { createAuthenticator } from '#core/http/authentication.ts';

export interface ReleaseDeps {
  readonly config: Config;
  readonly stdout: { write(text: string): unknown };
}

const timeoutMs = 30_000;
const tokenSeconds = 60;

/** `returnit plugins release NAME`: asks the core that runs on this data folder to start a quarantined plugin again. */
export function registerPluginsReleaseCommand(plugins: Command, deps: ReleaseDeps): void {
  plugins
    .command('release <name>')
    .description('start a quarantined plugin again')
    .option('--json', 'as JSON')
    .action(async (name: string, flags: { json?: true }) => {
      const { api } = await readAddresses(deps.config.dataDir);
      const authenticator = await createAuthenticator({ config: deps.config });
      const token = await authenticator.issueToken({
        role: 'ops',
        subject: 'returnit-cli',
        expiresInSeconds: tokenSeconds,
      });
      const response = await fetch(`${api}/plugins/${encodeURIComponent(name)}/release`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}` },
        signal: AbortSignal.timeout(timeoutMs),
      }).catch((cause: unknown) => {
        throw new AppError('CORE_NOT_RUNNING', `Cannot reach the core at ${api}`, { cause });
      });
      const answer = await readAnswer(response);
      if (!response.ok) {
        const reason = answer.detail ?? answer.title ?? `the core answered ${response.status}`;
        throw new AppError(response.status === 404 ? 'PLUGIN_UNKNOWN' : 'PLUGIN_UNAVAILABLE', reason);
      }
      deps.stdout.write(
        flags.json === true
          ? `${JSON.stringify(answer)}\n`
          : `${answer.name ?? name} is ${answer.state ?? 'unknown'}\n`,
      );
    });
}

interface Answer {
  readonly name?: string;
  readonly state?: string;
  readonly detail?: string;
  readonly title?: string;
}

/** Something else may listen on the port of a core that was killed. */
async function readAnswer(response: Response): Promise<Answer> {
  try {
    return (await response.json()) as Answer;
  } catch (cause) {
    throw new AppError('CORE_NOT_RUNNING', `Cannot reach the core: what listens at ${response.url} is none`, { cause });
  }
}
