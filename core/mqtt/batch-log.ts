import { toErrorCode } from '#core/errors/app-error.ts';
import type { Telemetry } from '#core/telemetry/telemetry.ts';
import { toLoggedMs, wideEvent } from '#core/telemetry/wide-event.ts';
import type { IncomingMessage } from './incoming-message.ts';

/** Does the work and writes the one line about the batch, in its span. `work` tells how many messages were rejected. */
export type BatchLog = (
  batch: readonly { readonly message: Pick<IncomingMessage, 'username'> }[],
  work: () => Promise<number>,
) => Promise<void>;

export interface BatchLogOptions {
  readonly plugin: string;
  readonly filter: string;
  readonly telemetry: Pick<Telemetry, 'logger'>;
}

/** Batches come many times a second, so one that went well is written for whoever asks. One that failed comes again. */
export function createBatchLog({ plugin, filter, telemetry }: BatchLogOptions): BatchLog {
  const logger = telemetry.logger.child({ component: 'mqtt', plugin, filter });
  return async (batch, work) => {
    const startedAtMs = performance.now();
    const fields = (): Readonly<Record<string, unknown>> => ({
      messages: batch.length,
      devices: new Set(batch.map(({ message }) => message.username)).size,
      durationMs: toLoggedMs(performance.now() - startedAtMs),
    });
    try {
      const rejected = await work();
      if (!logger.isLevelEnabled('debug')) return;
      logger.debug(wideEvent({ ...fields(), rejected, outcome: 'settled' }), 'Batch');
    } catch (error) {
      const code = toErrorCode(error);
      logger.warn(
        wideEvent({ ...fields(), outcome: 'retried', code, err: error }),
        'Batch failed: it is not acknowledged and comes again',
      );
      throw error;
    }
  };
}
