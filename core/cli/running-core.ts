import { randomUUID } from 'node:crypto';
import { readAddresses } from '#core/app/addresses.ts';
import type { Config } from '#core/config/settings.ts';
import { AppError } from '#core/errors/app-error.ts';
import type { ErrorCode } from '#core/errors/codes.ts';
import { createAuthenticator } from '#core/http/authentication.ts';

const timeoutMs = 30_000;
/** Of the token: a command is over sooner, or has asked for a new one. */
const tokenSeconds = 60;

export type CoreVerb = 'GET' | 'POST' | 'DELETE';

export interface CoreAnswer {
  readonly status: number;
  readonly ok: boolean;
  /** What was answered; of a refusal, its problem details. */
  readonly body: Readonly<Record<string, unknown>>;
}

/** The core that runs on this data folder, asked by its API as an operator. */
export interface RunningCore {
  /** @throws {AppError} CORE_NOT_RUNNING when nobody answers, or something else does */
  request(verb: CoreVerb, path: string, body?: object): Promise<CoreAnswer>;
  /** The body of a success. @throws {AppError} also with what the core refused, in its own words */
  ask<T>(verb: CoreVerb, path: string, body?: object): Promise<T>;
}

/** @throws {AppError} CORE_NOT_RUNNING */
export async function findRunningCore(config: Config): Promise<RunningCore> {
  const { api } = await readAddresses(config.dataDir);
  const authenticator = await createAuthenticator({ config });
  async function request(verb: CoreVerb, path: string, body?: object): Promise<CoreAnswer> {
    const token = await authenticator.issueToken({
      role: 'ops',
      subject: 'returnit-cli',
      expiresInSeconds: tokenSeconds,
    });
    const response = await fetch(`${api}${path}`, {
      method: verb,
      headers: {
        authorization: `Bearer ${token}`,
        // A command is one intention: whatever sends it twice on the way does it once.
        ...(verb === 'POST' ? { 'idempotency-key': randomUUID() } : {}),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(timeoutMs),
    }).catch((cause: unknown) => {
      throw new AppError('CORE_NOT_RUNNING', `Cannot reach the core at ${api}`, { cause });
    });
    return { status: response.status, ok: response.ok, body: await readAnswer(response) };
  }
  return {
    request,
    async ask<T>(verb: CoreVerb, path: string, body?: object): Promise<T> {
      const answer = await request(verb, path, body);
      if (answer.ok) return answer.body as T;
      throw new AppError(codes[answer.status] ?? 'PLUGIN_UNAVAILABLE', reasonOf(answer));
    },
  };
}

/** What else can be refused of an operator's command is the state of things. */
const codes: Readonly<Record<number, ErrorCode>> = {
  400: 'VALIDATION_FAILED',
  404: 'NOT_FOUND',
  409: 'VALIDATION_FAILED',
  412: 'VALIDATION_FAILED',
  422: 'VALIDATION_FAILED',
};

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
