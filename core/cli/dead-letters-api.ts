import type { Config } from '#core/config/settings.ts';
import { findRunningCore } from './running-core.ts';

export interface DeadLettersDeps {
  readonly config: Config;
  readonly stdout: { write(text: string): unknown };
}

/** As the plugin `tracking` answers it. */
export interface ListedLetter {
  readonly id: string;
  readonly receivedAt: string;
  readonly lastReceivedAt: string;
  readonly copies: number;
  readonly topic: string;
  readonly username: string | null;
  readonly reason: string;
  readonly detail: string;
  readonly payloadBytes: number;
  readonly replays: number;
  readonly replayedAt: string | null;
}

export interface ShownLetter extends ListedLetter {
  readonly payload: string;
  readonly encoding: 'utf-8' | 'base64';
  readonly truncated: boolean;
}

export interface ReplayedLetter {
  readonly id: string;
  readonly outcome: 'accepted' | 'ignored' | 'rejected';
  readonly reason: string | null;
  readonly detail: string | null;
}

export interface LetterQuery {
  readonly reason?: string;
  readonly limit: number;
}

/** The dead letters of drivers' messages, by the routes of the plugin that keeps them: all of it passes `invoke()`. */
export interface DeadLettersApi {
  /** Newest first. */
  list(query: LetterQuery): Promise<readonly ListedLetter[]>;
  show(id: string): Promise<ShownLetter>;
  replay(id: string): Promise<ReplayedLetter>;
  drop(id: string): Promise<void>;
}

const path = '/tracking/dead-letters';
const pageMax = 100;

/** @throws {AppError} CORE_NOT_RUNNING; each call NOT_FOUND, VALIDATION_FAILED, PLUGIN_UNAVAILABLE */
export async function openDeadLetters(config: Config): Promise<DeadLettersApi> {
  const core = await findRunningCore(config);
  return {
    async list({ reason, limit }) {
      const letters: ListedLetter[] = [];
      let before: string | null = null;
      do {
        const query = new URLSearchParams({ limit: String(Math.min(pageMax, limit - letters.length)) });
        if (reason !== undefined) query.set('reason', reason);
        if (before !== null) query.set('before', before);
        const page: { letters: readonly ListedLetter[]; next: string | null } = await core.ask(
          'GET',
          `${path}?${query.toString()}`,
        );
        letters.push(...page.letters);
        before = page.next;
      } while (before !== null && letters.length < limit);
      return letters;
    },
    show: (id) => core.ask('GET', `${path}/${id}`),
    replay: (id) => core.ask('POST', `${path}/${id}/replay`),
    drop: (id) => core.ask('DELETE', `${path}/${id}`),
  };
}
