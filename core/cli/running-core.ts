import { readAddresses } from '#core/app/addresses.ts';
import type { Config } from '#core/config/settings.ts';
import { AppError } from '#core/errors/app-error.ts';
import { createAuthenticator } from '#core/http/authentication.ts';

const timeoutMs = 30_000;
/** Of the token: a command is over sooner, or has asked for a new one. */
const tokenSeconds = 60;

export interface CoreAnswer {
  readonly status: number;
  readonly ok: boolean;
  /** What was answered; of a refusal, its problem details. */
  readonly body: Readonly<Record<string, unknown>>;
}

/** The core that runs on this data folder, asked by its API as an operator. */
export interface RunningCore {
  /** @throws {AppError} CORE_NOT_RUNNING when nobody answers, or something else does */
  request(verb: 'GET' | 'POST' | 'DELETE', path: string): Promise<CoreAnswer>;
}

/** @throws {AppError} CORE_NOT_RUNNING */
export async function findRunningCore(config: Config): Promise<RunningCore> {
  const { api } = await readAddresses(config.dataDir);
  const authenticator = await createAuthenticator({ config });
  return {
    async request(verb, path) {
      const token = await authenticator.issueToken({
        role: 'ops',
        subject: 'returnit-cli',
        expiresInSeconds: tokenSeconds,
      });
      const response = await fetch(`${api}${path}`, {
        method: verb,
        headers: { authorization: `Bearer ${token}` },
        signal: AbortSignal.timeout(timeoutMs),
      }).catch((cause: unknown) => {
        throw new AppError('CORE_NOT_RUNNING', `Cannot reach the core at ${api}`, { cause });
      });
      return { status: response.status, ok: response.ok, body: await readAnswer(response) };
    },
  };
}

/** Something else may listen on the port of a core that was killed. */
async function readAnswer(response: Response): Promise<CoreAnswer['body']> {
  try {
    return (await response.json()) as CoreAnswer['body'];
  } catch (cause) {
    throw new AppError('CORE_NOT_RUNNING', `Cannot reach the core: what listens at ${response.url} is none`, { cause });
  }
}

/** Why the core refused, in its own words. */
export function reasonOf({ status, body }: CoreAnswer): string {
  const { detail, title } = body;
  if (typeof detail === 'string') return detail;
  return typeof title === 'string' ? title : `the core answered ${status}`;
}
