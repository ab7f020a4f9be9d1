import { AppError } from '#core/errors/app-error.ts';

export type Send = <T>(verb: 'GET' | 'POST', path: string, body?: object) => Promise<T>;

const timeoutMs = 10_000;

/** The API as any client has it: the demo uses nothing that a partner could not. */
export function createApiClient(baseUrl: string, token: string): Send {
  return async <T>(verb: 'GET' | 'POST', path: string, body?: object): Promise<T> => {
    const response = await fetch(new URL(path, baseUrl), {
      method: verb,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(timeoutMs),
    });
    const answer: unknown = await response.json();
    if (!response.ok) {
      const { detail, title } = answer as { detail?: string; title?: string };
      throw new AppError('INTERNAL', `Cannot ${verb} ${path}: ${response.status} ${detail ?? title ?? ''}`);
    }
    return answer as T;
  };
}
