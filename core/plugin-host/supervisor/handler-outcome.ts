import { AppError } from '#core/errors/app-error.ts';

export const handlerOutcomes = ['ok', 'error', 'timeout', 'unavailable', 'cancelled'] as const;

export type HandlerOutcome = (typeof handlerOutcomes)[number];

/** How a call of a plugin's handler failed. */
export function toHandlerOutcome(error: unknown): Exclude<HandlerOutcome, 'ok'> {
  if (!(error instanceof AppError)) return 'cancelled';
  switch (error.code) {
    case 'TIMEOUT':
      return 'timeout';
    case 'PLUGIN_UNAVAILABLE':
      return 'unavailable';
    case 'CANCELLED':
      return 'cancelled';
    default:
      return 'error';
  }
}
