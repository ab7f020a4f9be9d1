import type { MqttMessage, PluginContext } from '#plugin-api';
import type { ArrivalTimes } from './arrival-times.ts';
import { createBudget } from './budget.ts';
import { createDeadLetterKeeping } from './dead-letter-keeping.ts';
import type { RejectedMessage } from './dead-letter.ts';
import { createDriverDirectory, type DriverDirectory } from './driver-directory.ts';
import { createFixKeeping } from './fix-keeping.ts';
import { rejected, type Fix, type Outcome } from './fix.ts';
import { createIntakeMetrics } from './intake-metrics.ts';
import { parseMessage, type ParsedMessage } from './parse.ts';
import { createPlausibility } from './plausibility.ts';
import type { Settings } from './settings.ts';
import { createWillKeeping } from './will-keeping.ts';

/** The one way of a message into the history, whatever door it came through. */
export interface Intake {
  /**
   * An outcome a message, in order. A bad one never costs a good one; it is counted and kept as a dead letter.
   *
   * @throws when the good ones cannot be stored: then nothing was taken, and all may be sent again
   */
  take(messages: readonly MqttMessage[]): Promise<readonly Outcome[]>;
  /** The same for one that was rejected earlier, as of its receipt then, and outside of its device's budget. */
  retake(message: MqttMessage): Promise<Outcome>;
}

export interface IntakeOptions {
  readonly settings: Settings;
  readonly arrivalTimes: ArrivalTimes;
  readonly now: () => number;
}

export function createIntake(ctx: PluginContext, options: IntakeOptions): Intake {
  const { settings, now } = options;
  const { deviceFixesPerSecond: perSecond, deviceFixesBurst: burst, devicesMax, driverCacheMs } = settings;
  const budget = createBudget({ perSecond, burst, devicesMax });
  const directory = createDriverDirectory(ctx, { cacheMs: driverCacheMs, driversMax: devicesMax });
  // A replay is what an operator has just made possible: it must not be answered from memory.
  const freshDirectory = createDriverDirectory(ctx, { cacheMs: 0, driversMax: 1 });
  const metrics = createIntakeMetrics(ctx.metrics);
  const keepWills = createWillKeeping(ctx);
  const keepDeadLetters = createDeadLetterKeeping(ctx, settings);
  const keep = createFixKeeping(ctx, { ...options, plausibility: createPlausibility(settings), metrics });

  async function exclude(parsed: readonly ParsedMessage[], from: DriverDirectory): Promise<readonly ParsedMessage[]> {
    const fixes = fixesOf(parsed);
    if (fixes.length === 0) return parsed;
    const refusals = await from.check(fixes, now());
    const refused = new Map(fixes.map((fix, index) => [fix, refusals[index]]));
    return parsed.map((result) => (result.kind === 'fix' ? (refused.get(result.fix) ?? result) : result));
  }

  function spend(messages: readonly MqttMessage[], parsed: readonly ParsedMessage[]): readonly ParsedMessage[] {
    const nowMs = now();
    return parsed.map((result, index) => {
      if (result.kind !== 'fix' || budget.take(senderOf(messages[index]), nowMs)) return result;
      return rejected('rate_exceeded', `the device sends more than ${perSecond} fixes a second`);
    });
  }

  function giveBack(messages: readonly MqttMessage[], judged: readonly ParsedMessage[]): void {
    for (const [index, { kind }] of judged.entries()) if (kind === 'fix') budget.giveBack(senderOf(messages[index]));
  }

  return {
    async take(messages) {
      const nowMs = now();
      const parsed = messages.map((message) => parseMessage(message, nowMs, settings));
      const judged = spend(messages, await exclude(parsed, directory));
      try {
        await keep(fixesOf(judged));
        await keepWills(judged);
      } catch (error) {
        // The whole batch comes again: nothing of it may be paid for twice.
        giveBack(messages, judged);
        throw error;
      }
      metrics.lags(messages, judged, now());
      const outcomes = judged.map(toOutcome);
      metrics.rejected(outcomes);
      // After the good ones are stored: a batch that comes again has left no letter.
      await keepDeadLetters(rejectedOf(messages, outcomes));
      return outcomes;
    },
    async retake(message) {
      const parsed = parseMessage(message, Date.parse(message.receivedAt), settings);
      if (parsed.kind === 'fix' && Date.parse(parsed.fix.recordedAt) < now() - settings.retentionMs) {
        return rejected('too_old', 'the fix has become older than what is kept');
      }
      const [judged = parsed] = await exclude([parsed], freshDirectory);
      await keep(fixesOf([judged]));
      await keepWills([judged]);
      return toOutcome(judged);
    },
  };
}

const fixesOf = (parsed: readonly ParsedMessage[]): readonly Fix[] =>
  parsed.flatMap((result) => (result.kind === 'fix' ? [result.fix] : []));

const rejectedOf = (messages: readonly MqttMessage[], outcomes: readonly Outcome[]): readonly RejectedMessage[] =>
  messages.flatMap((message, index) => {
    const outcome = outcomes[index];
    return outcome?.kind === 'rejected' ? [{ message, rejection: outcome }] : [];
  });

const toOutcome = (parsed: ParsedMessage): Outcome =>
  parsed.kind === 'fix' || parsed.kind === 'will' ? { kind: 'accepted' } : parsed;

/** Whom the budget is of. Never what the payload says: a sender could have a new name each time. */
const senderOf = (message: MqttMessage | undefined): string => message?.username ?? message?.topic ?? '';
